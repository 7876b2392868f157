"""Ingest: finish what was sealed, then drain each partition up to where it ends now, window by window."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from sluice.checking import pipeline_called
from sluice.clock import timestamp
from sluice.connections import RunOptions
from sluice.errors import SluiceError
from sluice.ingest import ingest as drain
from sluice.opening import opened_run
from sluice.report import RunReport
from sluice.settings import Settings
from tasks.blocks import find_block
from tasks.emitting import tell_of_run, tell_of_window
from tasks.limits import slot_of
from tasks.open_runs import registered
from tasks.pace import shared_pace
from tasks.telling import Telling
from tasks.verbs import TaskVerbs

_reports: list[RunReport] = []


@flow(name="ingest", flow_run_name="{pipeline}", persist_result=False, retries=0)
def ingest(
    pipeline: str, max_windows: Annotated[int, Field(ge=1)] | None = None, until: datetime | None = None
) -> State[Any]:
    """Move a pipeline's new offsets from Kafka to Arize: once, in bounded windows, and prove it.

    Every window is read, staged, sealed in the ledger, uploaded, and only then committed. A run that dies is finished
    by the next one. A run that ends as **Held** waits for a person: its message says what to do.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        max_windows: The largest number of windows that this run takes; None: as the pipeline file says.
        until: Only records from before this moment (Kafka's timestamp); None: all that there are.
    """
    report = RunReport(pipeline=pipeline, run_id=str(flow_run.id), started_at=timestamp(time.time()))
    _reports.clear()
    try:
        report = run_pipeline(report, RunOptions(max_windows=max_windows, until=until))
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


def run_pipeline(empty: RunReport, options: RunOptions) -> RunReport:
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
        verbs = Telling(TaskVerbs(run), partial(tell_of_window, run.pipeline.name))
        return drain(verbs, run.report(), parallel_windows=run.pipeline.limits.parallel_windows)


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
    waits += "".join(f". {note}" for note in report.notes)
    return f"{report.balance.arithmetic()}{waits}" if report.windows else "Nothing new"
