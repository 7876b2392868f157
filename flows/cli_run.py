"""The command `run`: through Prefect where an API is named, and by the library alone where none is."""

from __future__ import annotations

import argparse
from typing import Any

from flows.cli_opening import loaded, opened
from flows.cli_prefect import empty_report, is_recorded, result_of
from sluice.errors import SluiceError


def run_once(options: argparse.Namespace) -> dict[str, Any]:
    """Run a pipeline and return its report as a dict, whatever became of it."""
    return _run_with_prefect(options) if is_recorded(options) else _run_bare(options)


def _run_bare(options: argparse.Namespace) -> dict[str, Any]:
    """Run by the library's own verbs: no server, no artifacts; the ledger is the same."""
    from sluice.ingest import ingest

    report = empty_report(options)
    try:
        with opened(options, report.run_id) as work:
            report = ingest(work, work.report(), parallel_windows=work.pipeline.limits.parallel_windows)
    except SluiceError as error:
        report = report.ended_by(error)
    return report.as_dict()


def _run_with_prefect(options: argparse.Namespace) -> dict[str, Any]:
    from flows.ground_truth import ground_truth
    from flows.ingest import ingest
    from flows.running import last_report

    def start() -> Any:
        flow = ground_truth if _is_of_actuals(options) else ingest
        return flow(options.file, max_windows=options.max_windows, until=options.until, return_state=True)

    return result_of(start, last_report, empty_report(options))


def _is_of_actuals(options: argparse.Namespace) -> bool:
    """Whether a file is of actuals; of one that is wrong, its run tells."""
    try:
        return loaded(options).pipeline.kind == "actuals"
    except SluiceError:
        return False
