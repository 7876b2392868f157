"""The receipt of what settled a part."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.ledger.deliveries import End, PartName


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The delivery that settled a part.

    Attributes:
        rows: that Arize took; 0 where a person let go of them.
        dropped: rows that a person let go of.
        sent: whether this run sent it; False where it was found settled.
        unknown: how many other deliveries of the part have no known outcome: so often more may it be counted.
    """

    entry: int
    part: int
    delivery: int
    rows: int
    sent: bool
    dropped: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, name: PartName, end: End, rows: int, *, sent: bool) -> Receipt:
        """Return the receipt of a part with so many rows."""
        taken, dropped = (0, rows) if end.is_dropped else (rows, 0)
        return cls(
            entry=name.entry,
            part=name.part,
            delivery=end.number,
            rows=taken,
            dropped=dropped,
            sent=sent,
            unknown=end.unknown,
        )
