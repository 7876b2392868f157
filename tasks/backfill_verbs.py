"""The tasks of a backfill. Each opens nothing and decides nothing: it calls one verb of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.runtime import task_run
from prefect.tasks import exponential_backoff

from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Ranges
from sluice.backfill.work import Backfill, Todo
from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed, parse_ranges
from sluice.ledger.names import EntryName, SlotName
from sluice.receipts import Receipt
from sluice.report import WindowReport
from sluice.run import Run
from tasks.artifacts import name_run, publish_map, publish_report
from tasks.backfill_pages import Progress, publish_failed
from tasks.emitting import tell_of_window
from tasks.open_runs import open_backfill, open_run
from tasks.verbs import PLAIN, is_worth_a_retry


@task(**PLAIN, task_run_name="claim")
def claim_windows(run_id: str) -> tuple[int, ...]:
    """Join the open claims of the same backfill, or claim what is free."""
    return open_backfill(run_id).claim()


def _stage_name() -> str:
    """Name a stage by its slot and its first range: Prefect's lists are narrow."""
    first, *others = task_run.parameters["ranges"]
    return f"stage {task_run.parameters['slot']}: {first}" + (f" and {len(others)} more" if others else "")


@task(
    **PLAIN,
    task_run_name=_stage_name,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_worth_a_retry,
)
def stage_slot(run_id: str, slot: str, ranges: Sequence[str]) -> Sealed | None:
    """Read a window of a claim, from reading to sealed."""
    return open_backfill(run_id).stage(SlotName.parse(slot), parse_ranges(ranges))


@task(**PLAIN, task_run_name="deliver {slot} part {part}")
def deliver_slot(run_id: str, slot: str, part: int) -> Receipt:
    """Deliver a part of a slot. Prefect retries nothing here: only the library knows what became of a send."""
    return open_backfill(run_id).deliver(SlotName.parse(slot), part)


@task(**PLAIN, task_run_name="settle files")
def settle_slots(run_id: str, slots: Sequence[str], *, patience: bool) -> Settled:
    """Ask Arize what became of placed files."""
    return open_backfill(run_id).settle([SlotName.parse(slot) for slot in slots], patience=patience)


@task(**PLAIN, task_run_name="record")
def record_backfill(run_id: str, report: BackfillReport, parameters: dict[str, Any]) -> None:
    """Publish what the backfill did. Whatever fails here, the delivery stands."""
    run = open_run(run_id)
    open_backfill(run_id).record(report)
    publish_report(run, report.run)
    publish_map(run, report.run)
    publish_failed(run, report, parameters)
    name_run(report.run, "backfill of ")


class BackfillVerbs:
    """The verbs of a backfill, those that take a while as Prefect's tasks.

    Args:
        parameters: of the flow run, for links that start it again.
    """

    def __init__(self, run: Run, backfill: Backfill, parameters: dict[str, Any]) -> None:
        self._run_id = run.run_id
        self._backfill = backfill
        self._parameters = parameters
        self._progress = Progress(run)
        self._pipeline = run.pipeline.name
        self._told: set[EntryName] = set()

    def claim(self) -> tuple[int, ...]:
        return claim_windows(self._run_id)

    def todo(self, claims: Sequence[int]) -> list[Todo]:
        return self._backfill.todo(claims)

    def get_ready(self, todo: Sequence[Todo]) -> None:
        self._backfill.get_ready(todo)
        self._progress.begin(sum(item.span for _, ranges in todo for item in ranges))

    def stage(self, name: SlotName, ranges: Ranges) -> Sealed | None:
        return stage_slot(self._run_id, str(name), [str(item) for item in ranges])

    def sealed(self, name: SlotName) -> Sealed:
        return self._backfill.sealed(name)

    def deliver(self, name: SlotName, part: int) -> Receipt:
        return deliver_slot(self._run_id, str(name), part)

    def settle(self, names: Sequence[SlotName], *, patience: bool) -> Settled:
        return settle_slots(self._run_id, [str(name) for name in names], patience=patience)

    def done(self, name: SlotName) -> None:
        self._backfill.done(name)

    def left(self, claims: Sequence[int]) -> int:
        return self._backfill.left(claims)

    def progress(self, report: BackfillReport) -> None:
        self._backfill.progress(report)
        self._progress.update(report)
        self._tell_of(report.run.windows[-1:])

    def record(self, report: BackfillReport) -> None:
        self._tell_of(report.run.windows)
        record_backfill(self._run_id, report, self._parameters)

    def _tell_of(self, windows: Sequence[WindowReport]) -> None:
        """Tell of each window that is delivered, or held, once: a file is settled later than it is placed."""
        for window in windows:
            if window.number not in self._told and (window.entry.held or window.is_settled):
                self._told.add(window.number)
                tell_of_window(self._pipeline, window)
