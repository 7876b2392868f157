"""The tasks of a backfill. Each opens nothing and decides nothing: it calls one verb of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Ranges
from sluice.backfill.work import Backfill, Todo
from sluice.errors import BackfillCancelled
from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed, parse_ranges
from sluice.ledger.names import EntryName, SlotName
from sluice.receipts import Receipt
from sluice.report import WindowReport
from sluice.run import Run
from tasks.artifacts import name_run, publish_map, publish_report, rename_run
from tasks.backfill_pages import publish_failed, tell_way_on
from tasks.emitting import tell_of_window
from tasks.ending import Ending
from tasks.never_failing import never_failing
from tasks.open_runs import open_backfill, open_run
from tasks.progress import Progress
from tasks.verbs import PLAIN, STAGING


@task(**PLAIN, task_run_name="claim")
def claim_windows(run_id: str) -> tuple[int, ...]:
    """Join the open claims of the same backfill, or claim what is free."""
    return open_backfill(run_id).claim()


@task(**STAGING)
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
def record_backfill(run_id: str, report: BackfillReport, parameters: dict[str, Any], so_far: str) -> None:
    """Publish what the backfill did. Whatever fails here, the delivery stands."""
    run = open_run(run_id)
    open_backfill(run_id).record(report)
    publish_report(run, report.run)
    publish_map(run, report.run)
    publish_failed(run, report, parameters)
    if report.run.state == "cancelled":
        tell_way_on(report, parameters)
        rename_run(_name_of_cancelled(report.run.pipeline, so_far))
    else:
        name_run(report.run, "backfill of ")


def _name_of_cancelled(pipeline: str, so_far: str) -> str:
    return f"backfill of {pipeline} cancelled, {so_far}"


class BackfillVerbs:
    """The verbs of a backfill, those that take a while as Prefect's tasks.

    Args:
        parameters: of the flow run, for links that start it again.
        ending: asked for, it ends the run with its next look at the claims.
    """

    def __init__(self, run: Run, backfill: Backfill, parameters: dict[str, Any], ending: Ending) -> None:
        self._run_id = run.run_id
        self._backfill = backfill
        self._parameters = parameters
        self._ending = ending
        self._claims: tuple[int, ...] = ()
        self._progress = Progress(f"backfill-progress-{run.pipeline.name}")
        self._pipeline = run.pipeline.name
        self._told: set[EntryName] = set()

    def claim(self) -> tuple[int, ...]:
        if self._ending.is_asked_for:
            raise self._cancelled()
        self._claims = claim_windows(self._run_id)
        return self._claims

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
        self._progress.update(report.left)
        self._tell_of(report.run.windows[-1:])
        self._ending.look()

    def record(self, report: BackfillReport) -> None:
        self._tell_of(report.run.windows)
        self._progress.rest()
        record_backfill(self._run_id, report, self._parameters, self._progress.so_far(report.left))

    @never_failing
    def told_to_end(self) -> None:
        """Say at once how far the run has come: in its name, for whoever cancels it writes the state's message."""
        so_far = self._progress.so_far(self._backfill.left(self._claims))
        words = "the windows in hand are brought to their end, and no other is begun"
        get_run_logger().warning("Told to end, %s: %s", so_far, words)
        rename_run(_name_of_cancelled(self._pipeline, so_far))

    def _cancelled(self) -> BackfillCancelled:
        self._backfill.todo(self._claims)  # sees what others have sealed
        so_far = self._progress.so_far(self._backfill.left(self._claims))
        given_up = "".join(f"; to give up the rest: sluice backfill FILE --cancel {claim}" for claim in self._claims)
        return BackfillCancelled(
            f"This run of the backfill was cancelled, {so_far}", f"Start it again, and it goes on{given_up}"
        )

    def _tell_of(self, windows: Sequence[WindowReport]) -> None:
        """Tell of each window that is delivered, or held, once: a file is settled later than it is placed."""
        for window in windows:
            if window.number not in self._told and (window.entry.held or window.is_settled):
                self._told.add(window.number)
                tell_of_window(self._pipeline, window)
