"""Prove ground truth from outside: Sluice's coverage, and what the stand-in's own joiner made of the same rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import Any

from deployments.local.stack import Stack
from sluice.checking import pipeline_called
from sluice.coverage import coverage_of
from sluice.ground_truth.report import CoverageReport
from sluice.ledger import Ledger, entries
from sluice.offsets import Balance, total
from sluice.opening import opened_run
from sluice.settings import Settings
from sluice.stores.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthProof:
    """What must agree of a pipeline of actuals.

    Attributes:
        produced: good reports that were committed to the topic; all reports, with those that say nothing new.
        balance: of all entries together.
        coverage: as Sluice knows it, by its ledgers and staged files.
        joined: as the stand-in knows it, by what it received; its counts of the model.
        days: by day, predictions and those with their truth, as the stand-in has them.
    """

    produced: int
    balance: Balance
    coverage: CoverageReport
    joined: dict[str, int]
    days: dict[date, tuple[int, int]]

    @property
    def ours(self) -> dict[date, tuple[int, int]]:
        return {day: (item.delivered, item.with_actual) for day, item in self.coverage.coverage.days.items()}

    @property
    def holds(self) -> bool:
        actuals = self.coverage.coverage.actuals
        return (
            self.produced == self.balance.staged + self.balance.repeated
            and self.balance.staged == self.joined["actuals"] == actuals.sent
            and (actuals.matched, actuals.unmatched) == (self.joined["matched"], self.joined["unmatched"])
            and self.ours == self.days
        )

    def lines(self) -> list[str]:
        actuals, found, balance = self.coverage.coverage.actuals, self.joined, self.balance
        with_truth = self.coverage.coverage.total.with_actual
        same = sum(self.ours.get(day) == counts for day, counts in self.days.items())
        rows = f"{self.produced:,} produced = {balance.staged:,} staged + {balance.repeated:,} that say nothing new"
        return [
            f"balance    {balance.arithmetic()}",
            f"rows       {rows}; held by Arize {found['actuals']:,}",
            f"Sluice     {_told(actuals.sent, actuals.matched, actuals.unmatched, with_truth)}",
            f"joiner     {_told(found['actuals'], found['matched'], found['unmatched'], found['with_truth'])}",
            f"by day     the same on {same} of {len(self.days)} days",
            "proved" if self.holds else "NOT PROVED",
        ]


def coverage_now(pipeline: str) -> CoverageReport:
    """Compute the coverage of a pipeline of actuals, as `sluice coverage` does."""
    settings = Settings.from_environment(os.environ)
    with opened_run(pipeline_called(pipeline, settings), settings, "demo") as run:
        return coverage_of(run)


def prove_truth(stack: Stack, pipeline: str) -> TruthProof:
    """Have the stand-in's joiner look at all that it received, and count everything anew."""
    coverage = coverage_now(pipeline)
    if stack.arize.join_counts(coverage.model)["waiting"]:
        stack.arize.move_past_join()
    ledger = Ledger(open_store(Settings.from_environment(os.environ).store()), pipeline).load()
    numbers = range(1, ledger.state.next_number)
    return TruthProof(
        produced=stack.arrived.total("good"),
        balance=total(item.balance for item in map(ledger.entry, numbers) if isinstance(item, entries.Window)),
        coverage=coverage,
        joined=stack.arize.join_counts(coverage.model),
        days={date.fromisoformat(item["day"]): _counts(item) for item in stack.arize.join_days(coverage.model)},
    )


def _told(actuals: int, matched: int, unmatched: int, with_truth: int) -> str:
    words = f"{actuals:,} actuals = {matched:,} matched + {unmatched:,} unmatched"
    return f"{words}; predictions with their truth: {with_truth:,}"


def _counts(item: dict[str, Any]) -> tuple[int, int]:
    return item["predictions"], item["with_truth"]
