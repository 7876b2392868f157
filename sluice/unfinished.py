"""What earlier runs sealed, with the receipts that there are."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.ledger import Ledger, OpenEntry
from sluice.ledger.deliveries import Deliveries, End, PartName
from sluice.receipts import Receipt
from sluice.report import WindowReport


def settle(ledger: Ledger, deliveries: Deliveries) -> tuple[WindowReport, ...]:
    """Settle the entries that turn out to be delivered, and return those that wait for it."""
    reports = reports_of(ledger.state.open, deliveries)
    ledger.settle([item.number for item in reports if item.is_settled])
    return tuple(item for item in reports if not item.is_settled and not item.entry.held)


def reports_of(entries: Mapping[int, OpenEntry], deliveries: Deliveries) -> tuple[WindowReport, ...]:
    """Describe sealed entries by what their deliveries show, in the order of their numbers."""
    ends = deliveries.ends({number: item.entry.id for number, item in entries.items()})
    return tuple(_report(item, ends[number]) for number, item in sorted(entries.items()))


def _report(item: OpenEntry, ends: Mapping[int, End]) -> WindowReport:
    receipts = (
        Receipt.of(PartName.of(item.number, item.entry, part), end, item.entry.parts[part].rows, sent=False)
        for part, end in sorted(ends.items())
    )
    return WindowReport(number=item.number, entry=item.entry, sealed_here=False, receipts=tuple(receipts))
