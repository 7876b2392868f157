"""Coverage of a pipeline's predictions, from what is delivered by now. Nothing is changed; id files are made."""

from __future__ import annotations

from sluice.errors import WrongUse
from sluice.ground_truth.ids import own_columns
from sluice.ground_truth.matching import Side, match
from sluice.ground_truth.report import Asked, CoverageReport
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
    pipeline, predictions = run.pipeline, run.predictions
    if predictions is None:
        raise WrongUse(
            f"{pipeline.name} does not name the pipeline of its predictions, so nothing can be matched",
            "Coverage is of a pipeline of actuals: name its file, and in it `predictions: <pipeline>`",
        )
    check_days(pipeline, days)
    window, look_back = pipeline.policies.join_window_days, days or pipeline.look_back_days
    run.ledger.load()
    ledger = Ledger(run.store, predictions.name).load()
    found = match(
        Side(store=run.store, ledger=ledger, staging=Staging(run.store, ledger.keys, run.scratch)),
        Side(store=run.store, ledger=run.ledger, staging=run.staging),
        Sent.to(run.destination),
        now_s=int(run.epoch_s()),
        days=look_back,
        join_window_days=window,
        besides=own_columns(pipeline.columns()),
    )
    asked = pipeline.coverage
    report = CoverageReport(
        pipeline=pipeline.name,
        predictions=predictions.name,
        model=run.destination.model,
        environment=run.destination.environment,
        ledger_id=run.ledger.state.ledger_id if run.ledger.exists else None,
        written_at=run.now(),
        days=look_back,
        coverage=found,
        asked=Asked(at_least=asked.at_least, after_days=asked.after_days) if asked else None,
    )
    total = found.total
    step("coverage.told", pipeline=pipeline.name, predictions=total.delivered, with_actual=total.with_actual)
    return report
