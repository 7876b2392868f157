"""The actuals of a look-back in memory: sorted by id, found by it, and marked where a prediction meets them.

An actual takes some 60 bytes. One id that a million rows share costs no more than a million ids: what a prediction
meets is a range of sorted rows, which is found by halving and marked at its two ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sluice.ground_truth.digests import DigestIndex
from sluice.ground_truth.received import Received, Unknown
from sluice.ground_truth.sorting import LAST_S, Rows
from sluice.ground_truth.unmatched import Places, places_of

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What predictions that were received at one moment meet, each the actuals of its id.

    Attributes:
        which: the predictions that meet any, by their index; all else is in their order.
        is_joined: an actual was received no earlier, and within the joining window.
        is_early, is_late: one was received earlier; behind the window.
        repeated, corrected: two actuals of the id say the same, or one was not sent, for it did; two that were sent
            differ.
        event_time, at_s: of the first actual that joins it; only where one does.
    """

    which: Numbers
    is_joined: Flags
    is_early: Flags
    is_late: Flags
    repeated: Flags
    corrected: Flags
    event_time: Numbers
    at_s: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualCounts:
    """Actuals, each in one class: `sent` = `matched` + `unmatched`, by what they are.

    Attributes:
        matched: there is a prediction that was received no later, and at most the joining window before.
        early: there is none, but one that was received later.
        late: nor that, but one that was received too long before.
        unknown: no prediction of its id is known.
        early_and_late: of the early ones, those that have another prediction for which they came too late.
        repeated: were not sent, for they say what an earlier one said.
    """

    matched: int
    early: int
    late: int
    unknown: int
    early_and_late: int
    repeated: int

    @property
    def unmatched(self) -> int:
        return self.early + self.late + self.unknown

    @property
    def sent(self) -> int:
        return self.matched + self.unmatched

    @property
    def too_late(self) -> int:
        """All that came too late for a prediction, and in time for none."""
        return self.late + self.early_and_late

    def as_dict(self) -> dict[str, int]:
        names = ("sent", "matched", "unmatched", "early", "late", "unknown", "early_and_late", "repeated")
        return {name: getattr(self, name) for name in names}


class Actuals:
    """Actuals, and which of them were met; one at a time."""

    def __init__(self, received: Iterable[Received | Unknown]) -> None:
        rows = Rows()
        for item in received:
            rows.add(item)
        self.unknown_rows = rows.unknown
        self._partitions = tuple(rows.partitions)
        self._take(rows.sorted_columns())

    def _take(self, columns: dict[str, Array]) -> None:
        is_first = np.append(True, _changes(columns["id_0"]) | _changes(columns["id_1"]))[: len(columns["id_0"])]
        of = (np.cumsum(is_first) - 1).astype(np.uint32)  # the id of each row
        self._ids = DigestIndex(columns.pop("id_0")[is_first], columns.pop("id_1")[is_first])
        count = len(self._ids)
        is_sent, says = columns.pop("is_sent"), columns.pop("says")
        self._repeated = _repeated(of, says, is_sent, count)
        self._corrected = _flags(count, of[1:][~is_first[1:] & _changes(says) & is_sent[1:]])
        self._repeated_rows = int((~is_sent).sum())
        self._starts = np.append(0, np.cumsum(np.bincount(of[is_sent], minlength=count))).astype(np.uint32)
        if self._repeated_rows:
            columns = {name: column[is_sent] for name, column in columns.items()}
        self._received, self._event_time = columns["at_s"], columns["event_time"]
        self._partition, self._offset = columns["partition"], columns["offset"]
        self._meetings = np.zeros(len(self._received) + 1, np.int32)
        self._first_prediction = np.full(count, LAST_S, np.uint32)
        self._last_prediction = np.zeros(count, np.uint32)

    def meet(self, id_0: Array, id_1: Array, *, at_s: int, window_s: int) -> Met:
        """Find the actuals of predictions that were received at one moment, and mark those that join them."""
        found = self._ids.find(id_0, id_1)
        which = np.flatnonzero(found >= 0)
        ids = found[which]
        start, stop = (self._starts[item].astype(np.int64) for item in (ids, ids + 1))
        joinable = self._first_received(at_s, start, stop)
        behind = self._first_received(at_s + window_s + 1, joinable, stop)
        is_joined = joinable < behind
        # Of the counters' own type, or each number is cast by itself: eight times as slow.
        np.add.at(self._meetings, joinable[is_joined], np.int32(1))
        np.add.at(self._meetings, behind[is_joined], np.int32(-1))
        self._first_prediction[ids] = np.minimum(self._first_prediction[ids], at_s)
        self._last_prediction[ids] = np.maximum(self._last_prediction[ids], at_s)
        joins = joinable[is_joined]
        return Met(
            which=which,
            is_joined=is_joined,
            is_early=start < joinable,
            is_late=behind < stop,
            repeated=self._repeated[ids],
            corrected=self._corrected[ids],
            event_time=self._event_time[joins].astype(np.int64),
            at_s=self._received[joins].astype(np.int64),
        )

    def counted(self, *, window_s: int, most_ranges: int) -> tuple[ActualCounts, Places]:
        """Count the actuals when all predictions have met them; and tell where those are that none joined."""
        missed = np.flatnonzero(np.cumsum(self._meetings[:-1]) == 0)
        ids = np.searchsorted(self._starts, missed, side="right") - 1
        at_s = self._received[missed].astype(np.int64)
        is_early = at_s < self._last_prediction[ids]
        is_late = at_s - window_s > self._first_prediction[ids]
        early, both = int(is_early.sum()), int((is_early & is_late).sum())
        late = int(is_late.sum()) - both
        counts = ActualCounts(
            matched=len(self._received) - len(missed),
            early=early,
            late=late,
            unknown=len(missed) - early - late,
            early_and_late=both,
            repeated=self._repeated_rows,
        )
        return counts, places_of(self._partitions, self._partition[missed], self._offset[missed], most_ranges)

    def _first_received(self, at_s: int, start: Numbers, stop: Numbers) -> Numbers:
        """Return the first row of each range that was received at a moment or behind it; its end where none was."""
        low, high = start.copy(), stop.copy()
        left = np.flatnonzero(low < high)
        while len(left):
            middle = (low[left] + high[left]) // 2
            is_before = self._received[middle] < at_s
            low[left] = np.where(is_before, middle + 1, low[left])
            high[left] = np.where(is_before, high[left], middle)
            left = left[low[left] < high[left]]
        return low


def _repeated(of: Array, says: Array, is_sent: Flags, count: int) -> Flags:
    """Tell of each id whether two rows that were sent say the same, or one was not sent."""
    shared = np.flatnonzero(is_sent & (np.bincount(of, minlength=count) > 1)[of])
    order = shared[np.lexsort((says[shared], of[shared]))]
    again = order[1:][~_changes(of[order]) & ~_changes(says[order])]
    return _flags(count, np.concatenate([of[~is_sent], of[again]]))


def _flags(count: int, which: Array) -> Flags:
    flags = np.zeros(count, np.bool_)
    flags[which] = True
    return flags


def _changes(column: Array) -> Flags:
    return np.asarray(column[1:] != column[:-1])
