"""What went out once more, by the entry or slot that it came from: replays, and rejected records that pass by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice.ledger.entries import Derived
from sluice.ledger.names import EntryName


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceMore:
    """What derived entries took of each origin.

    Attributes:
        replayed: by origin and target, the number of the entry that took its rows there.
        redeemed: by origin, the entries that took rejected records of it, by number, with how many.
        redelivered: by origin, the number of the entry that took its rows out as another file.
    """

    replayed: Mapping[EntryName, Mapping[str, int]] = field(default_factory=dict)
    redeemed: Mapping[EntryName, Mapping[int, int]] = field(default_factory=dict)
    redelivered: Mapping[EntryName, int] = field(default_factory=dict)

    def replays_of(self, origin: EntryName) -> Mapping[str, int]:
        return self.replayed.get(origin, {})

    def redeemed_of(self, origin: EntryName) -> Mapping[int, int]:
        return self.redeemed.get(origin, {})

    def goes_on_as(self, number: int) -> int:
        """Return the entry by which the rows of one go out: its own number, unless they went out as another file."""
        while number in self.redelivered:
            number = self.redelivered[number]
        return number

    def with_entry(self, entry: Derived, number: int) -> OnceMore:
        """Return the same with one more derived entry of the log; most change nothing."""
        origin = entry.origin_name
        if entry.purpose == "replay" and entry.target is not None:
            mine = {**self.replays_of(origin), entry.target: number}
            return replace(self, replayed={**self.replayed, origin: mine})
        if entry.purpose == "rejected":
            taken = {**self.redeemed_of(origin), number: entry.staged.rows if entry.staged else 0}
            return replace(self, redeemed={**self.redeemed, origin: taken})
        if entry.purpose == "redeliver":
            return replace(self, redelivered={**self.redelivered, origin: number})
        return self
