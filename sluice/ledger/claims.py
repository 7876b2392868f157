"""A claim and its slots: what is decided, and what of it waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sluice.ledger.entries import Claim, Slot, VoidSlot, parse_ranges
from sluice.offsets import OffsetRange, remainder

Ranges = tuple[OffsetRange, ...]


def span_of(windows: Iterable[Ranges]) -> int:
    """Count the offsets of some windows."""
    return sum(item.span for ranges in windows for item in ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenClaim:
    """A claim of which something is not decided, or not settled.

    A window whose read was cut short is sealed as far as it came; what is left of it is another slot, whose number is
    higher by the number of the claim's windows. So whoever goes on finds the same slots.

    Attributes:
        undecided: by slot, what it is to take.
        left: offsets of these.
        unsettled: sealed slots that wait for delivery, or for a person.
        ended: slots that a derived entry took over.
    """

    entry: Claim
    undecided: Mapping[int, Ranges]
    left: int
    unsettled: frozenset[int] = frozenset()
    ended: frozenset[int] = field(default=frozenset())

    @classmethod
    def of(cls, entry: Claim) -> OpenClaim:
        undecided = {at: parse_ranges(item.ranges) for at, item in enumerate(entry.windows)}
        return cls(entry=entry, undecided=undecided, left=span_of(undecided.values()))

    @property
    def is_over(self) -> bool:
        return not self.undecided and not self.unsettled

    def unknown(self, slots: Iterable[int]) -> list[int]:
        """Return those of some slots that are not decided, as far as this claim knows."""
        windows = len(self.entry.windows)
        first_undecided = {slot % windows: slot for slot in self.undecided}  # one a window: it goes on where it was cut
        return [slot for slot in slots if slot >= first_undecided.get(slot % windows, slot + 1)]

    @property
    def in_hand(self) -> tuple[OffsetRange, ...]:
        """What nobody else may claim."""
        return tuple(item for ranges in self.undecided.values() for item in ranges)

    def decided(self, slot: Slot | VoidSlot) -> OpenClaim:
        """Return the claim with one more slot decided; one that is known already changes nothing."""
        if slot.slot not in self.undecided:
            return self
        undecided = dict(self.undecided)
        planned = undecided.pop(slot.slot)
        after = replace(self, undecided=undecided, left=self.left - span_of([planned]))
        if isinstance(slot, VoidSlot):
            return after
        if left := remainder(planned, [item.range for item in slot.ranges]):
            undecided[slot.slot + len(self.entry.windows)] = left
            after = replace(after, left=after.left + span_of([left]))
        waits = bool(slot.parts or slot.held) and slot.slot not in self.ended
        unsettled = self.unsettled | {slot.slot} if waits else self.unsettled
        return replace(after, unsettled=unsettled)

    def settled(self, slots: Iterable[int]) -> OpenClaim:
        return replace(self, unsettled=self.unsettled - set(slots))

    def ended_by_another(self, slot: int) -> OpenClaim:
        """Return the claim where a derived entry has taken a slot over."""
        return replace(self, unsettled=self.unsettled - {slot}, ended=self.ended | {slot})
