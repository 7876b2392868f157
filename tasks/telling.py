"""The verbs of a run, and beside them word of each window: once, as soon as it has come to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sluice.importing.settling import Settled
from sluice.ingest import Planned, Ranges, Staged, Verbs
from sluice.ledger.names import EntryName, in_order
from sluice.receipts import Receipt
from sluice.report import Committed, RunReport, WindowReport
from tasks.progress import PlannedProgress


class Telling:
    """Wraps the verbs of a run.

    Args:
        tell: is handed each window that is delivered, or held, when this run saw to it.
        progress: is told what is planned, and of each of these windows.
    """

    def __init__(self, verbs: Verbs, tell: Callable[[WindowReport], None], progress: PlannedProgress) -> None:
        self._verbs = verbs
        self._tell = tell
        self._progress = progress
        self._windows: dict[EntryName, WindowReport] = {}
        self._receipts: dict[tuple[EntryName, int], Receipt] = {}  # noted from threads, side by side
        self._told: set[EntryName] = set()

    def plan(self) -> Planned:
        planned = self._verbs.plan()
        self._progress.planned(planned)
        for window in planned.unfinished:
            self._windows[window.number] = window
            self._note(window.receipts)
        return planned

    def stage(self, window: Ranges) -> Staged:
        staged = self._verbs.stage(window)
        self._windows[staged.number] = WindowReport(number=staged.number, entry=staged.entry, sealed_here=True)
        return staged

    def deliver(self, number: EntryName, part: int) -> Receipt:
        receipt = self._verbs.deliver(number, part)
        self._note([receipt])
        return receipt

    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
        settled = self._verbs.settle(numbers, patience=patience)
        self._note(settled.receipts)
        return settled

    def commit(self, settled: Sequence[EntryName]) -> Committed:
        # Told before the commit: who dies in between is followed by a run that finds the window uncommitted, and tells
        # of it once more, by events of the same ids.
        self._tell_of_ended()
        return self._verbs.commit(settled)

    def record(self, report: RunReport) -> None:
        self._progress.bar.rest()
        self._verbs.record(report)

    def _note(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._receipts[receipt.entry, receipt.part] = receipt

    def _tell_of_ended(self) -> None:
        for number in sorted(self._windows.keys() - self._told, key=in_order):
            window = self._with_receipts(self._windows[number])
            if window.entry.held or window.is_settled:
                self._told.add(number)
                self._tell(window)
                self._progress.ended(window)

    def _with_receipts(self, window: WindowReport) -> WindowReport:
        named = ((window.number, part) for part in range(len(window.entry.parts)))
        return replace(window, receipts=tuple(self._receipts[name] for name in named if name in self._receipts))
