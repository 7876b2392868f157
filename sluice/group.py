"""The consumer group is a mirror of the ledger: judge where it stands, and say where it should."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from sluice.errors import GroupAhead, GroupMoved, GroupOfAnotherLedger, LedgerDamaged
from sluice.ledger.deliveries import word_on_part
from sluice.ledger.entries import Derived, Entry, Skip, Window, parse_ranges
from sluice.ledger.log import ways_out
from sluice.ledger.state import LedgerState
from sluice.offsets import GroupOffset, Partition

_WAYS = "Then: sluice realign FILE --to ledger (set the group back), or --to group (skip ahead, open to a backfill)"


@dataclass(frozen=True, slots=True)
class Mark:
    """What Sluice writes beside a committed offset: whose it is, and which entry ended there."""

    ledger_id: str
    entry: int

    def __str__(self) -> str:
        return f"sluice {self.ledger_id} {self.entry}"

    @classmethod
    def parse(cls, metadata: str) -> Self | None:
        match metadata.split(" "):
            case ["sluice", ledger_id, entry] if entry.isdigit():
                return cls(ledger_id, int(entry))
        return None


def group_offsets(state: LedgerState, partitions: list[Partition]) -> list[GroupOffset]:
    """Return where the group should stand: at the end of what is contiguous and delivered."""
    return [
        GroupOffset(partition=partition, offset=at.offset, metadata=str(Mark(state.ledger_id, at.entry)))
        for partition, at in sorted(state.committable(partitions).items())
    ]


def ahead_of(committed: Mapping[Partition, GroupOffset], wanted: list[GroupOffset]) -> list[GroupOffset]:
    """Return those of `wanted` that move the group forward, or that mark where it stands; it is never driven back.

    An offset without our mark passes `check_group` only for as long as the ledger stands there too: a group that is
    taken up where another consumer left it must be marked before the ledger goes on.
    """
    return [item for item in wanted if item.partition not in committed or _is_behind(committed[item.partition], item)]


def _is_behind(at: GroupOffset, wanted: GroupOffset) -> bool:
    return at.offset < wanted.offset or (at.offset == wanted.offset and Mark.parse(at.metadata) is None)


def check_group(
    state: LedgerState, group: str, committed: Mapping[Partition, GroupOffset], entry: Callable[[int], Entry]
) -> None:
    """Check that the group is absent, or at a boundary of this ledger.

    Args:
        entry: reads an entry of the ledger by its number.

    Raises:
        GroupOfAnotherLedger, GroupMoved: see there.
    """
    for partition, at in sorted(committed.items()):
        mark = Mark.parse(at.metadata)
        if mark is not None and mark.ledger_id != state.ledger_id:
            raise _of_another(group, at, mark, ". If this ledger is the right one: sluice realign FILE --to ledger")
        stands = state.committable([partition])[partition].offset
        if at.offset != stands and not (mark and _is_boundary(state, mark, at, entry)):
            raise GroupMoved(
                f"The group {group} stands at {partition} offset {at.offset}, where this ledger never put it "
                f"(it stands at {stands})",
                f"Find out who moved it. {_WAYS}",
            )


def ahead(state: LedgerState, committed: Mapping[Partition, GroupOffset]) -> list[int]:
    """Return the open entries that the group has behind it by our own word: only what is delivered is committed."""
    ours = {
        partition: at.offset
        for partition, at in committed.items()
        if (mark := Mark.parse(at.metadata)) is not None and mark.ledger_id == state.ledger_id
    }
    return [
        number
        for number, item in sorted(state.open.items())
        if any(ours.get(partition, 0) > before.offset for partition, before in item.before.items())
    ]


def touched_by_open(state: LedgerState) -> set[Partition]:
    """Return the partitions of what waits: also of topics that the pipeline file no longer names."""
    return {partition for item in state.open.values() for partition in item.before}


def check_delivered(state: LedgerState, group: str, committed: Mapping[Partition, GroupOffset]) -> None:
    """Check that the group was not driven past an entry of which no delivery is known.

    Args:
        state: as it is known behind a look at the group.

    Raises:
        GroupAhead: see there.
    """
    numbers = ahead(state, committed)
    if not numbers:
        return
    first = numbers[0]
    way = ways_out(first) if state.open[first].entry.held else word_on_part(first, "P", "delivered")
    named = f"entr{'y' if len(numbers) == 1 else 'ies'} {', '.join(map(str, numbers))}"
    raise GroupAhead(
        f"The group {group} was driven past {named}, of which this ledger knows no delivery",
        f"Was it restored? Bring back the deliveries that are missing; or, for each part that waits: {way}",
    )


def check_group_before_genesis(
    group: str, committed: Mapping[Partition, GroupOffset], starts: Mapping[Partition, int]
) -> None:
    """Check, for a pipeline without a ledger, that the group is not somebody else's.

    Raises:
        GroupOfAnotherLedger, GroupMoved: see there.
    """
    for partition, at in sorted(committed.items()):
        mark = Mark.parse(at.metadata)
        if mark is not None:
            raise _of_another(group, at, mark, "")
        if at.offset != starts.get(partition, at.offset):
            raise GroupMoved(
                f"The group {group} stands at {partition} offset {at.offset}, and this new pipeline would start at "
                f"{starts[partition]}",
                "Set source.kafka.start to group to go on where it stands, or name another group",
            )


def _of_another(group: str, at: GroupOffset, mark: Mark, way: str) -> GroupOfAnotherLedger:
    return GroupOfAnotherLedger(
        f"The group {group} at {at.partition} offset {at.offset} belongs to another ledger ({mark.ledger_id})",
        f"Was the pipeline renamed, or its store replaced? Give it back its name and store, or name another group{way}",
    )


def _is_boundary(state: LedgerState, mark: Mark, at: GroupOffset, entry: Callable[[int], Entry]) -> bool:
    if at.offset == state.starts.get(at.partition, 0):
        return True
    try:
        marked = entry(mark.entry)
    except LedgerDamaged:
        if mark.entry < state.next_number:
            raise
        return False  # committed for an entry that the store does not have: it was set back
    match marked:
        case Window() | Derived() as sealed:
            return any(item.range.partition == at.partition and item.stop == at.offset for item in sealed.ranges)
        case Skip() as skip:
            return any(item.partition == at.partition and item.stop == at.offset for item in parse_ranges(skip.ranges))
    return False
