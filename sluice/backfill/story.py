"""The story of a backfill: claim, or help; seal and deliver slot by slot, several at once; prove what was done.

The verbs are handed in, so that one story serves the flow, whose verbs are Prefect's tasks, and the bare library.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from sluice.backfill.report import BackfillReport, Failure, ranges_of
from sluice.backfill.request import Ranges
from sluice.errors import SluiceError, WindowHeld
from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed
from sluice.ledger.log import next_step_of
from sluice.ledger.names import SlotName
from sluice.receipts import Receipt
from sluice.report import WindowReport

MOST_FAILURES: Final = 20  # what fails so often fails everywhere


class Verbs(Protocol):
    """What a backfill can do; each hands over one small value."""

    def claim(self) -> tuple[int, ...]: ...
    def todo(self, claims: Sequence[int]) -> list[tuple[SlotName, Ranges]]: ...
    def get_ready(self, todo: Sequence[tuple[SlotName, Ranges]]) -> None: ...
    def stage(self, name: SlotName, ranges: Ranges) -> Sealed | None: ...
    def sealed(self, name: SlotName) -> Sealed: ...
    def deliver(self, name: SlotName, part: int) -> Receipt: ...
    def settle(self, names: Sequence[SlotName], *, patience: bool) -> Settled: ...
    def done(self, name: SlotName) -> None: ...
    def left(self, claims: Sequence[int]) -> int: ...
    def progress(self, report: BackfillReport) -> None: ...
    def record(self, report: BackfillReport) -> None: ...


def backfill(
    verbs: Verbs,
    report: BackfillReport,
    *,
    max_parallel: int,
    stop_at_failure: bool = True,
    is_over: threading.Event | None = None,
) -> BackfillReport:
    """Run a backfill once and return what this run of it did.

    Args:
        report: of a run that has done nothing yet.
        max_parallel: windows in hand at once, at most.
        stop_at_failure: begin no other window once one has failed or is held; otherwise go on, and collect.
        is_over: set by whoever wants no other window to be begun; those in hand are brought to their end.
    """
    with _Work(verbs, report, max_parallel, is_over or threading.Event(), stop_at_failure=stop_at_failure) as work:
        try:
            while (claims := verbs.claim()) and work.takes(claims):
                work.drain()
            work.settle(patience=True)
        except SluiceError as error:
            with suppress(SluiceError):
                work.settle(patience=False)
            work.report = work.report.ended_by(error)
        work.end()
        verbs.record(work.report)
        return work.report


class _Work:
    """The slots in hand: each is staged, sealed and delivered by one thread."""

    def __init__(
        self,
        verbs: Verbs,
        report: BackfillReport,
        max_parallel: int,
        is_over: threading.Event,
        *,
        stop_at_failure: bool,
    ) -> None:
        self.report = report
        self._verbs = verbs
        self._stops = stop_at_failure
        self._threads = ThreadPoolExecutor(max_parallel, thread_name_prefix="backfill")
        self._todo: list[tuple[SlotName, Ranges]] = []
        self._tried: set[SlotName] = set()
        self._is_over = is_over

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def takes(self, claims: tuple[int, ...]) -> bool:
        """Find what this run has not tried yet; False where there is nothing, or it is to stop."""
        self.report = self.report.with_claims(claims)
        self._todo = (
            [] if self._is_over.is_set() else [item for item in self._verbs.todo(claims) if item[0] not in self._tried]
        )
        return bool(self._todo)

    def drain(self) -> None:
        self._verbs.get_ready(self._todo)
        futures: dict[Future[WindowReport | None], tuple[SlotName, Ranges]] = {}
        for name, ranges in self._todo:
            # A copy of the context goes along: whoever runs the verb finds there which run it belongs to.
            run = contextvars.copy_context().run
            futures[self._threads.submit(run, self._bring_to_its_end, name, ranges)] = name, ranges
        while futures:
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in [item for item in futures if item in done]:
                name, ranges = futures.pop(future)
                if not future.cancelled():
                    self._collect(future, name, ranges)
            if self._is_over.is_set():
                for future in [item for item in futures if item.cancel()]:
                    futures.pop(future)

    def settle(self, *, patience: bool) -> None:
        """Ask what became of the files in hand, and raise what a person must see to."""
        names = [item.number for item in self.report.run.windows if item.is_pending]
        pending = [name for name in names if isinstance(name, SlotName)]
        if not pending:
            return
        found = self._verbs.settle(pending, patience=patience)
        run = replace(self.report.run, notes=found.notes)
        for receipt in found.receipts:
            run = run.with_receipt(receipt)
            if isinstance(receipt.entry, SlotName):
                self._verbs.done(receipt.entry)
        self.report = replace(self.report, run=run).with_failed_files(found.failed)
        if found.problem is not None and not found.failed:
            raise found.problem

    def end(self) -> None:
        """Say how the run ended, unless an error said so."""
        self.report = replace(self.report, left=self._verbs.left(self.report.claims))
        if self.report.run.state == "done" and self.report.failed:
            self.report = self.report.ended_by(self.report.failed[0].error)
        elif self.report.run.state == "done" and self.report.held:
            self.report = self.report.ended_by(_held(self.report.held))

    def _bring_to_its_end(self, name: SlotName, ranges: Ranges) -> WindowReport | None:
        """Stage, seal and deliver a slot; without ranges it is sealed.

        None where another run has it in hand, or this one is to stop.
        """
        if self._is_over.is_set():
            return None
        try:
            window = self._brought(name, ranges)
        except SluiceError:
            if self._stops:
                self._is_over.set()  # here and not when it is collected: the next one would have begun
            raise
        if self._stops and window is not None and window.entry.held:
            self._is_over.set()
        return window

    def _brought(self, name: SlotName, ranges: Ranges) -> WindowReport | None:
        entry = self._verbs.stage(name, ranges) if ranges else self._verbs.sealed(name)
        if entry is None:
            return None
        window = WindowReport(number=name, entry=entry, sealed_here=bool(ranges))
        if entry.held:
            return window
        receipts = tuple(self._verbs.deliver(name, part) for part in range(len(entry.parts)))
        return replace(window, receipts=receipts)

    def _collect(self, future: Future[WindowReport | None], name: SlotName, ranges: Ranges) -> None:
        try:
            window = future.result()
        except SluiceError as error:
            self._tried.add(name)
            self.report = self.report.with_failure(Failure(name=name, ranges=ranges_of(ranges), error=error))
            if len(self.report.failed) >= MOST_FAILURES:
                self._is_over.set()
        else:
            if window is None:
                return  # by another run: it is looked at once more when nothing is left to seal
            self._tried.add(name)
            self.report = self.report.with_window(window)
            if window.is_settled:
                self._verbs.done(name)
        self.report = replace(self.report, left=self._verbs.left(self.report.claims))
        self._verbs.progress(self.report)


def _held(held: Sequence[WindowReport]) -> WindowHeld:
    first = held[0]
    return WindowHeld(
        f"{len(held)} windows of the backfill are held; entry {first.number} ({first.entry.shown}): {first.entry.held}",
        next_step_of(first.number, first.entry),
    )
