"""What is told of coverage: where it is of, what the pipeline file asks for, and the days that have less. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sluice.ground_truth.coverage import Coverage
from sluice.ground_truth.days import Day
from sluice.pipeline import WantedCoverage
from sluice.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """Coverage of a model's predictions by the actuals of one pipeline.

    Attributes:
        pipeline: of the actuals.
        predictions: the pipeline of the predictions.
        ledger_id: of the actuals' ledger; None where nothing was ever delivered.
        written_at: as of when.
        days: how far back it looks.
        asked: by the pipeline file; None: nothing.
    """

    pipeline: str
    predictions: str
    model: str
    environment: str
    ledger_id: str | None
    written_at: str
    days: int
    coverage: Coverage
    asked: WantedCoverage | None = None

    @property
    def last_asked(self) -> date | None:
        """The newest day of which the asked share should have its truth by now; None: nothing is asked."""
        if self.asked is None:
            return None
        return datetime.fromtimestamp(self.coverage.moment.now_s, UTC).date() - timedelta(days=self.asked.after_days)

    @property
    def below(self) -> Mapping[date, Day]:
        """The days of which less than the asked share has its truth, when it should have."""
        last = self.last_asked
        if self.asked is None or last is None:
            return {}
        days = self.coverage.days.items()
        return {day: counts for day, counts in days if day <= last and counts.share < self.asked.at_least}

    @property
    def verdict(self) -> str:
        """In a line: how many predictions have their truth."""
        total = self.coverage.total
        if not total.delivered:
            return f"no predictions were delivered in the last {self.days} days"
        words = f"{total.with_actual:,} of {total.delivered:,} predictions have their truth ({percent(total)})"
        unmatched = self.coverage.actuals.unmatched
        match = "matches" if unmatched == 1 else "match"
        return words + (f"; {counted(unmatched, 'actual')} {match} nothing" if unmatched else "")

    def as_dict(self) -> dict[str, Any]:
        names = ("pipeline", "predictions", "model", "environment", "written_at")
        asked = self.asked.model_dump() if self.asked else None
        return {
            **{name: getattr(self, name) for name in names},
            "look_back_days": self.days,
            "verdict": self.verdict,
            "asked": asked,
            "below": [str(day) for day in self.below],
            **self.coverage.as_dict(),
        }


def percent(day: Day) -> str:
    """The share that has its truth, rounded down: 100% is all of them."""
    return f"{day.with_actual * 1000 // max(day.delivered, 1) / 10:g}%"
