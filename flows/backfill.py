"""Backfill: take historical offsets in many windows, several at once, on as many workers as there are."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.runtime import deployment, flow_run
from prefect.states import Completed
from pydantic import Field

from flows.backfill_opening import Terms, opened_backfill
from flows.running import final_state
from sluice.backfill.estimate import described
from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request
from sluice.backfill.story import backfill as take
from sluice.backfill.work import Backfill
from sluice.clock import timestamp
from sluice.errors import SluiceError, WrongUse
from sluice.offsets import OffsetRange, Partition
from sluice.report import RunReport
from sluice.run import Run
from sluice.settings import Settings
from sluice.words import counted
from tasks.backfill_pages import publish_backfill_plan
from tasks.backfill_verbs import BackfillVerbs
from tasks.blocks import find_block
from tasks.emitting import tell_of_run
from tasks.ending import Ending, EndingClock, until_told
from tasks.limits import slot_of
from tasks.links import given_parameters
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
    request = partial(Request, since=since, until=until, again=again, model=model, version=version)
    terms = Terms(
        reason=reason,
        newest_first=order == "newest first",
        stop_at_failure=on_failure == "stop",
        max_parallel=max_parallel,
        rows_per_second=rows_per_second,
    )
    ending = Ending()
    try:
        if not (reason or dry_run or cancel):
            raise WrongUse("A backfill is kept in the ledger, with its reason", "Give a reason")
        asked = request(offsets=_ranges(offsets or []), partitions=_partitions(partitions or []))
        settings = Settings.from_environment(os.environ, find_block)
        with opened_backfill(
            pipeline, asked, terms, settings, run.run_id, pace_of=shared_pace, clock=EndingClock(ending)
        ) as (open_run, work):
            if cancel:
                return _given_up(open_run, work, cancel)
            if dry_run:
                return _shown(open_run, work)
            return _taken(open_run, work, terms, ending, helpers=workers if where == "work_pool" else 0)
    except SluiceError as error:
        return _ended(empty.ended_by(error))
    except Exception as error:
        tell_of_run(replace(run, state="failed", error=type(error).__name__))
        raise


def last_report() -> BackfillReport | None:
    """What the last backfill in this process did: for a caller whom Prefect, being gone, cannot tell."""
    return _reports[-1] if _reports else None


def _given_up(run: Run, work: Backfill, claim: int) -> State[Any]:
    run.require_ledger()
    return Completed(message=f"{work.cancel([claim])} windows given up; what was sealed stays")


def _shown(run: Run, work: Backfill) -> State[Any]:
    found = described(run, work.plan(write=False))
    publish_backfill_plan(run, found, given_parameters())
    windows = counted(len(found["windows"]), "window")
    words = f"Would take {found['offsets']:,} offsets in {windows}; nothing was read or written"
    return Completed(message=words, data=found)


def _taken(run: Run, work: Backfill, terms: Terms, ending: Ending, *, helpers: int) -> State[Any]:
    """Take what was asked for. helpers: other runs, on the work pool."""
    with registered(run, work), slot_of(run.destination.space):
        verbs = BackfillVerbs(run, work, given_parameters(), ending)
        if helpers and verbs.claim():
            _ask_for_help(helpers)
        story = partial(
            take,
            verbs,
            BackfillReport(run=run.report()),
            max_parallel=terms.max_parallel,
            stop_at_failure=terms.stop_at_failure,
            is_over=ending.is_over,
        )
        return _ended(until_told(story, ending, begin=verbs.told_to_end, end=_ended))


def _ended(report: BackfillReport) -> State[Any]:
    _reports.clear()
    _reports.append(report)
    tell_of_run(report.run)
    return final_state(report.run, report.as_dict())


def _ask_for_help(helpers: int) -> None:
    """Have runs of the same deployment join the claim. Nobody waits for them: what one of them leaves, others take."""
    parameters = {**given_parameters(), "where": "here", "dry_run": False}
    name = f"backfill/{deployment.name or 'backfill'}"
    for number in range(helpers):
        run_deployment(name, parameters=parameters, timeout=0, idempotency_key=f"{flow_run.id}-{number}")


def _partitions(texts: list[str]) -> tuple[Partition, ...]:
    return tuple(item.partition for item in _ranges([f"{text} 0..0" for text in texts]))


def _ranges(texts: list[str]) -> tuple[OffsetRange, ...]:
    try:
        return tuple(OffsetRange.parse(text) for text in texts)
    except ValueError as error:
        raise WrongUse(str(error), "Write them as flights[0] 0..5000, and partitions as flights[0]") from None
