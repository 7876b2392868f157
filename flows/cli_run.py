"""The command `run`: through Prefect where an API is named, and by the library alone where none is."""

from __future__ import annotations

import argparse
import time
import uuid
from typing import TYPE_CHECKING, Any

from flows.cli_opening import has_prefect, opened
from sluice.errors import PrefectUnavailable, SluiceError

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from sluice.report import RunReport


def run_once(options: argparse.Namespace) -> dict[str, Any]:
    """Run a pipeline and return its report as a dict, whatever became of it."""
    return _run_with_prefect(options) if _has_prefect(options) else _run_bare(options)


def _run_bare(options: argparse.Namespace) -> dict[str, Any]:
    """Run by the library's own verbs: no server, no artifacts; the ledger is the same."""
    from sluice.ingest import ingest

    report = _empty_report(options)
    try:
        with opened(options, report.run_id) as work:
            report = ingest(work, work.report(), parallel_windows=work.pipeline.limits.parallel_windows)
    except SluiceError as error:
        report = report.ended_by(error)
    return report.as_dict()


def _run_with_prefect(options: argparse.Namespace) -> dict[str, Any]:
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    from flows import ingest as flow

    try:
        state = flow.ingest(options.file, max_windows=options.max_windows, until=options.until, return_state=True)
        found = state.result(raise_on_failure=False)
    except (HTTPError, PrefectException, RuntimeError) as error:  # RuntimeError is how its client says "not reached"
        return _not_recorded(flow.last_report() or _empty_report(options), error)
    if isinstance(found, dict):
        return found
    return _empty_report(options).as_dict() | {
        "state": "failed",
        "exit_code": 1,
        "message": state.message or state.name,
    }


def _not_recorded(report: RunReport, error: Exception) -> dict[str, Any]:
    """What a run did whose end Prefect could not be told; a run that Prefect never let begin has done nothing."""
    gone = PrefectUnavailable(
        f"Prefect's API does not answer ({type(error).__name__})",
        "Is PREFECT_API_URL right, and the server up? Or run without it: sluice run FILE --no-prefect",
    )
    if report.planned or report.windows or report.error:
        return report.as_dict() | {"message": report.message or str(gone)}
    return report.ended_by(gone).as_dict()


def _empty_report(options: argparse.Namespace) -> RunReport:
    from sluice.clock import timestamp
    from sluice.report import RunReport

    run_id = f"cli-{uuid.uuid4().hex[:12]}"
    return RunReport(pipeline=options.file, run_id=run_id, started_at=timestamp(time.time()))


def _has_prefect(options: argparse.Namespace) -> bool:
    """Whether a Prefect API is named; without one, a server would be started for this run alone."""
    return not options.no_prefect and has_prefect()
