"""The story of an ingest run: finish what was sealed, then drain what was planned, in order, and prove it.

The verbs are handed in, so that one story serves the flow, whose verbs are Prefect's tasks, and the bare library.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from sluice.errors import Held, LedgerMoved, SluiceError
from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName
from sluice.offsets import OffsetRange
from sluice.planning import Plan
from sluice.receipts import Receipt
from sluice.report import Committed, RunReport, UnknownField, WindowReport

Ranges = tuple[OffsetRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a run has to do.

    Attributes:
        unfinished: entries that an earlier run sealed and did not bring to its end, with the receipts that there are.
        problem: why nothing can be planned behind what is unfinished; None where the plan holds.
    """

    plan: Plan
    unfinished: tuple[WindowReport, ...]
    problem: SluiceError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A window that was read and sealed.

    Attributes:
        left: what a read that was cut short left of the planned window; comes next, before the window behind it.
        held: why the window waits for a person; None where it goes out.
        unknown: fields of its events that the pipeline file does not know.
    """

    number: int
    entry: Sealed
    left: Ranges
    held: Held | None
    unknown: tuple[UnknownField, ...] = ()


class Verbs(Protocol):
    """What a run can do; each hands over one small value."""

    def plan(self) -> Planned: ...
    def stage(self, window: Ranges) -> Staged: ...
    def deliver(self, number: EntryName, part: int) -> Receipt: ...
    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled: ...
    def commit(self, settled: Sequence[EntryName]) -> Committed: ...
    def record(self, report: RunReport) -> None: ...


def ingest(verbs: Verbs, report: RunReport, *, parallel_windows: int) -> RunReport:
    """Run the pipeline once and return what it did.

    A run that is held or fails returns its report too: what was settled before is committed and recorded all the same.

    Args:
        report: of a run that has done nothing yet.
        parallel_windows: windows in hand at once, at most: the next is read while earlier ones are uploaded.
    """
    with _Deliveries(verbs, report, parallel_windows) as work:
        try:
            _drain(verbs, work)
            work.settle(patience=True)
        except SluiceError as error:
            work.finish(quietly=True)
            work.settle_quietly()
            work.report = work.report.ended_by(error)
        verbs.record(work.report)
        return work.report


def _drain(verbs: Verbs, work: _Deliveries) -> None:
    """Finish and drain, by as many plans as it takes: another run that goes on in the ledger makes one void.

    What holds up nobody comes last: a replay that Arize refuses keeps no new window.
    """
    while True:
        planned = verbs.plan()
        work.report = work.report.with_plan(planned.plan)
        first = [item for item in planned.unfinished if not item.holds_up_nothing]
        for unfinished in first:
            work.take(unfinished)
        work.finish()
        if first:
            work.settle(patience=False)
        is_over = planned.problem is not None or _drain_plan(verbs, work, planned.plan)
        work.finish()
        if is_over:
            break
    failed = work.take_each(item for item in planned.unfinished if item.holds_up_nothing)
    if problem := planned.problem or failed:
        raise problem


def _drain_plan(verbs: Verbs, work: _Deliveries, plan: Plan) -> bool:
    """Take the windows of a plan; return whether it held to the end."""
    windows, taken = deque(plan.windows), 0
    while windows and (plan.most is None or taken < plan.most):
        taken += 1
        try:
            staged = verbs.stage(windows.popleft())
        except LedgerMoved:
            return False
        if staged.left:
            windows.appendleft(staged.left)
        work.take(WindowReport(number=staged.number, entry=staged.entry, sealed_here=True, unknown=staged.unknown))
        if staged.held is not None:
            raise staged.held
    return True


class _Deliveries:
    """The windows in hand: their parts go out in threads; what is settled is committed between two reads."""

    def __init__(self, verbs: Verbs, report: RunReport, parallel_windows: int) -> None:
        self.report = report
        self._verbs = verbs
        self._most = parallel_windows
        self._threads = ThreadPoolExecutor(parallel_windows, thread_name_prefix="deliver")
        self._waiting: dict[Future[Receipt], EntryName] = {}

    def __enter__(self) -> _Deliveries:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def take(self, window: WindowReport) -> None:
        """Begin to deliver a window, as soon as there is room for it."""
        while len(set(self._waiting.values())) >= self._most or any(future.done() for future in self._waiting):
            self._collect()
        if any(item.number == window.number for item in self.report.windows):
            return
        self.report = self.report.with_window(window)
        if window.entry.held or window.is_settled:
            self._commit([])
            return
        there = {receipt.part for receipt in window.receipts}
        for part in range(len(window.entry.parts)):
            if part not in there:
                self._submit(window.number, part)

    def take_each(self, windows: Iterable[WindowReport]) -> SluiceError | None:
        """Deliver windows one by one, each whatever becomes of the others, and return the first error."""
        errors: list[SluiceError] = []
        for window in windows:
            try:
                self.take(window)
                self.finish()
            except SluiceError as error:
                errors.append(error)
        return next(iter(errors), None)

    def finish(self, *, quietly: bool = False) -> None:
        """Wait until everything in hand is delivered; then raise the first error, unless it is told to be quiet."""
        errors: list[SluiceError] = []
        while self._waiting:
            try:
                self._collect()
            except SluiceError as error:
                errors.append(error)
        if errors and not quietly:
            raise errors[0]

    def settle(self, *, patience: bool) -> None:
        """Ask what became of the files in hand, commit what is settled, and raise what a person must see to."""
        numbers = [item.number for item in self.report.windows if item.is_pending]
        if not numbers:
            return
        found = self._verbs.settle(numbers, patience=patience)
        self.report = replace(self.report, notes=found.notes)
        for receipt in found.receipts:
            self.report = self.report.with_receipt(receipt)
        if found.receipts:
            self._commit([item.number for item in self.report.windows if item.number in numbers and item.is_settled])
        if found.problem is not None:
            raise found.problem

    def settle_quietly(self) -> None:
        """The same once, in a run that has failed already."""
        with suppress(SluiceError):
            self.settle(patience=False)

    def _submit(self, number: EntryName, part: int) -> None:
        # A copy of the context goes along: whoever runs the verb finds there which run it belongs to.
        future = self._threads.submit(contextvars.copy_context().run, self._verbs.deliver, number, part)
        self._waiting[future] = number

    def _collect(self) -> None:
        """Wait for one part at least, and commit what it settled."""
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        future = next(item for item in self._waiting if item in done)  # the one that waits longest
        self._waiting.pop(future)
        receipt = future.result()
        self.report = self.report.with_receipt(receipt)
        window = next(item for item in self.report.windows if item.number == receipt.entry)
        if window.is_settled:
            self._commit([window.number])

    def _commit(self, settled: Sequence[EntryName]) -> None:
        self.report = self.report.with_commit(self._verbs.commit(settled))
