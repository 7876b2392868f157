"""Predictions counted by their day: every one is in exactly one class. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice.ground_truth.delays import Delays

DAY_S: Final = 86_400
LEAVING_WITHIN_DAYS: Final = (1, 3, 7)
Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


class Truth(IntEnum):
    """What became of a prediction's truth; each prediction is in one of these.

    - COMPLETE: it brought its truth along;
    - JOINED: an actual was received when it was there, within the joining window;
    - EARLY: none was, but one before it;
    - LATE: nor that, but one behind the joining window;
    - NONE: no actual of its id was sent.
    """

    COMPLETE = 0
    JOINED = 1
    EARLY = 2
    LATE = 3
    NONE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The delivered predictions of a day, or of several. `delivered` = `with_actual` + `without`, by what they are.

    Attributes:
        complete, joined, early, late, none: how many are in each class of `Truth`.
        waiting: of those without their truth, how many are still in the joining window.
        repeated: to how many an actual came that said what another one had said.
        corrected: of how many two actuals or more were sent that differ.
        event_delays: of those that are joined, from the prediction's event time to the actual's.
        received_delays: the same, by when both were received.
    """

    complete: int = 0
    joined: int = 0
    early: int = 0
    late: int = 0
    none: int = 0
    waiting: int = 0
    repeated: int = 0
    corrected: int = 0
    event_delays: Delays = field(default_factory=Delays)
    received_delays: Delays = field(default_factory=Delays)

    def __add__(self, other: Day) -> Day:
        return Day(
            **{name: getattr(self, name) + getattr(other, name) for name in _COUNTS},
            event_delays=self.event_delays + other.event_delays,
            received_delays=self.received_delays + other.received_delays,
        )

    @property
    def with_actual(self) -> int:
        return self.complete + self.joined

    @property
    def without(self) -> int:
        return self.early + self.late + self.none

    @property
    def delivered(self) -> int:
        return self.with_actual + self.without

    @property
    def share(self) -> float:
        """Of the delivered ones, how many have their truth; 0 where there are none."""
        return self.with_actual / self.delivered if self.delivered else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "delivered": self.delivered,
            "with_actual": self.with_actual,
            "without": self.without,
            **{name: getattr(self, name) for name in _COUNTS},
            "event_delays": self.event_delays.as_dict(),
            "received_delays": self.received_delays.as_dict(),
        }


_COUNTS: Final = ("complete", "joined", "early", "late", "none", "waiting", "repeated", "corrected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """Predictions that were received in one go, row by row.

    Attributes:
        event_time: in seconds.
        truth: a number of `Truth`.
        repeated, corrected: see `Day`.
        left_s: how long they are still in the joining window; negative: so long ago they left it.
        event_delay, received_delay: of those that are joined, in their order.
    """

    event_time: Numbers
    truth: Numbers
    repeated: Truths
    corrected: Truths
    left_s: int
    event_delay: Numbers
    received_delay: Numbers

    def __post_init__(self) -> None:
        joined = int((self.truth == Truth.JOINED).sum())
        if not joined == len(self.event_delay) == len(self.received_delay):
            raise ValueError(f"{joined} predictions are joined, and {len(self.event_delay)} have a delay")


def by_day(rows: Classified) -> Mapping[date, Day]:
    """Count predictions by the day of their event time, UTC."""
    numbers, at = np.unique(rows.event_time // DAY_S, return_inverse=True)
    count = len(numbers)
    truths = np.bincount(at * len(Truth) + rows.truth, minlength=count * len(Truth)).reshape(count, len(Truth))
    repeated, corrected = (np.bincount(at[flags], minlength=count) for flags in (rows.repeated, rows.corrected))
    joined = at[rows.truth == Truth.JOINED]
    order = np.argsort(joined, kind="stable")
    ends = np.searchsorted(joined[order], np.arange(count), side="right")
    found = {}
    for index, (number, mine) in enumerate(zip(numbers.tolist(), np.split(order, ends[:-1]), strict=True)):
        complete, with_actual, early, late, none = truths[index].tolist()
        found[_date(number)] = Day(
            complete=complete,
            joined=with_actual,
            early=early,
            late=late,
            none=none,
            waiting=early + late + none if rows.left_s >= 0 else 0,
            repeated=int(repeated[index]),
            corrected=int(corrected[index]),
            event_delays=Delays.of(rows.event_delay[mine]),
            received_delays=Delays.of(rows.received_delay[mine]),
        )
    return found


def leaving(rows: Classified) -> dict[int, int]:
    """Count those without their truth that leave the joining window within so many days."""
    without = int((rows.truth > Truth.JOINED).sum())
    return {days: without if 0 <= rows.left_s <= days * DAY_S else 0 for days in LEAVING_WITHIN_DAYS}


def sum_of(days: Iterable[Day]) -> Day:
    return sum(days, Day())


def _date(number: int) -> date:
    return datetime.fromtimestamp(number * DAY_S, UTC).date()
