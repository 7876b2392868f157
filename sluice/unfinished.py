"""What earlier runs sealed, with the receipts that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries, End, PartName
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName, SlotName, in_order
from sluice.receipts import Receipt
from sluice.report import WindowReport


def settle(ledger: Ledger, deliveries: Deliveries) -> tuple[WindowReport, ...]:
    """Settle the entries that turn out to be delivered, and return those that wait for it."""
    opened = ledger.state.open
    reports = reports_of({number: item.entry for number, item in opened.items()}, deliveries)
    ledger.settle([item.number for item in reports if item.is_settled])
    behind = {number for number, item in opened.items() if item.holds_up_nothing}
    left = (item for item in reports if not item.is_settled and not item.entry.held)
    return tuple(replace(item, holds_up_nothing=item.number in behind) for item in left)


def settle_slots(ledger: Ledger, deliveries: Deliveries) -> None:
    """Settle the slots of open claims that turn out to be delivered."""
    reports = reports_of({name: ledger.sealed(name) for name in ledger.slots_waiting}, deliveries)
    ledger.settle_slots(item.number for item in reports if item.is_settled and isinstance(item.number, SlotName))


def reports_of(entries: Mapping[EntryName, Sealed], deliveries: Deliveries) -> tuple[WindowReport, ...]:
    """Describe what is sealed by what its deliveries show, in the order of names."""
    ends = deliveries.ends({name: entry.id for name, entry in entries.items()})
    return tuple(_report(name, entries[name], ends[name]) for name in sorted(entries, key=in_order))


def _report(name: EntryName, entry: Sealed, ends: Mapping[int, End]) -> WindowReport:
    receipts = (
        Receipt.of(PartName.of(name, entry, part), end, entry.parts[part].rows, sent=False)
        for part, end in sorted(ends.items())
    )
    return WindowReport(number=name, entry=entry, sealed_here=False, receipts=tuple(receipts))
