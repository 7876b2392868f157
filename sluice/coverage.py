"""Coverage of a pipeline's predictions, from what is delivered by now. Nothing is changed; id files are made."""

from __future__ import annotations

from sluice.errors import WrongUse
from sluice.ground_truth.coverage import Coverage
from sluice.ground_truth.ids import own_columns
from sluice.ground_truth.matching import Side, match
from sluice.ground_truth.report import CoverageReport
from sluice.ledger import Ledger
from sluice.ledger.went import Sent
from sluice.pipeline import Pipeline
from sluice.run import Run
from sluice.staging import Staging
from sluice.steps import step


def check_days(pipeline: Pipeline, days: int | None) -> None:
    """Check how far back a coverage is to look.

    Raises:
        WrongUse: it is shorter than the joining window: what may still get its truth would not be looked at.
    """
    window = pipeline.policies.join_window_days
    if days is not None and days < window:
        raise WrongUse(
            f"A look-back of {days} days is shorter than the joining window of {window} (policies.join_window_days)",
            f"Look back {window} days or more",
        )


def coverage_of(run: Run, days: int | None = None) -> CoverageReport:
    """Match the actuals that a pipeline delivered with the predictions of the pipeline that it names.

    Args:
        run: of the actuals' pipeline.
        days: how far back it looks, no less than the joining window; None: see `Pipeline.look_back_days`.

    Raises:
        WrongUse: it names no pipeline of predictions, or the look-back is shorter than the joining window.
    """
    pipeline = run.pipeline
    check_days(pipeline, days)
    look_back = days or pipeline.look_back_days
    found = _matched(run, look_back)
    total = found.total
    step("coverage.told", pipeline=pipeline.name, predictions=total.delivered, with_actual=total.with_actual)
    return CoverageReport(
        pipeline=pipeline.name,
        predictions=_predictions(run).name,
        model=run.destination.model,
        environment=run.destination.environment,
        ledger_id=run.ledger.state.ledger_id if run.ledger.exists else None,
        written_at=run.now(),
        days=look_back,
        coverage=found,
        asked=pipeline.coverage,
    )


def _matched(run: Run, days: int) -> Coverage:
    ledger = Ledger(run.store, _predictions(run).name).load()
    return match(
        Side(store=run.store, ledger=ledger, staging=Staging(run.store, ledger.keys, run.scratch)),
        Side(store=run.store, ledger=run.ledger.load(), staging=run.staging),
        Sent.to(run.destination),
        now_s=int(run.epoch_s()),
        days=days,
        join_window_days=run.pipeline.policies.join_window_days,
        besides=own_columns(run.pipeline.columns()),
    )


def _predictions(run: Run) -> Pipeline:
    if run.predictions is None:
        raise WrongUse(
            f"{run.pipeline.name} does not name the pipeline of its predictions, so nothing can be matched",
            "Coverage is of a pipeline of actuals: name its file, and in it `predictions: <pipeline>`",
        )
    return run.predictions
