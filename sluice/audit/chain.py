"""Whether the next entry of the log goes on where the ones before it ended: no gap, no overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sluice.audit.findings import COMPARE, Check, Finding
from sluice.errors import LedgerDamaged
from sluice.ledger import LedgerState, Position, coverage
from sluice.ledger.entries import Claim, Entry, Genesis, Pin, Skip, Window, parse_ranges
from sluice.ledger.state import fold
from sluice.offsets import OffsetRange, Partition

Places = Sequence[tuple[OffsetRange, str | None]]
_TWICE: Final = "Arize may count these rows twice: compare what it holds for these offsets"


def check_entry(state: LedgerState, entry: Entry) -> Iterator[Finding]:
    """Check the entry that takes the next number of a ledger that stands here; derived ones: `check_derived`."""
    match entry:
        case Genesis():
            yield _found(state, "is a second genesis")
        case Pin():
            for topic in entry.topics:
                if topic.topic in state.topics:
                    yield _found(state, f"takes up {topic.topic}, which the ledger has taken up before")
        case Window() | Skip():
            yield from _check_places(state, places_of(entry))
        case Claim():
            yield from _check_claim(state, entry)


def folded(state: LedgerState, entry: Entry) -> LedgerState:
    """Return the state behind an entry, whatever is wrong with it, so that what comes behind can be looked at.

    One that does not start where the ledger stands moves it all the same; one that cannot be is passed over.
    """
    if isinstance(entry, Pin) and any(item.topic in state.topics for item in entry.topics):
        return passed(state)
    try:
        return fold(state, entry)
    except LedgerDamaged:
        places = places_of(entry)
    try:
        return fold(_standing_at_starts(state, places), entry)
    except LedgerDamaged:
        return passed(state)


def passed(state: LedgerState) -> LedgerState:
    """Return the state behind an entry that is missing, or cannot be."""
    return replace(state, next_number=state.next_number + 1)


def places_of(entry: Entry) -> Places:
    """The ranges that move positions, with the topic's id where the entry says it."""
    match entry:
        case Window():
            return [(item.range, item.topic_id) for item in entry.ranges]
        case Skip():
            return [(item, None) for item in parse_ranges(entry.ranges)]
    return []


def _check_places(state: LedgerState, places: Places) -> Iterator[Finding]:
    seen: set[Partition] = set()
    for item, topic_id in places:
        stands = _stands(state, item.partition)
        if item.partition.topic not in state.topics:
            yield _found(state, "is of a topic that the ledger has never taken up", at=item)
        elif topic_id not in (None, state.topics[item.partition.topic]):
            yield _found(state, f"is of another topic of that name: its id is {topic_id}", at=item)
        elif item.partition in seen:
            yield _found(state, "names a partition twice", at=item)
        elif item.start > stands:
            gap = OffsetRange(item.partition, stands, item.start)
            yield _found(state, f"leaves a gap: {gap.span:,} offsets before it are in no entry", at=gap)
        elif item.start < stands:
            twice = OffsetRange(item.partition, item.start, max(item.start, min(item.stop, stands)))
            yield _found(state, f"takes {twice.span:,} offsets that an entry before it has", at=twice, then=_TWICE)
        seen.add(item.partition)


def _check_claim(state: LedgerState, entry: Claim) -> Iterator[Finding]:
    ranges = [item for window in entry.windows for item in parse_ranges(window.ranges)]
    taken: coverage.Coverage = coverage.add({}, (item for claim in state.claims.values() for item in claim.in_hand))
    known = state.covered
    if entry.again:
        known = state.went.closed_to(entry.request, {item.partition for item in ranges})
    for item in ranges:
        if item.partition.topic not in state.topics or item.stop > _stands(state, item.partition):
            yield _found(state, "claims offsets behind the ledger's position, which are ingest's", "claim", item)
        for twice in coverage.present(taken, item):
            yield _found(state, "claims offsets that a claim has in hand", "claim", twice, _TWICE)
        for twice in coverage.present(known, item):
            words = "that its own request took, or may not take, again" if entry.again else "that an entry has"
            yield _found(state, f"claims offsets {words}", "claim", twice, _TWICE)
        taken = coverage.add(taken, [item])


def _stands(state: LedgerState, partition: Partition) -> int:
    return state.position(partition).offset if partition.topic in state.topics else 0


def _standing_at_starts(state: LedgerState, places: Places) -> LedgerState:
    """Let a ledger stand where an entry starts."""
    topics = {item.partition.topic: topic_id for item, topic_id in places if topic_id is not None}
    before = state.next_number - 1
    positions = {item.partition: Position(offset=item.start, entry=before) for item, _ in places}
    return replace(state, topics={**state.topics, **topics}, positions={**state.positions, **positions})


def _found(
    state: LedgerState, what: str, check: Check = "chain", at: OffsetRange | None = None, then: str = COMPARE
) -> Finding:
    return Finding(severity="error", check=check, what=what, entry=state.next_number, range=at, next_step=then)
