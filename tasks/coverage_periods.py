"""Days of coverage, grouped so that a picture of them can be read: by day, week, month or year. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from sluice.ground_truth.days import Day, sum_of
from sluice.ground_truth.report import CoverageReport

_MOST: Final = 62
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIRST_OF: Final[Mapping[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The predictions of a day, a week, a month or a year.

    Attributes:
        first: its first day; of a week the Monday.
        is_asked: of a day of it a share is asked for by now.
        is_below: a day of it has less.
        follows: it comes right behind the one before; or it is the first one.
    """

    first: date
    counts: Day
    is_asked: bool
    is_below: bool
    follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Periods that hold predictions, in the order of time.

    Attributes:
        unit: `day`, `week`, `month` or `year`.
        left_out: older ones that are not in it.
    """

    unit: str
    shown: Sequence[Period]
    left_out: int = 0

    @property
    def slots(self) -> int:
        """How many places a picture needs: a place is left free wherever there are none, however long that was."""
        return len(self.shown) + sum(not item.follows for item in self.shown)

    def label(self, item: Period) -> str:
        """Name a period as shortly as can be."""
        month = _MONTHS[item.first.month - 1]
        return {"month": f"{month} {item.first.year}", "year": str(item.first.year)}.get(
            self.unit, f"{month} {item.first.day}"
        )


def periods_of(report: CoverageReport) -> Periods:
    """Group days by the shortest unit of which a picture holds all."""
    for unit in ("day", "week", "month"):
        found = _grouped(report, unit)
        if found.slots <= _MOST:
            return found
    found = _grouped(report, "year")
    newest = found.shown if found.slots <= _MOST else found.shown[-_MOST // 2 :]
    return replace(found, shown=newest, left_out=len(found.shown) - len(newest))


def _grouped(report: CoverageReport, unit: str) -> Periods:
    first_of, days, below, last = _FIRST_OF[unit], report.coverage.days, report.below, report.last_asked
    shown: list[Period] = []
    for first, group in groupby(sorted(days), key=first_of):
        mine = list(group)
        shown.append(
            Period(
                first=first,
                counts=sum_of(days[day] for day in mine),
                is_asked=last is not None and mine[0] <= last,
                is_below=any(day in below for day in mine),
                follows=not shown or first_of(first - timedelta(days=1)) == shown[-1].first,
            )
        )
    return Periods(unit=unit, shown=shown)
