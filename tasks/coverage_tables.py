"""Coverage in numbers, for a page of Prefect's and for programs. Pure: a report in, Markdown or rows out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sluice.ground_truth.days import Day, sum_of
from sluice.ground_truth.report import CoverageReport, percent
from sluice.words import counted, lasting
from tasks.coverage_classes import CLASSES, classes_of
from tasks.markdown import table

_DAYS_SHOWN: Final = 31
_ROWS: Final = 1_000
_MORE: Final = {
    "repeated": "of all these: an actual came that says what another one of its id had said",
    "corrected": "of all these: two actuals of its id or more were sent that differ",
}
_OF_ACTUALS: Final = {
    "matched": "join a prediction: it was received no later, and at most the joining window before",
    "early": "their prediction was received later: nothing promises that they join it",
    "late": "their prediction was received longer before than the joining window",
    "unknown": "no prediction of their id was delivered, as far back as is looked",
    "repeated": "were not sent, for they say what an earlier one of their id said",
}


def day_rows(report: CoverageReport) -> list[dict[str, Any]]:
    """A row for each of the newest days, the newest first; numbers are numbers."""
    days = list(report.coverage.days.items())[::-1]
    return [_day_row(day, counts) for day, counts in days[:_ROWS]]


def day_table(report: CoverageReport) -> str:
    """The newest days as a table, with the earlier ones and all of them together in a row each."""
    days, below = report.coverage.days, report.below
    newest = sorted(days, reverse=True)[:_DAYS_SHOWN]
    earlier = [counts for day, counts in days.items() if day not in newest]
    total = report.coverage.total
    shown = _shown(total)
    rows = [_cells(f"**{day}**" if day in below else str(day), days[day], shown) for day in newest]
    if earlier:
        rows.append(_cells(counted(len(earlier), "earlier day"), sum_of(earlier), shown))
    if len(days) > 1:
        rows.append(_cells("all", total, shown))
    heads = ("day", "delivered", *shown, "share", "half within")
    return "\n".join(table(heads, rows, numbers=heads[1:]))


def class_table(report: CoverageReport) -> str:
    """What the columns of the days mean that are shown, each in a line, and how many predictions are there."""
    total = report.coverage.total
    rows = [(name, f"{classes_of(total)[name]:,}", CLASSES[name]) for name in _shown(total)]
    rows += [(name, f"{getattr(total, name):,}", said) for name, said in _MORE.items() if getattr(total, name)]
    rows.append(("half within", "", "half of the truths came so soon: from a prediction's event time to its actual's"))
    return "\n".join(table(("predictions", "", "what they are"), ((f"**{name}**", *said) for name, *said in rows)))


def actuals_table(report: CoverageReport) -> str:
    """What became of the actuals, class by class, each in a line."""
    found = report.coverage.actuals
    counts = found.as_dict()
    rows = [[f"**{name}**", f"{counts[name]:,}", means] for name, means in _OF_ACTUALS.items()]
    if found.early_and_late:
        rows[1][2] += f". For another prediction {found.early_and_late:,} of them came too late"
    return "\n".join(table(("actuals", "", "what they are"), rows))


def _shown(total: Day) -> list[str]:
    """A page has room for some short columns: classes that are empty are left out."""
    return [name for name, count in classes_of(total).items() if count or name == "with truth"]


def _cells(name: str, counts: Day, shown: Sequence[str]) -> list[str]:
    found, share, half = classes_of(counts), percent(counts), counts.event_delays.within(0.5)
    return [
        name,
        f"{counts.delivered:,}",
        *(f"{found[item]:,}" for item in shown),
        f"**{share}**" if name.startswith("**") else share,
        "" if half is None else lasting(half),
    ]


def _day_row(day: date, counts: Day) -> dict[str, Any]:
    names = ("delivered", "with_actual", "without", "early", "late", "none", "waiting", "repeated", "corrected")
    delays = counts.event_delays.as_dict()
    return {
        "day": str(day),
        **{name: getattr(counts, name) for name in names},
        "share": round(counts.share, 6),
        **{f"event_{name}": delays[name] for name in ("p50_s", "p90_s", "p99_s")},
    }
