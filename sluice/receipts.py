"""The receipt of what settled a part."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.ledger.deliveries import End, PartName
from sluice.ledger.names import EntryName


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The delivery that settled a part.

    Attributes:
        rows: that Arize took; 0 where a person let go of them.
        dropped: rows that a person let go of.
        placed: rows of a file that is in its place, where nobody may ask Arize about it.
        is_pending: the file is in its place, and Arize has not said yet what became of it: nothing is settled.
        sent: whether this run sent it; False where it was found settled.
        unknown: how many other deliveries of the part have no known outcome: so often more may it be counted.
    """

    entry: EntryName
    part: int
    delivery: int
    rows: int
    sent: bool
    dropped: int = 0
    placed: int = 0
    is_pending: bool = False
    unknown: int = 0

    @classmethod
    def of(cls, name: PartName, end: End, rows: int, *, sent: bool) -> Receipt:
        """Return the receipt of a part with so many rows."""
        kind = end.outcome.kind
        return cls(
            entry=name.entry,
            part=name.part,
            delivery=end.number,
            rows=rows if kind == "accepted" else 0,
            dropped=rows if kind == "dropped" else 0,
            placed=rows if kind == "placed" else 0,
            sent=sent,
            unknown=end.unknown,
        )

    @classmethod
    def of_pending(cls, name: PartName, *, sent: bool) -> Receipt:
        """Return what is known of a file that is in its place and not settled."""
        return cls(entry=name.entry, part=name.part, delivery=0, rows=0, sent=sent, is_pending=True)
