"""Backfill: take historical offsets in many windows, several at once, on as many workers as there are."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.runtime import deployment, flow_run
from prefect.states import Completed
from pydantic import Field
from pydantic_core import to_jsonable_python

from flows.ingest import final_state
from sluice.backfill.aim import aimed
from sluice.backfill.estimate import described
from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request
from sluice.backfill.story import backfill as take
from sluice.backfill.work import Backfill
from sluice.checking import pipeline_called
from sluice.clock import SystemClock, timestamp
from sluice.errors import SluiceError, WrongUse
from sluice.offsets import OffsetRange
from sluice.opening import opened_run
from sluice.pacing import OwnPace, unpaced
from sluice.report import RunReport
from sluice.run import Run
from sluice.settings import Settings
from sluice.words import counted
from tasks.backfill_pages import publish_backfill_plan
from tasks.backfill_verbs import BackfillVerbs
from tasks.blocks import find_block
from tasks.emitting import tell_of_run
from tasks.limits import slot_of
from tasks.open_runs import registered
from tasks.pace import shared_pace

Positive = Annotated[int, Field(ge=1)]
_reports: list[BackfillReport] = []


@flow(name="backfill", flow_run_name="backfill {pipeline}", persist_result=False, retries=0)
def backfill(
    pipeline: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    offsets: list[str] | None = None,
    partitions: list[str] | None = None,
    dry_run: bool = True,
    reason: str = "",
    order: Literal["oldest first", "newest first"] = "oldest first",
    on_failure: Literal["stop", "go on"] = "stop",
    max_parallel: Positive = 2,
    rows_per_second: Annotated[float, Field(gt=0)] | None = None,
    again: str = "",
    model: str | None = None,
    version: str | None = None,
    where: Literal["here", "work_pool"] = "here",
    workers: Positive = 2,
    cancel: int | None = None,
) -> State[Any]:
    """Take historical offsets of a pipeline's topics to Arize, without moving its consumer group.

    With neither times nor offsets it takes whatever the ledger misses. A dry run shows what it would take, and has the
    link that takes it. The same backfill started twice goes on, or helps.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        since: Records from this moment on (Kafka's timestamp).
        until: Records from before this moment.
        offsets: Ranges such as flights[0] 0..5000, in place of times.
        partitions: Only these, such as flights[0]; left out: all that the pipeline reads.
        dry_run: Only show what it would take.
        reason: Why, in your words; kept in the ledger for ever, so no personal data.
        order: Which windows go first.
        on_failure: Whether to begin other windows when one failed or is held.
        max_parallel: Windows at once, in each process.
        rows_per_second: Rows that each process sends at most; left out: as many as the space takes.
        again: Why offsets that are in the ledger already are taken once more. Arize counts them twice, unless they go
            to another model or version.
        model: Another model than the pipeline file's.
        version: This version of the model, for all rows.
        where: Only here, or with the help of other runs on the workers of the work pool.
        workers: Such other runs.
        cancel: The number of a claim: give up what nobody has sealed of it.
    """
    # Prefect hands the lines of its extra loggers on, and leaves their level at the root's, which lets no step through.
    logging.getLogger("sluice").setLevel(logging.INFO)
    run = RunReport(pipeline=pipeline, run_id=str(flow_run.id), started_at=timestamp(time.time()))
    empty = BackfillReport(run=run)
    try:
        request = Request(
            since=since,
            until=until,
            offsets=_ranges(offsets or []),
            partitions=tuple(item.partition for item in _ranges([f"{text} 0..0" for text in partitions or []])),
            again=again,
            model=model,
            version=version,
        )
        asked = _Asked(
            request=request,
            reason=reason,
            newest_first=order == "newest first",
            stop_at_failure=on_failure == "stop",
            max_parallel=max_parallel,
            rows_per_second=rows_per_second,
            helpers=workers if where == "work_pool" else 0,
        )
        with _opened(empty, asked) as (open_run, work):
            if cancel:
                return _cancelled(open_run, work, cancel)
            return _shown(open_run, work) if dry_run else _ended(_taken(open_run, work, asked))
    except SluiceError as error:
        return _ended(empty.ended_by(error))
    except Exception as error:
        tell_of_run(replace(run, state="failed", error=type(error).__name__))
        raise


def last_report() -> BackfillReport | None:
    """What the last backfill in this process did: for a caller whom Prefect, being gone, cannot tell."""
    return _reports[-1] if _reports else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a person asks for, and how it is to be done. helpers: other runs, on the work pool."""

    request: Request
    reason: str
    newest_first: bool
    stop_at_failure: bool
    max_parallel: int
    rows_per_second: float | None
    helpers: int


@contextmanager
def _opened(empty: BackfillReport, asked: _Asked) -> Iterator[tuple[Run, Backfill]]:
    settings = Settings.from_environment(os.environ, find_block)
    loaded = aimed(pipeline_called(empty.run.pipeline, settings), asked.request, max_parallel=asked.max_parallel)
    pace = OwnPace(asked.rows_per_second, SystemClock()) if asked.rows_per_second else unpaced
    with opened_run(loaded, settings, empty.run.run_id, None, shared_pace) as run:
        yield run, Backfill(run, asked.request, reason=asked.reason, newest_first=asked.newest_first, pace=pace)


def _cancelled(run: Run, work: Backfill, claim: int) -> State[Any]:
    run.require_ledger()
    return Completed(message=f"{work.cancel([claim])} windows given up; what was sealed stays")


def _shown(run: Run, work: Backfill) -> State[Any]:
    found = described(run, work.plan(write=False))
    publish_backfill_plan(run, found, _given())
    windows = counted(len(found["windows"]), "window")
    words = f"Would take {found['offsets']:,} offsets in {windows}; nothing was read or written"
    return Completed(message=words, data=found)


def _taken(run: Run, work: Backfill, asked: _Asked) -> BackfillReport:
    if not asked.reason:
        raise WrongUse("A backfill is kept in the ledger, with its reason", "Give a reason")
    with registered(run, work), slot_of(run.destination.space):
        verbs = BackfillVerbs(run, work, _given())
        if asked.helpers and verbs.claim():
            _ask_for_help(asked.helpers)
        empty = BackfillReport(run=run.report())
        return take(verbs, empty, max_parallel=asked.max_parallel, stop_at_failure=asked.stop_at_failure)


def _ended(report: BackfillReport) -> State[Any]:
    _reports.clear()
    _reports.append(report)
    tell_of_run(report.run)
    return final_state(report.run, report.as_dict())


def _given() -> dict[str, Any]:
    """The parameters of this run, as a form takes them."""
    given: dict[str, Any] = to_jsonable_python(dict(flow_run.parameters))
    return given


def _ask_for_help(helpers: int) -> None:
    """Have runs of the same deployment join the claim. Nobody waits for them: what one of them leaves, others take."""
    parameters = {**_given(), "where": "here", "dry_run": False}
    name = f"backfill/{deployment.name or 'backfill'}"
    for number in range(helpers):
        run_deployment(name, parameters=parameters, timeout=0, idempotency_key=f"{flow_run.id}-{number}")


def _ranges(texts: list[str]) -> tuple[OffsetRange, ...]:
    try:
        return tuple(OffsetRange.parse(text) for text in texts)
    except ValueError as error:
        raise WrongUse(str(error), "Write them as flights[0] 0..5000, and partitions as flights[0]") from None
