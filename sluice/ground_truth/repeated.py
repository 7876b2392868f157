"""Actuals that say what an earlier one of the same id said, or something else. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from sluice.ground_truth.digests import DigestIndex
from sluice.ground_truth.received import Received, Unknown

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
_COLUMNS: Final = ("id_0", "id_1", "says")
_MOST_RECENT: Final = 1_000_000  # rows that are sorted once more whenever some are added


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Rows of actuals, each beside the one of its id that was sent last before it.

    Attributes:
        repeated: it says the same.
        corrected: it says something else.
    """

    repeated: Flags
    corrected: Flags


class Sayings:
    """What was said last of each id: two digests of 128 and of 64 bits, 24 bytes an id.

    Args:
        received: actuals in the order in which they were sent; those that were not sent say nothing here. Of what is
            not known any more nothing can be told: it may be said once more.
    """

    def __init__(self, received: Iterable[Received | Unknown] = ()) -> None:
        self._old = _Last.of([_sent(item) for item in received if isinstance(item, Received)])
        self._new = _Last.of([])

    def __len__(self) -> int:
        return len(self._old) + len(self._new)

    def take(self, ids: pl.DataFrame, is_sent: Flags | None = None) -> None:
        """Know of rows that are sent behind all that are known; see `ids.ACTUALS`."""
        rows = ids.select(_COLUMNS) if is_sent is None else ids.select(_COLUMNS).filter(pl.Series(is_sent))
        self._new = _Last.of([self._new.rows, rows])
        if len(self._new) > _MOST_RECENT:
            self._old, self._new = _Last.of([self._old.rows, self._new.rows]), _Last.of([])

    def compare(self, ids: pl.DataFrame, *, to_first: bool = False) -> Compared:
        """Compare rows with what was said before them, by earlier ones of their own among it.

        Args:
            ids: of `ids.ACTUALS`, in the order in which they would be sent.
            to_first: of several rows of one id here all are compared with what was said before the first of them, or
                with the first: for those that say something else are not sent.
        """
        says = ids["says"].to_numpy()
        before, is_known = self._said(ids)
        order = np.lexsort((np.arange(ids.height), ids["id_1"].to_numpy(), ids["id_0"].to_numpy()))
        is_first = np.append(True, _changes(ids["id_0"].to_numpy()[order]) | _changes(ids["id_1"].to_numpy()[order]))
        is_first = is_first[: ids.height]
        at = np.arange(ids.height)
        first = np.maximum.accumulate(np.where(is_first, at, 0))
        earlier = first if to_first else np.maximum(at - 1, 0)
        told = np.where(is_first | (to_first & is_known[order]), before[order], says[order][earlier])
        has = ~is_first | is_known[order]
        is_same = told == says[order]
        repeated, corrected = np.empty(ids.height, np.bool_), np.empty(ids.height, np.bool_)
        repeated[order], corrected[order] = has & is_same, has & ~is_same
        return Compared(repeated=repeated, corrected=corrected)

    def _said(self, ids: pl.DataFrame) -> tuple[Array, Flags]:
        """What was said last of each row's id, and whether anything was."""
        id_0, id_1 = ids["id_0"].to_numpy(), ids["id_1"].to_numpy()
        old, new = self._old.find(id_0, id_1), self._new.find(id_0, id_1)
        said = np.zeros(ids.height, np.uint64)
        said[old >= 0] = self._old.says[old[old >= 0]]
        said[new >= 0] = self._new.says[new[new >= 0]]
        return said, (old >= 0) | (new >= 0)


@dataclass(frozen=True, slots=True)
class _Last:
    """The last row of each id, sorted by id."""

    index: DigestIndex
    rows: pl.DataFrame
    says: Array

    @classmethod
    def of(cls, rows: Iterable[pl.DataFrame]) -> _Last:
        empty = pl.DataFrame(schema=dict.fromkeys(_COLUMNS, pl.UInt64()))
        every = pl.concat([empty, *rows])
        id_0, id_1 = every["id_0"].to_numpy(), every["id_1"].to_numpy()
        order = np.lexsort((np.arange(every.height), id_1, id_0))
        is_last = np.append(_changes(id_0[order]) | _changes(id_1[order]), True)[: every.height]
        kept = every[order[is_last]]
        index = DigestIndex(kept["id_0"].to_numpy(), kept["id_1"].to_numpy())
        return cls(index, kept, kept["says"].to_numpy())

    def __len__(self) -> int:
        return self.rows.height

    def find(self, id_0: Array, id_1: Array) -> npt.NDArray[np.int64]:
        return self.index.find(id_0, id_1)


def _sent(item: Received) -> pl.DataFrame:
    rows = item.ids.select(_COLUMNS)
    return rows if item.is_sent is None else rows.filter(item.is_sent)


def _changes(column: Array) -> Flags:
    return np.asarray(column[1:] != column[:-1])
