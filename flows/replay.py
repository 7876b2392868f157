"""Replay: bring out once more what entries delivered, with the proof that it is the same; or what they rejected."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.running import final_state
from sluice.checking import pipeline_called
from sluice.clock import timestamp
from sluice.errors import SluiceError, WrongUse
from sluice.ledger.names import EntryName, name_of
from sluice.opening import opened_run
from sluice.replay.report import ReplayReport
from sluice.replay.request import Request
from sluice.replay.story import replay as bring_out
from sluice.replay.work import Replay
from sluice.report import RunReport
from sluice.run import Run
from sluice.settings import Settings
from tasks.artifacts import rename_run
from tasks.blocks import find_block
from tasks.emitting import tell_of_run
from tasks.ledger_artifacts import check_page, read_page
from tasks.limits import slot_of
from tasks.links import given_parameters
from tasks.open_runs import registered
from tasks.pace import shared_pace
from tasks.replay_links import link_that_runs
from tasks.replay_markdown import plan_words, result_words, run_name
from tasks.replay_pages import publish_replay_plan
from tasks.replay_verbs import ReplayVerbs

_reports: list[ReplayReport] = []


@flow(name="replay", flow_run_name="replay {pipeline}", persist_result=False, retries=0)
def replay(
    pipeline: str,
    *,
    entries: list[str] | None = None,
    artifact: str = "",
    dry_run: bool = True,
    reason: str = "",
    what: Literal["rows", "rejected"] = "rows",
    source: Literal["either", "staged", "kafka"] = "either",
    model: str | None = None,
    version: str | None = None,
    path: Literal["sdk", "object_store"] | None = None,
    count_twice: bool = False,
    take_differences: bool = False,
) -> State[Any]:
    """Bring out once more what entries of a pipeline's ledger delivered, to another model or version, or where it was.

    Name the entries, or a ledger page that has them. A dry run shows what would go where and what Arize would count
    twice, and has the link that does it. The same replay started twice goes out once.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        entries: Numbers of entries, such as 12; of windows of a backfill, such as 12/3.
        artifact: In place of entries: a ledger page, by its link, its id, or its key, which means the newest.
        dry_run: Only show what would go out.
        reason: Why, in your words; kept in the ledger for ever, so no personal data.
        what: The rows that were delivered; or the rejected records that pass by the pipeline file of today.
        source: Where rows come from: the staged file; Kafka, which must give the same rows; or Kafka where the staged
            file is gone.
        model: Another model than the pipeline file's.
        version: This version of the model, for all rows.
        path: Another path than the pipeline file's.
        count_twice: Also where Arize has the rows and counts them twice; once for each reason.
        take_differences: Take the rows from Kafka though they are others than those that were delivered.
    """
    # Prefect hands the lines of its extra loggers on, and leaves their level at the root's, which lets no step through.
    logging.getLogger("sluice").setLevel(logging.INFO)
    run = RunReport(pipeline=pipeline, run_id=str(flow_run.id), started_at=timestamp(time.time()))
    empty = ReplayReport(run=run, is_trial=dry_run)
    try:
        request = Request(
            entries=_names(entries or []),
            what=what,
            source=source,
            model=model or None,
            version=version or None,
            path=path,
            count_twice=count_twice,
            take_differences=take_differences,
            reason=reason,
        )
        with _opened(empty, request, artifact.strip()) as asked:
            return _shown(asked) if dry_run else _ended(_brought_out(asked))
    except SluiceError as error:
        return _ended(empty.ended_by(error))
    except Exception as error:
        if not dry_run:
            tell_of_run(replace(run, state="failed", error=type(error).__name__))
        raise


def last_report() -> ReplayReport | None:
    """What the last replay in this process did: for a caller whom Prefect, being gone, cannot tell."""
    return _reports[-1] if _reports else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a person asks for, opened. notes: where the ledger says otherwise than the page that they named."""

    run: Run
    work: Replay
    request: Request
    notes: tuple[str, ...]
    parameters: dict[str, Any]

    @property
    def empty(self) -> ReplayReport:
        return ReplayReport(run=replace(self.run.report(), notes=self.notes))


@contextmanager
def _opened(empty: ReplayReport, request: Request, artifact: str) -> Iterator[_Asked]:
    if bool(artifact) == bool(request.entries):
        raise WrongUse("A replay is of entries, or of those on a ledger page", "Name either entries or an artifact")
    settings = Settings.from_environment(os.environ, find_block)
    loaded = request.aimed(pipeline_called(empty.run.pipeline, settings))
    page = read_page(artifact) if artifact else None
    with opened_run(loaded, settings, empty.run.run_id, None, shared_pace) as run:
        run.require_ledger(write=not empty.is_trial)
        notes = check_page(run, page) if page else ()
        request = replace(request, entries=page.names) if page else request
        parameters = {**given_parameters(), "pipeline": run.pipeline.name, "artifact": str(page.id) if page else ""}
        yield _Asked(run=run, work=Replay(run, request), request=request, notes=notes, parameters=parameters)


def _shown(asked: _Asked) -> State[Any]:
    report, twice = asked.work.plan(asked.empty), asked.request.count_twice
    able = [item.name for item in report.items if item.error is None]
    link = link_that_runs(asked.parameters, able) if able else None
    publish_replay_plan(asked.run, report, count_twice=twice, link=link)
    rename_run(run_name(report))
    return _final(report, plan_words(report, count_twice=twice))


def _brought_out(asked: _Asked) -> ReplayReport:
    with registered(asked.run, replay=asked.work), slot_of(asked.run.destination.space):
        return bring_out(ReplayVerbs(asked.run, asked.work, asked.parameters), asked.empty)


def _ended(report: ReplayReport) -> State[Any]:
    _reports.clear()
    _reports.append(report)
    if not report.is_trial:
        tell_of_run(report.run)
    return _final(report, result_words(report))


def _final(report: ReplayReport, words: str) -> State[Any]:
    told = words[0].upper() + words[1:] + "".join(f". {note}" for note in report.run.notes)
    if report.run.state == "done":
        return Completed(message=told, data=report.as_dict())
    message = f"{told}. First: {report.run.message}" if len(report.items) > 1 else report.run.message
    return final_state(replace(report.run, message=message))


def _names(texts: list[str]) -> tuple[EntryName, ...]:
    try:
        return tuple(name_of(text.strip()) for text in texts)
    except ValueError as error:
        raise WrongUse(str(error), "Write entries as 12, and windows of a backfill as 12/3") from None
