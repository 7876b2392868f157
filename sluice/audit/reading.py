"""Read objects of the ledger, and say of those that cannot be read why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sluice.audit.findings import BRING_BACK, Finding
from sluice.errors import LedgerDamaged
from sluice.ledger.codec import decode, decode_slot
from sluice.ledger.entries import Entry, Slot, VoidSlot
from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import OffsetRange, Partition
from sluice.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An entry or a slot: its bytes, what they are, and what is wrong with them if they are nothing."""

    data: bytes
    entry: Entry | Slot | VoidSlot | None = None
    finding: Finding | None = None


def read(run: Run, name: EntryName) -> Read:
    """Read an entry or a slot.

    Raises:
        LedgerOfAnotherVersion: a newer Sluice wrote it.
    """
    keys = run.ledger.keys
    key = keys.slot(name.claim, name.slot) if isinstance(name, SlotName) else keys.entry(name)
    data = run.store.read(key)
    if data is None:
        return Read(data=b"", finding=_damaged(name, f"{key} is missing"))
    try:
        return Read(data=data, entry=decode_slot(key, data) if isinstance(name, SlotName) else decode(key, data))
    except LedgerDamaged as damage:
        return Read(data=data, finding=_unbalanced(name, data) or _damaged(name, damage.what))


def _unbalanced(name: EntryName, data: bytes) -> Finding | None:
    """Find the range whose balance does not add up, where that is what makes an entry unreadable."""
    try:
        ranges: list[dict[str, Any]] = json.loads(data)["ranges"]
        for item in ranges:
            at = OffsetRange(Partition(item["topic"], item["partition"]), item["start"], item["stop"])
            if (counted := sum(item["balance"].values())) != at.span:
                return _damaged(name, f"its balance counts {counted:,} offsets of {at.span:,}", at)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return None


def _damaged(name: EntryName, what: str, at: OffsetRange | None = None) -> Finding:
    return Finding(severity="error", check="entry", what=what, entry=name, range=at, next_step=BRING_BACK)
