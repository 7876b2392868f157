"""Where a ledger stands: a pure fold over its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sluice.errors import LedgerDamaged
from sluice.ledger import coverage
from sluice.ledger.claims import OpenClaim
from sluice.ledger.entries import (
    Claim,
    Derived,
    Entry,
    Genesis,
    Pin,
    Sealed,
    Skip,
    Slot,
    TopicStart,
    VoidSlot,
    Window,
    parse_ranges,
)
from sluice.ledger.names import EntryName
from sluice.ledger.once_more import OnceMore
from sluice.ledger.went import Sent, Went
from sluice.offsets import OffsetRange, Partition

_ENDS_A_HELD_ENTRY = ("deliver", "redo", "drop")
_TAKES_OVER = (*_ENDS_A_HELD_ENTRY, "redeliver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The next offset of a partition, and the number of the entry that brought the ledger there."""

    offset: int
    entry: int
    leader_epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    """A sealed entry that is not known to be settled.

    Attributes:
        before: the position of each of its partitions before it: so far the group may go, and no further.
    """

    number: int
    entry: Sealed
    before: Mapping[Partition, Position]

    @property
    def holds_up_nothing(self) -> bool:
        """Whether the group may go past its ranges before it is delivered: they were delivered before, or by a slot."""
        return not self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """Where a ledger stands after its entry `next_number - 1`.

    Attributes:
        topics: topic ids.
        starts: the first offset of each partition that genesis or a pin named.
        positions: where each partition that was ever touched stands; ask `position`.
        open: entries not known to be settled, by number.
        claims: claims of which something is not known to be decided and settled, by number.
        covered: what is in an entry or a slot that is known, as merged ranges.
        backfilled: of those, what is in a slot of a claim.
        dropped: of what is covered, what was held, and a person let go of, unless a backfill took it again.
        went: where what is covered went.
        once_more: what derived entries took of earlier ones, on purpose.
    """

    ledger_id: str
    pipeline: str
    next_number: int
    topics: Mapping[str, str]
    starts: Mapping[Partition, int]
    positions: Mapping[Partition, Position]
    open: Mapping[int, OpenEntry] = field(default_factory=dict)
    claims: Mapping[int, OpenClaim] = field(default_factory=dict)
    covered: Mapping[Partition, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    backfilled: Mapping[Partition, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    dropped: Mapping[Partition, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    went: Went = field(default_factory=Went)
    once_more: OnceMore = field(default_factory=OnceMore)

    @classmethod
    def begin(cls, genesis: Genesis) -> LedgerState:
        empty = cls(ledger_id=genesis.id, pipeline=genesis.pipeline, next_number=1, topics={}, starts={}, positions={})
        return _pinned(empty, genesis.topics, 0)

    def position(self, partition: Partition) -> Position:
        """Return where the partition stands; one that nobody named yet stands at 0.

        Raises:
            KeyError: its topic was never pinned.
        """
        if partition.topic not in self.topics:
            raise KeyError(partition.topic)
        return self.positions.get(partition) or Position(offset=0, entry=0)

    def continues(self, entry: Sealed) -> bool:
        """Whether each range of a window starts where the ledger stands."""
        return all(
            item.topic in self.topics
            and item.topic_id == self.topics[item.topic]
            and self.position(item.range.partition).offset == item.start
            for item in entry.ranges
        )

    @property
    def held(self) -> tuple[OpenEntry, ...]:
        """The entries that wait for a person's word on their rejected share."""
        return tuple(item for item in self.open.values() if item.entry.held)

    @property
    def holding_up(self) -> tuple[OpenEntry, ...]:
        """Those behind which nothing is planned: windows, and what was made of them; not what came of a backfill."""
        return tuple(item for item in self.held if not item.holds_up_nothing)

    def committable(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        """Return how far the group may go: to the first open entry of each partition, or to where the ledger stands."""
        found = {partition: self.position(partition) for partition in partitions}
        for number in sorted(self.open, reverse=True):
            found |= {key: value for key, value in self.open[number].before.items() if key in found}
        return found

    def settle(self, numbers: Iterable[EntryName]) -> LedgerState:
        gone = set(numbers)
        return replace(self, open={number: item for number, item in self.open.items() if number not in gone})

    def with_claim(self, number: int, claim: OpenClaim) -> LedgerState:
        """Return the state with a claim as it stands now; one that is over is let go of."""
        others = {key: value for key, value in self.claims.items() if key != number}
        return replace(self, claims=others if claim.is_over else {**others, number: claim})


def fold(state: LedgerState, entry: Entry) -> LedgerState:
    """Return the state behind the next entry.

    Raises:
        LedgerDamaged: the entry does not continue the chain.
    """
    return replace(_after(state, entry, state.next_number), next_number=state.next_number + 1)


def _after(state: LedgerState, entry: Entry, number: int) -> LedgerState:
    match entry:
        case Genesis():
            raise LedgerDamaged(f"Entry {number} of {state.pipeline} is a second genesis")
        case Pin():
            return _pinned(state, entry.topics, number)
        case Window():
            return _with_window(state, entry, number)
        case Derived():
            return _with_derived(state, entry, number)
        case Skip():
            return _with_skip(state, entry, number)
        case Claim():
            after = state.with_claim(number, OpenClaim.of(entry))
            return replace(after, went=after.went.with_request(entry.request, _ends(state))) if entry.again else after


def _ends(state: LedgerState) -> dict[Partition, int]:
    return {partition: at.offset for partition, at in state.positions.items()}


def fold_slot(state: LedgerState, slot: Slot | VoidSlot) -> LedgerState:
    """Return the state with one more slot of an open claim decided; a slot that is known already changes nothing."""
    claim = state.claims.get(slot.claim)
    if claim is None or slot.slot not in claim.undecided:
        return state
    after = state.with_claim(slot.claim, claim.decided(slot))
    if isinstance(slot, VoidSlot):
        return after
    ranges = [item.range for item in slot.ranges]
    to = Sent.to(slot.destination, version=claim.entry.version)
    return replace(
        after,
        covered=coverage.add(state.covered, ranges),
        backfilled=coverage.add(state.backfilled, ranges),
        dropped=coverage.without(state.dropped, ranges),
        went=state.went.with_again(slot.claim, claim.entry.request, to, ranges)
        if claim.entry.again
        else state.went.with_first(to, ranges),
    )


def _pinned(state: LedgerState, topics: Iterable[TopicStart], number: int) -> LedgerState:
    starts = {Partition(item.topic, at): offset for item in topics for at, offset in item.positions.items()}
    positions = {partition: Position(offset=offset, entry=number) for partition, offset in starts.items()}
    return replace(
        state,
        topics={**state.topics, **{item.topic: item.topic_id for item in topics}},
        starts={**state.starts, **starts},
        positions={**state.positions, **positions},
    )


def _with_window(state: LedgerState, entry: Window, number: int) -> LedgerState:
    if not state.continues(entry):
        raise LedgerDamaged(f"Entry {number} of {state.pipeline} does not start where the ledger stands")
    before = {item.range.partition: state.position(item.range.partition) for item in entry.ranges}
    reached = {
        item.range.partition: Position(
            offset=item.stop,
            entry=number,
            leader_epoch=before[item.range.partition].leader_epoch if item.leader_epoch is None else item.leader_epoch,
        )
        for item in entry.ranges
    }
    ranges = [item.range for item in entry.ranges]
    covered, went = coverage.add(state.covered, ranges), state.went.with_first(Sent.to(entry.destination), ranges)
    after = replace(state, positions={**state.positions, **reached}, covered=covered, went=went)
    return _opened(after, OpenEntry(number=number, entry=entry, before=before))


def _with_derived(state: LedgerState, entry: Derived, number: int) -> LedgerState:
    state = replace(state, once_more=state.once_more.with_entry(entry, number))
    if entry.is_once_more:
        to = Sent.to(entry.destination, version=entry.version)
        state = replace(state, went=state.went.with_derived(to, [item.range for item in entry.ranges]))
    if entry.purpose == "drop":
        state = replace(state, dropped=coverage.add(state.dropped, [item.range for item in entry.ranges]))
    if entry.slot is not None:
        return _with_derived_of_slot(state, entry, entry.slot, number)
    if entry.purpose == "redeliver":
        # Whether its origin is open depends on who looks: a word on it may have come first.
        before = state.open[entry.origin].before if entry.origin in state.open else {}
        return _opened(state.settle([entry.origin]), OpenEntry(number=number, entry=entry, before=before))
    if entry.purpose not in _ENDS_A_HELD_ENTRY:
        return _opened(state, OpenEntry(number=number, entry=entry, before={}))
    origin = state.open.get(entry.origin)
    if origin is None or not origin.entry.held:
        raise LedgerDamaged(f"Entry {number} of {state.pipeline} ends entry {entry.origin}, which is not held")
    return _opened(state.settle([entry.origin]), OpenEntry(number=number, entry=entry, before=origin.before))


def _with_derived_of_slot(state: LedgerState, entry: Derived, slot: int, number: int) -> LedgerState:
    claim = state.claims.get(entry.origin)
    if entry.purpose in _TAKES_OVER and claim is not None:
        state = state.with_claim(entry.origin, claim.ended_by_another(slot))
    return _opened(state, OpenEntry(number=number, entry=entry, before={}))


def _opened(state: LedgerState, item: OpenEntry) -> LedgerState:
    """Keep an entry open that has something to deliver, or that waits for a person."""
    if not item.entry.parts and not item.entry.held:
        return state
    return replace(state, open={**state.open, item.number: item})


def _with_skip(state: LedgerState, entry: Skip, number: int) -> LedgerState:
    reached: dict[Partition, Position] = {}
    for skipped in parse_ranges(entry.ranges):
        _check_skip(state, skipped, number)
        reached[skipped.partition] = Position(offset=skipped.stop, entry=number)
    return replace(state, positions={**state.positions, **reached})


def _check_skip(state: LedgerState, skipped: OffsetRange, number: int) -> None:
    if skipped.partition.topic not in state.topics or state.position(skipped.partition).offset != skipped.start:
        raise LedgerDamaged(f"Entry {number} of {state.pipeline} skips {skipped}, which is not where the ledger stands")
