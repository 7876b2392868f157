"""When the joiner runs, and what is remembered of each run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

DAY_S = 86_400.0
HOUR_S = 5 * 3_600.0  # 05:00 UTC
WINDOW_DAYS = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the joiner.

    Attributes:
        number: counts the runs from 0.
        at: its hour, in seconds since the epoch, though it may have been made later.
        told: it was told to run, and did not run because of the hour.
        window_days: how long before an actual its prediction may have been received.
        calls: the numbers of the calls whose actuals it looked at; no other run looks at them.
        joined: how many pairs of a prediction and an actual it found.
    """

    number: int
    at: float
    told: bool
    window_days: float
    calls: Sequence[int]
    joined: int

    def shown(self) -> dict[str, Any]:
        """Give all of it; of calls, how many there were."""
        return {**asdict(self), "calls": len(self.calls)}


def due(since: float, now: float) -> Iterator[float]:
    """Give the joiner's hours after `since`, up to and including `now`."""
    at = next_hour(since)
    while at <= now:
        yield at
        at += DAY_S


def next_hour(since: float) -> float:
    """Give the first hour of the joiner's after `since`."""
    return (math.floor((since - HOUR_S) / DAY_S) + 1) * DAY_S + HOUR_S


def day_of(at: float) -> float:
    """Give the moment at which the day of `at` began (UTC)."""
    return math.floor(at / DAY_S) * DAY_S
