"""What was sealed since the genesis, and what became of it, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from sluice.ledger.deliveries import End
from sluice.ledger.entries import Sealed, Slot, Window
from sluice.offsets import Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the genesis.

    Attributes:
        balance: of windows and of slots of claims.
        accepted, placed, dropped: rows of entries that are settled; also of what went out once more.
    """

    balance: Balance = field(default_factory=Balance)
    accepted: int = 0
    placed: int = 0
    dropped: int = 0

    @classmethod
    def of(cls, stored: Mapping[str, int]) -> Self:
        """Read what `as_dict` gave."""
        balance = Balance(**{name: stored.get(name, 0) for name in Balance().as_dict()})
        rows = {name: stored.get(f"rows_{name}", 0) for name in ("accepted", "placed", "dropped")}
        return cls(balance=balance, **rows)

    def with_entry(self, entry: Sealed) -> Self:
        """Return the totals with one more sealed entry; derived ones take no offsets of their own."""
        return replace(self, balance=self.balance + entry.balance) if isinstance(entry, Window | Slot) else self

    def with_ends(self, entry: Sealed, ends: Iterable[tuple[int, End]]) -> Self:
        """Return the totals with an entry that is settled."""
        rows = Counter[str]()
        for part, end in ends:
            rows[end.outcome.kind] += entry.parts[part].rows
        return replace(
            self,
            accepted=self.accepted + rows["accepted"],
            placed=self.placed + rows["placed"],
            dropped=self.dropped + rows["dropped"],
        )

    def as_dict(self) -> dict[str, int]:
        rows = {"rows_accepted": self.accepted, "rows_placed": self.placed, "rows_dropped": self.dropped}
        return {"offsets": self.balance.total, **self.balance.as_dict(), **rows}
