"""A run of a pipeline inside a flow: its verbs as tasks, what is told of it, and the state that it ends in."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from sluice.checking import pipeline_called
from sluice.clock import timestamp
from sluice.connections import RunOptions
from sluice.errors import SluiceError
from sluice.ingest import ingest as drain
from sluice.opening import opened_run
from sluice.report import RunReport
from sluice.run import Run
from sluice.settings import Settings
from tasks.blocks import find_block
from tasks.emitting import tell_of_run, tell_of_window
from tasks.limits import slot_of
from tasks.open_runs import registered
from tasks.pace import shared_pace
from tasks.progress import PlannedProgress
from tasks.telling import Telling
from tasks.verbs import TaskVerbs

_reports: list[RunReport] = []


class Behind(Protocol):
    """What is done when all is delivered that can be, as long as everything is open."""

    def check(self, run: Run) -> None:
        """Raise what would stop it, before the run has read anything."""

    def tell(self, run: Run, report: RunReport) -> RunReport:
        """Return the report of the run with what is to be told besides."""


def run_and_tell(pipeline: str, options: RunOptions, behind: Behind | None = None) -> State[Any]:
    """Run a pipeline inside the flow that called, and return the state that this ends in."""
    report = RunReport(pipeline=pipeline, run_id=str(flow_run.id), started_at=timestamp(time.time()))
    _reports.clear()
    try:
        report = run_pipeline(report, options, behind)
    except SluiceError as error:
        report = report.ended_by(error)
    except Exception as error:
        tell_of_run(replace(report, state="failed", error=type(error).__name__))
        raise
    _reports.append(report)
    tell_of_run(report)
    return final_state(report)


def last_report() -> RunReport | None:
    """What the last run in this process did: for a caller whom Prefect, being gone, cannot tell."""
    return _reports[-1] if _reports else None


def run_pipeline(empty: RunReport, options: RunOptions, behind: Behind | None) -> RunReport:
    """Run a pipeline inside the flow that called, its verbs as tasks."""
    # Prefect hands the lines of its extra loggers on, and leaves their level at the root's, which lets no step through.
    logging.getLogger("sluice").setLevel(logging.INFO)
    settings = Settings.from_environment(os.environ, find_block)
    loaded = pipeline_called(empty.pipeline, settings)
    with (
        opened_run(loaded, settings, empty.run_id, options, shared_pace) as run,
        registered(run),
        slot_of(run.destination.space),
    ):
        name = run.pipeline.name
        verbs = Telling(TaskVerbs(run), partial(tell_of_window, name), PlannedProgress(name))
        if behind is not None:
            behind.check(run)
        report = drain(verbs, run.report(), parallel_windows=run.pipeline.limits.parallel_windows)
        return report if behind is None else behind.tell(run, report)


def final_state(report: RunReport, data: dict[str, Any] | None = None) -> State[Any]:
    """The state that a run ends in: red where a person is needed, its message being the next step.

    A failed one has no data: Prefect would take it for an exception, find that it is none, and log all of it.

    Args:
        data: what a run that is done returns; the report's own dict if left out.
    """
    match report.state:
        case "held":
            return Failed(name="Held", message=report.message)
        case "failed":
            return Failed(message=report.message)
        case "cancelled":
            return Cancelled(message=report.message)
        case "done":
            return Completed(message=_done(report), data=report.as_dict() if data is None else data)


def _done(report: RunReport) -> str:
    pending = sum(item.is_pending for item in report.windows)
    waits = f"; files that Arize has not settled yet: {pending}" if pending else ""
    told = f"{report.balance.arithmetic()}{waits}" if report.windows else "Nothing new"
    return told + "".join(f". {note}" for note in report.notes)
