"""JSON objects into columns: all at once where all are good, and only the bad ones rejected where some are not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import polars as pl

from sluice.decoding import columnar, strict
from sluice.decoding.projection import Projection

ROW: Final = "\x1f"  # no leaf is called so
_UNKNOWN: Final = "not JSON, or of another type"
_MOST_ROWS, _MOST_BYTES, _FEW = 4096, 8 << 20, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What became of a sequence of values.

    Attributes:
        frame: a row for each good value, in order: `ROW`, its position in the sequence, and a column for each leaf.
        rejected: why each of the others is bad, by its position.
    """

    frame: pl.DataFrame
    rejected: dict[int, str]


def decode(values: Sequence[bytes], projection: Projection) -> Decoded:
    """Decode values, each of which must be one JSON object that holds what the projection says.

    A field that is missing or null is null; a field that no leaf asks for may hold any JSON. `7.0` and `7e0` are the
    int 7, below 2⁵³. A key that is given twice on the way to a leaf is refused, elsewhere it does not matter.
    """
    search = _Search(values, projection)
    chunks = list(_chunks(values))
    if len(chunks) < 2:
        found = [search.chunk(rows) for rows in chunks]
    else:  # Arrow lets go of the interpreter while it parses
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            found = list(pool.map(search.chunk, chunks))
    frame = search.frame([piece for pieces in found for piece in pieces])
    return Decoded(frame=frame, rejected=search.rejected)


def _chunks(values: Sequence[bytes]) -> Iterator[range]:
    """Cut into rows that are small enough for a processor's cache, and for Arrow's 2 GB."""
    for start in range(0, len(values), _MOST_ROWS):
        rows = range(start, min(start + _MOST_ROWS, len(values)))
        weight = sum(map(len, values[rows.start : rows.stop]))
        size = max(1, len(rows) * _MOST_BYTES // max(weight, _MOST_BYTES))
        yield from (rows[at : at + size] for at in range(0, len(rows), size))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows that were read together."""

    rows: Sequence[int]
    table: Any


class _Search:
    """Brings each row into a piece, or among the rejected; threads may search different chunks."""

    def __init__(self, values: Sequence[bytes], projection: Projection) -> None:
        self._values = values
        self._projection = projection
        self.rejected: dict[int, str] = {}

    def chunk(self, rows: range) -> list[_Piece]:
        unfit = [rows[at] for at in columnar.unfit(self._values[rows.start : rows.stop])]
        self._reject(unfit)
        left = sorted(set(rows).difference(unfit)) if unfit else rows
        return list(self._near(left))

    def frame(self, pieces: Sequence[_Piece]) -> pl.DataFrame:
        """Make one frame of all pieces, in the order of rows."""
        loose = {index for index, piece in enumerate(pieces) if columnar.is_loose(piece.table, self._projection)}
        whole, doubtful = self._columns([pieces[index] for index in loose])
        exact = [piece for index, piece in enumerate(pieces) if index not in loose]
        frame, infinite = self._columns([*exact, *self._one_by_one(doubtful)])
        self._reject(infinite)
        frame = pl.concat([frame, whole])
        return frame if frame[ROW].is_sorted() else frame.sort(ROW)

    def _near(self, rows: Sequence[int]) -> Iterator[_Piece]:
        """Read all at once; else closer around the bad ones if they seem to be few; else one by one."""
        table = columnar.parse([self._values[row] for row in rows], self._projection) if rows else None
        if table is not None:
            yield _Piece(rows, table)
        elif len(rows) <= _FEW or any(self._fault(row) for row in rows[:: len(rows) // _FEW]):
            yield from self._one_by_one(rows)
        else:
            size = max(len(rows) // 8, _FEW)
            for start in range(0, len(rows), size):
                yield from self._near(rows[start : start + size])

    def _one_by_one(self, rows: Sequence[int], *, thorough: bool = False) -> Iterator[_Piece]:
        faults = {row: strict.fault(self._values[row], self._projection, thorough=thorough) for row in rows}
        self.rejected.update({row: reason for row, reason in faults.items() if reason})
        good = [row for row in rows if not faults[row]]
        if good:
            piece = self._exact(good)
            again = self._halves if thorough else partial(self._one_by_one, thorough=True)
            yield from again(good) if piece is None else [piece]

    def _halves(self, rows: Sequence[int]) -> Iterator[_Piece]:
        """Find what the reader refuses although no reason was found: the seldom case."""
        piece = self._exact(rows)
        if piece is not None:
            yield piece
        elif len(rows) == 1:
            self._reject(rows)
        else:
            yield from self._halves(rows[: len(rows) // 2])
            yield from self._halves(rows[len(rows) // 2 :])

    def _exact(self, rows: Sequence[int]) -> _Piece | None:
        """Read rows whose ints, as far as is known, are whole."""
        values = [self._values[row] for row in rows]
        table = columnar.parse(values, self._projection)
        if table is not None and columnar.is_loose(table, self._projection):
            # Read as doubles, so that the large ints beside a 7.0 are not exact: write 7 for it. Not before it was
            # read as it is: of some numbers the reader refuses the one way to write it, and takes the other.
            plain = [strict.with_plain_integers(value) for value in values]
            table = columnar.parse(plain, self._projection, may_be_loose=False)
        return None if table is None else _Piece(rows, table)

    def _columns(self, pieces: Sequence[_Piece]) -> tuple[pl.DataFrame, list[int]]:
        """Return the rows of pieces that hold what they must, and the numbers of the doubtful ones."""
        rows = pl.concat([pl.Series(ROW, [], pl.Int64), *(pl.Series(ROW, piece.rows, pl.Int64) for piece in pieces)])
        read = columnar.columns([piece.table for piece in pieces], self._projection)
        frame = pl.DataFrame([rows, *read.columns])
        if not read.doubtful.any():
            return frame, []
        return frame.filter(~read.doubtful), rows.filter(read.doubtful).to_list()

    def _reject(self, rows: Iterable[int]) -> None:
        self.rejected.update({row: self._fault(row) or _UNKNOWN for row in rows})

    def _fault(self, row: int) -> str | None:
        return strict.fault(self._values[row], self._projection, thorough=True)
