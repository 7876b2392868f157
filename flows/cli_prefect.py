"""A flow run from the command line: what it returned, or what is known where Prefect cannot say."""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flows.cli_opening import has_prefect
from sluice.errors import PrefectUnavailable

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from sluice.backfill.report import BackfillReport
    from sluice.replay.report import ReplayReport
    from sluice.report import RunReport

    Report = RunReport | BackfillReport | ReplayReport


def is_recorded(options: argparse.Namespace) -> bool:
    """Whether a Prefect API is named; without one, a server would be started for this run alone."""
    return not options.no_prefect and has_prefect()


def empty_report(options: argparse.Namespace) -> RunReport:
    from sluice.clock import timestamp
    from sluice.report import RunReport

    run_id = f"cli-{uuid.uuid4().hex[:12]}"
    return RunReport(pipeline=options.file, run_id=run_id, started_at=timestamp(time.time()))


def result_of(start: Callable[[], Any], last: Callable[[], Report | None], empty: Report) -> dict[str, Any]:
    """Run a flow, and return its report as a dict, whatever became of it.

    Args:
        start: runs it, and returns its final state.
        last: the report of the last run that has ended in this process: a state that failed returns none.
        empty: of a run that has done nothing.
    """
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    earlier = last()

    def ended() -> Report | None:
        """The report of this run; one that Prefect never let begin leaves that of an earlier run where it was."""
        return None if (report := last()) is earlier else report

    try:
        state = start()
        found = state.result(raise_on_failure=False)
    except (HTTPError, PrefectException, RuntimeError) as error:  # RuntimeError is how its client says "not reached"
        return _not_recorded(ended() or empty, error)
    if isinstance(found, dict):
        return found
    if report := ended():
        return report.as_dict()
    return empty.as_dict() | {"state": "failed", "exit_code": 1, "message": state.message or state.name}


def _not_recorded(report: Report, error: Exception) -> dict[str, Any]:
    """What a run did whose end Prefect could not be told; a run that Prefect never let begin has done nothing."""
    from sluice.report import RunReport

    gone = PrefectUnavailable(
        f"Prefect's API does not answer ({type(error).__name__})",
        "Is PREFECT_API_URL right, and the server up? Or run without it, with --no-prefect",
    )
    run = report if isinstance(report, RunReport) else report.run
    if run.planned or run.windows or run.error:
        return report.as_dict() | {"message": run.message or str(gone)}
    return report.ended_by(gone).as_dict()
