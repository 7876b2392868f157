"""Whether what is decided of a claim's windows is what the claim fixed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sluice.audit.findings import COMPARE, Finding
from sluice.ledger.claims import OpenClaim
from sluice.ledger.entries import Slot, VoidSlot
from sluice.ledger.names import SlotName
from sluice.offsets import OffsetRange


def check_slot(
    claim: OpenClaim | None, name: SlotName, slot: Slot | VoidSlot, topics: Mapping[str, str]
) -> Iterator[Finding]:
    """Check an object that stands at a slot's key, behind those of lower numbers.

    Args:
        claim: None where nothing is left of it.
        topics: topic ids, as the ledger knows them.
    """
    if SlotName(slot.claim, slot.slot) != name:
        yield _found(name, f"it says that it is slot {slot.claim}/{slot.slot}")
    planned = claim.undecided.get(name.slot) if claim is not None else None
    if planned is None:
        yield _found(name, "its claim has no such window")
        return
    if isinstance(slot, VoidSlot):
        return
    wanted = {item.partition: item for item in planned}
    for item in slot.ranges:
        fixed = wanted.pop(item.range.partition, None)
        if fixed is None or item.start != fixed.start or item.stop > fixed.stop:
            yield _found(name, f"it is not what its claim fixed, {', '.join(map(str, planned))}", item.range)
        if item.topic_id != topics.get(item.topic):
            yield _found(name, f"is of another topic of that name: its id is {item.topic_id}", item.range)


def _found(name: SlotName, what: str, at: OffsetRange | None = None) -> Finding:
    return Finding(severity="error", check="claim", what=what, entry=name, range=at, next_step=COMPARE)
