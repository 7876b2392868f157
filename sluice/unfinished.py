"""What earlier runs sealed, with the receipts that there are."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.ledger import OpenEntry
from sluice.ledger.deliveries import Accepted, Deliveries
from sluice.receipts import Receipt
from sluice.report import WindowReport


def reports_of(entries: Mapping[int, OpenEntry], deliveries: Deliveries) -> tuple[WindowReport, ...]:
    """Describe sealed entries by what their deliveries show, in the order of their numbers."""
    accepted = deliveries.accepted(entries)
    return tuple(_report(item, accepted[number]) for number, item in sorted(entries.items()))


def _report(item: OpenEntry, accepted: Mapping[int, Accepted]) -> WindowReport:
    receipts = (
        Receipt(
            entry=item.number,
            part=part,
            delivery=at.number,
            rows=item.entry.parts[part].rows,
            sent=False,
            unknown=at.unknown,
        )
        for part, at in sorted(accepted.items())
    )
    return WindowReport(number=item.number, entry=item.entry, sealed_here=False, receipts=tuple(receipts))
