"""The tasks of a replay. Each opens nothing and decides nothing: it calls one verb of the library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from prefect import task

from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName, name_of
from sluice.receipts import Receipt
from sluice.replay.report import Item, ReplayReport
from sluice.replay.work import Replay
from sluice.report import WindowReport
from sluice.run import Run
from tasks.artifacts import rename_run
from tasks.emitting import tell_of_window
from tasks.open_runs import open_replay, open_run
from tasks.replay_links import link_that_runs
from tasks.replay_markdown import run_name
from tasks.replay_pages import publish_replay
from tasks.verbs import PLAIN, STAGING, deliver_part, settle_files

_SEALING: Final[dict[str, Any]] = {**STAGING, "task_run_name": "seal replay of {entry}"}


@task(**_SEALING)
def seal_replay(run_id: str, entry: str) -> Item:
    """Take the rows of an entry from where they are, to sealed; a retry finds what the try before it sealed."""
    return open_replay(run_id).seal(name_of(entry))


@task(**PLAIN, task_run_name="record")
def record_replay(run_id: str, report: ReplayReport, parameters: dict[str, Any]) -> None:
    """Publish what the replay did. Whatever fails here, the delivery stands."""
    run, work = open_run(run_id), open_replay(run_id)
    work.record(report)
    left = left_of(work.names, report)
    publish_replay(run, report, left=left, link=link_that_runs(parameters, left) if left else None)
    rename_run(run_name(report))


def left_of(names: Iterable[EntryName], report: ReplayReport) -> tuple[EntryName, ...]:
    """Return the entries that did not go, or were not tried."""
    done = {item.name for item in report.items if item.error is None}
    return tuple(name for name in names if name not in done)


class ReplayVerbs:
    """The verbs of a replay, those that take a while as Prefect's tasks; and word of each window, once it has arrived.

    Args:
        parameters: of the flow run, for the link that starts it again.
    """

    def __init__(self, run: Run, replay: Replay, parameters: dict[str, Any]) -> None:
        self._run_id = run.run_id
        self._replay = replay
        self._parameters = parameters
        self._pipeline = run.pipeline.name
        self._receipts: dict[int, dict[int, Receipt]] = {}

    @property
    def names(self) -> tuple[EntryName, ...]:
        return self._replay.names

    def get_ready(self) -> None:
        self._replay.get_ready()

    def seal(self, name: EntryName) -> Item:
        return seal_replay(self._run_id, str(name))

    def sealed(self, number: int) -> Sealed:
        return self._replay.sealed(number)

    def deliver(self, number: int, part: int) -> Receipt:
        receipt = deliver_part(self._run_id, number, part)
        self._note(number, receipt)
        return receipt

    def settle(self, numbers: Sequence[int], *, patience: bool) -> Settled:
        settled = settle_files(self._run_id, list(numbers), patience=patience)
        for receipt in settled.receipts:
            if isinstance(receipt.entry, int):
                self._note(receipt.entry, receipt)
        return settled

    def done(self, number: int) -> None:
        receipts = tuple(self._receipts.get(number, {}).values())
        window = WindowReport(number=number, entry=self.sealed(number), sealed_here=True, receipts=receipts)
        tell_of_window(self._pipeline, window)
        self._replay.done(number)

    def record(self, report: ReplayReport) -> None:
        record_replay(self._run_id, report, self._parameters)

    def _note(self, number: int, receipt: Receipt) -> None:
        self._receipts.setdefault(number, {})[receipt.part] = receipt
