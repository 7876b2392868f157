"""What a run of actuals does behind its last window: match them with the predictions, and tell the coverage."""

from __future__ import annotations

from prefect import task
from prefect.logging import get_run_logger

from sluice.coverage import check_days, coverage_of
from sluice.errors import SluiceError
from sluice.ground_truth.report import CoverageReport
from sluice.report import RunReport
from sluice.run import Run
from tasks.coverage_pages import publish_coverage
from tasks.emitting import tell_of_coverage
from tasks.open_runs import open_run
from tasks.verbs import RETRIED


@task(**RETRIED, task_run_name="match with predictions")
def measure_coverage(run_id: str, days: int | None) -> CoverageReport:
    """Match actuals with delivered predictions, and publish what was found."""
    found = coverage_of(open_run(run_id), days)
    publish_coverage(found)
    return found


class WithCoverage:
    """Adds the coverage to a run that is over; whatever fails there, the delivery stands.

    Args:
        days: how far back it looks; None: see `Pipeline.look_back_days`.
    """

    def __init__(self, days: int | None) -> None:
        self._days = days

    def check(self, run: Run) -> None:
        """Check how far back it is to look; see `check_days`."""
        check_days(run.pipeline, self._days)

    def tell(self, run: Run, report: RunReport) -> RunReport:
        """Publish the coverage, and say in notes of the report what it is, and what waits for its predictions."""
        if run.predictions is None:
            return report.with_note(f"Coverage is not known: {run.pipeline.name} does not name its `predictions`")
        if run.waits_from is not None:
            since = run.waits_from.isoformat(timespec="seconds")
            report = report.with_note(f"Actuals from {since} on wait: {run.predictions.name} is delivered up to then")
        try:
            found = measure_coverage(run.run_id, self._days)
        except SluiceError as error:
            get_run_logger().warning("Coverage is not known: %s", error)
            return report.ended_by(error) if report.state == "done" else report
        tell_of_coverage(found)
        return report.with_note(found.verdict[0].upper() + found.verdict[1:])
