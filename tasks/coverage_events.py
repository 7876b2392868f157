"""The event of a coverage that is lower than a pipeline file asks for. Days, counts and shares; never a value."""

from __future__ import annotations

from typing import Final

from sluice.ground_truth.report import CoverageReport, percent
from sluice.words import counted
from tasks.events import Event

_TOLD: Final = 20


def event_of_coverage(report: CoverageReport, *, url: str | None) -> Event | None:
    """Return what there is to tell of coverage; None where no day has less than is asked for.

    Args:
        url: of its run's page in Prefect's UI, where one is known.
    """
    below, asked = report.below, report.asked
    if not below or asked is None:
        return None
    newest = sorted(below, reverse=True)
    first = newest[0]
    payload = {
        "pipeline": report.pipeline,
        "predictions": report.predictions,
        "message": f"{counted(len(below), 'day')} with less truth than {asked.at_least * 100:g}%, "
        f"the newest {first} with {percent(below[first])}; {report.verdict}",
        "asked": asked.model_dump(),
        "days_below": len(below),
        "below": [
            {
                "day": str(day),
                "delivered": below[day].delivered,
                "with_actual": below[day].with_actual,
                "share": round(below[day].share, 6),
            }
            for day in newest[:_TOLD]
        ],
        "leaving": {str(days): count for days, count in report.coverage.leaving.items()},
        "url": url,
    }
    labels = {"sluice.severity": "warning"}
    return Event(name="sluice.coverage.below", pipeline=report.pipeline, payload=payload, labels=labels)
