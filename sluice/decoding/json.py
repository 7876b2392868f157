"""JSON objects into columns: all at once where all are good, and only the bad ones rejected where some are not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import polars as pl

from sluice.decoding import columnar, strict
from sluice.decoding.projection import Projection

ROW: Final = "\x1frow"
_UNKNOWN: Final = "not JSON, or of another type"
_MOST_ROWS, _MOST_BYTES, _FEW = 4096, 8 << 20, 64
_TYPES: Final = {"string": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What became of a sequence of values.

    Attributes:
        frame: a row for each good value, in order: `ROW`, its position in the sequence, and a column for each leaf.
        rejected: why each of the others is bad, by its position, in order.
    """

    frame: pl.DataFrame
    rejected: dict[int, str]


def decode(values: Sequence[bytes], projection: Projection) -> Decoded:
    """Decode values, each of which must be one JSON object that holds what the projection says.

    A field that is missing or null is null; a field that no leaf asks for may hold any JSON. `7.0` and `7e0` are the
    int 7, below 2⁵³. A key that is given twice on the way to a leaf is refused, elsewhere it does not matter.
    """
    chunks = list(_chunks(values))
    if len(chunks) < 2:
        parts = [_Chunk(values, rows, projection).settled() for rows in chunks]
    else:  # Arrow lets go of the interpreter while it parses
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(lambda rows: _Chunk(values, rows, projection).settled(), chunks))
    frame = pl.concat([_no_rows(projection), *(frame for part in parts for frame in part.frames)])
    frame = frame if frame[ROW].is_sorted() else frame.sort(ROW)
    return Decoded(frame=frame, rejected={at: reason for part in parts for at, reason in sorted(part.rejected.items())})


def _chunks(values: Sequence[bytes]) -> Iterator[range]:
    """Cut into ranges of positions, small enough for a processor's cache and for Arrow's 2 GB."""
    start = weight = 0
    for at, value in enumerate(values):
        if at > start and (at - start == _MOST_ROWS or weight + len(value) > _MOST_BYTES):
            yield range(start, at)
            start, weight = at, 0
        weight += len(value)
    if start < len(values):
        yield range(start, len(values))


class _Chunk:
    """Settles the values of some rows: each gets into a frame, or is rejected with a reason."""

    def __init__(self, values: Sequence[bytes], rows: range, projection: Projection) -> None:
        self._values = values
        self._rows = rows
        self._projection = projection
        self.frames: list[pl.DataFrame] = []
        self.rejected: dict[int, str] = {}

    def settled(self) -> _Chunk:
        unfit = columnar.unfit([self._values[row] for row in self._rows])
        self._reject(self._rows[at] for at in unfit)
        self._settle([row for row in self._rows if row not in self.rejected] if unfit else self._rows)
        return self

    def _settle(self, rows: Sequence[int]) -> None:
        """Read all at once; else closer and closer around the bad ones; these one by one."""
        if not rows or self._take(rows):
            return
        if len(rows) <= _FEW:
            self._one_by_one(rows)
            return
        size = max(len(rows) // 8, _FEW)
        for start in range(0, len(rows), size):
            self._settle(rows[start : start + size])

    def _one_by_one(self, rows: Sequence[int]) -> None:
        faults = {row: strict.fault(self._values[row], self._projection) for row in rows}
        self.rejected.update({row: reason for row, reason in faults.items() if reason})
        good = [row for row in rows if not faults[row]]
        self._bisect(good, [strict.with_plain_integers(self._values[row]) for row in good])

    def _bisect(self, rows: Sequence[int], values: Sequence[bytes]) -> None:
        """Find, by halves, what the reader refuses although no reason was found: the seldom case."""
        read = columnar.read(values, self._projection) if rows else None
        if read is not None and not read.doubtful.any():
            self._keep(rows, read.frame)
        elif len(rows) == 1:
            self._reject(rows)
        elif rows:
            half = len(rows) // 2
            self._bisect(rows[:half], values[:half])
            self._bisect(rows[half:], values[half:])

    def _take(self, rows: Sequence[int]) -> bool:
        read = columnar.read([self._values[row] for row in rows], self._projection)
        if read is None:
            return False
        sure = self._keep(rows, read.frame, ~read.doubtful if read.doubtful.any() else None)
        if sure < len(rows):
            self._one_by_one([row for row, is_doubtful in zip(rows, read.doubtful, strict=True) if is_doubtful])
        return True

    def _keep(self, rows: Sequence[int], frame: pl.DataFrame, sure: pl.Series | None = None) -> int:
        numbered = frame.insert_column(0, pl.Series(ROW, rows, pl.Int64))
        self.frames.append(numbered if sure is None else numbered.filter(sure))
        return self.frames[-1].height

    def _reject(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.rejected[row] = strict.fault(self._values[row], self._projection) or _UNKNOWN


def _no_rows(projection: Projection) -> pl.DataFrame:
    """The frame without rows: it gives a window its columns even where no value is good."""
    return pl.DataFrame(schema={ROW: pl.Int64()} | {leaf.column: _TYPES[leaf.type] for leaf in projection.leaves})
