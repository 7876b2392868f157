"""The tasks of a run. Each opens nothing and decides nothing: it calls one verb of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task, exponential_backoff

from sluice.errors import LedgerMoved, SluiceError
from sluice.importing.settling import Settled
from sluice.ingest import Planned, Ranges, Staged
from sluice.ledger.entries import parse_ranges
from sluice.ledger.names import EntryName
from sluice.receipts import Receipt
from sluice.report import Committed, RunReport
from sluice.run import Run
from tasks.artifacts import name_run, publish_map, publish_plan, publish_report
from tasks.open_runs import open_run

PLAIN: Final[dict[str, Any]] = {"cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}


def is_worth_a_retry(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry what may pass by itself; a ledger that went on must be planned from again instead."""
    error = state.data
    return isinstance(error, SluiceError) and error.transient and not isinstance(error, LedgerMoved)


def _stage_name() -> str:
    """Name a stage by its slot, where it has one, and its first range: Prefect's lists are narrow."""
    given = task_run.parameters
    first, *others = given["ranges"]
    slot = f"{given['slot']}: " if "slot" in given else ""
    return f"stage {slot}{first}" + (f" and {len(others)} more" if others else "")


RETRIED: Final[dict[str, Any]] = {
    **PLAIN,
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_a_retry,
}
STAGING: Final[dict[str, Any]] = {**RETRIED, "task_run_name": _stage_name}


@task(**PLAIN, task_run_name="plan")
def plan_run(run_id: str) -> Planned:
    """Check where everything stands, plan, and publish the plan before anything is read."""
    run = open_run(run_id)
    planned = run.plan()
    publish_plan(run, planned)
    return planned


@task(**STAGING)
def stage_window(run_id: str, ranges: Sequence[str]) -> Staged:
    """Read a window, from reading to sealed."""
    return open_run(run_id).stage(parse_ranges(ranges))


@task(**PLAIN, task_run_name="deliver entry {entry} part {part}")
def deliver_part(run_id: str, entry: EntryName, part: int) -> Receipt:
    """Deliver a part. Prefect retries nothing here: only the library knows what became of a send."""
    return open_run(run_id).deliver(entry, part)


@task(**PLAIN, task_run_name="settle files")
def settle_files(run_id: str, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
    """Ask Arize what became of placed files."""
    return open_run(run_id).settle(numbers, patience=patience)


@task(**PLAIN, task_run_name="commit")
def commit_group(run_id: str, settled: Sequence[EntryName]) -> Committed:
    """Drive the consumer group to the end of what is contiguous and delivered."""
    return open_run(run_id).commit(settled)


@task(**PLAIN, task_run_name="record")
def record_run(run_id: str, report: RunReport) -> None:
    """Publish what the run did. Whatever fails here, the delivery stands."""
    run = open_run(run_id)
    run.record(report)
    publish_report(run, report)
    publish_map(run, report)
    name_run(report)


class TaskVerbs:
    """The verbs of a run as Prefect's tasks."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def plan(self) -> Planned:
        return plan_run(self._run.run_id)

    def stage(self, window: Ranges) -> Staged:
        return stage_window(self._run.run_id, [str(item) for item in window])

    def deliver(self, number: EntryName, part: int) -> Receipt:
        return deliver_part(self._run.run_id, number, part)

    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
        return settle_files(self._run.run_id, list(numbers), patience=patience)

    def commit(self, settled: Sequence[EntryName]) -> Committed:
        return commit_group(self._run.run_id, list(settled))

    def record(self, report: RunReport) -> None:
        record_run(self._run.run_id, report)
