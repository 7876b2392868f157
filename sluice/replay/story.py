"""The story of a replay: entry by entry, seal what takes its rows out once more, deliver that, prove what was done.

The verbs are handed in, so that one story serves the flow, whose verbs are Prefect's tasks, and the bare library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from sluice.errors import SluiceError
from sluice.importing.settling import Settled
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName
from sluice.receipts import Receipt
from sluice.replay.report import Item, ReplayReport
from sluice.report import WindowReport

MOST_FAILURES: Final = 20  # what fails so often fails everywhere


class Verbs(Protocol):
    """What a replay can do; each hands over one small value."""

    @property
    def names(self) -> tuple[EntryName, ...]: ...
    def get_ready(self) -> None: ...
    def seal(self, name: EntryName) -> Item: ...
    def sealed(self, number: int) -> Sealed: ...
    def deliver(self, number: int, part: int) -> Receipt: ...
    def settle(self, numbers: Sequence[int], *, patience: bool) -> Settled: ...
    def done(self, number: int) -> None: ...
    def record(self, report: ReplayReport) -> None: ...


def replay(verbs: Verbs, report: ReplayReport) -> ReplayReport:
    """Run a replay once and return what it did: one window in hand at a time, and an entry that fails keeps no other.

    Args:
        report: of a run that has done nothing yet.
    """
    try:
        verbs.get_ready()
        for name in verbs.names:
            if len(report.problems) < MOST_FAILURES:
                report = _brought_out(verbs, report, name)
        report = _settled(verbs, report)
    except SluiceError as error:
        report = report.ended_by(error)
    report = report.ended()
    verbs.record(report)
    return report


def _brought_out(verbs: Verbs, report: ReplayReport, name: EntryName) -> ReplayReport:
    try:
        item = verbs.seal(name)
    except SluiceError as error:
        return report.with_item(Item(name=name, error=error))
    for number in item.entries:
        window = WindowReport(number=number, entry=verbs.sealed(number), sealed_here=number in item.sealed)
        try:
            for part in range(len(window.entry.parts)):
                window = replace(window, receipts=(*window.receipts, verbs.deliver(number, part)))
        except SluiceError as error:
            item = replace(item, error=item.error or error)
        report = report.with_window(window)
        if window.is_settled:
            verbs.done(number)
    return report.with_item(item)


def _settled(verbs: Verbs, report: ReplayReport) -> ReplayReport:
    """Ask what became of the files in hand."""
    pending = [item.number for item in report.run.windows if item.is_pending and isinstance(item.number, int)]
    if not pending:
        return report
    found = verbs.settle(pending, patience=True)
    run = replace(report.run, notes=(*report.run.notes, *found.notes))
    for receipt in found.receipts:
        run = run.with_receipt(receipt)
        if isinstance(receipt.entry, int):
            verbs.done(receipt.entry)
    report = replace(report, run=run)
    return report.ended_by(found.problem) if found.problem is not None else report
