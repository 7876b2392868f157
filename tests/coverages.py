"""Coverage reports, made by hand for tests of what people see of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from sluice.ground_truth.actuals import ActualCounts
from sluice.ground_truth.coverage import Coverage, Moment
from sluice.ground_truth.days import Day
from sluice.ground_truth.delays import Delays
from sluice.ground_truth.report import CoverageReport
from sluice.ground_truth.unmatched import Places
from sluice.pipeline import WantedCoverage

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()
NO_ACTUALS = dict.fromkeys(("matched", "early", "late", "unknown", "early_and_late", "repeated"), 0)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def delays(*seconds: int) -> Delays:
    return Delays.of(np.array(seconds, np.int64))


def joined(*seconds: int, **others: Any) -> Day:
    """A day of which so many predictions are joined, after so many seconds each."""
    took = delays(*seconds)
    return Day(**{"joined": len(seconds), "event_delays": took, "received_delays": took, **others})


def report_of(
    days: Mapping[date, Day] | None = None,
    *,
    leaving: Sequence[int] = (0, 0, 0),
    actuals: Mapping[str, int] | None = None,
    places: Places | None = None,
    asked: WantedCoverage | None = None,
    ledger_id: str | None = "9b4c3709-0000",
    unknown: tuple[int, int] = (0, 0),
) -> CoverageReport:
    """Args: leaving: within 1, 3 and 7 days. unknown: predictions, actuals."""
    found = Coverage(
        moment=Moment(now_s=int(NOW.timestamp())),
        days=dict(sorted((days or {}).items())),
        leaving=dict(zip((1, 3, 7), leaving, strict=True)),
        actuals=ActualCounts(**{**NO_ACTUALS, **(actuals or {})}),
        places=places or Places(),
        unknown_predictions=unknown[0],
        unknown_actuals=unknown[1],
    )
    return CoverageReport(
        pipeline="flights-actuals",
        predictions="flights",
        model="departure-delay",
        environment="PRODUCTION",
        ledger_id=ledger_id,
        written_at="2026-11-23T12:00:00Z",
        days=14,
        coverage=found,
        asked=asked,
    )


def less_than_asked() -> CoverageReport:
    """Three days, of which the middle one has less than is asked for; today nothing is asked for yet."""
    days = {ago(2): joined(60, 60, 60, 60), ago(1): joined(60, none=1, waiting=1), ago(0): Day(none=3, waiting=3)}
    return report_of(days, asked=WantedCoverage(at_least=0.9, after_days=1), leaving=(0, 0, 1))
