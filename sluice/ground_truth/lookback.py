"""The entries of a ledger that may have been delivered since a moment, without reading its history.

Neither numbers nor times alone tell what lies within a look-back: entries are numbered as they are sealed, and yet a
slot is sealed long after its claim, and what is sealed may wait for its delivery for weeks. A checkpoint tells it. One
that was written before the moment names every entry that was open then, and every slot that was undecided or not
settled; what it does not name, and is before its next number, was delivered before it was written, or never will be. So
what it names, and what came behind it, is all there is to look at: as much as lies in the look-back, and at most a
hundred entries more.

Where no checkpoint is that old (a young ledger, or one that was copied, whose objects are all new), all is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sluice.ledger import Ledger, LedgerState
from sluice.ledger.checkpoints import as_state, decode_checkpoint
from sluice.ledger.claims import OpenClaim
from sluice.ledger.codec import decode_slot
from sluice.ledger.entries import Claim, Entry, Sealed, Slot
from sluice.ledger.names import EntryName, SlotName
from sluice.store import Store

# The store's clock, which dates checkpoints, and the machines' clocks, which date deliveries, may differ so far.
CLOCKS_DIFFER_S: Final = 86_400
_READERS: Final = 8


def sealed_since(store: Store, ledger: Ledger, since_s: float) -> dict[EntryName, Sealed]:
    """Return every window, slot and derived entry of which a part may have been delivered at a moment or behind it.

    Others that were delivered before may be among them; when a part was received, its delivery tells.

    Args:
        ledger: as loaded.
        since_s: in epoch seconds.
    """
    then = _state_before(store, ledger, since_s - CLOCKS_DIFFER_S)
    first = then.next_number if then else 1
    numbers = range(first, ledger.state.next_number)
    with ThreadPoolExecutor(_READERS) as readers:
        behind = dict(zip(numbers, readers.map(ledger.entry, numbers), strict=True))
        slots = list(_slots(store, ledger, readers, _claims(then, behind)))
    found: dict[EntryName, Sealed] = {number: item.entry for number, item in then.open.items()} if then else {}
    found |= {number: entry for number, entry in behind.items() if isinstance(entry, Sealed)}
    found |= dict(slots)
    return found


def _state_before(store: Store, ledger: Ledger, before_s: float) -> LedgerState | None:
    """Return the ledger's state by the newest checkpoint that the store wrote before a moment."""
    for key in store.keys(ledger.keys.checkpoints):  # the newest first: as many are asked for as lie in the look-back
        written = store.stat(key)
        if written is not None and written.modified_s < before_s and (data := store.read(key)) is not None:
            return as_state(decode_checkpoint(key, data), ledger.entry)
    return None


def _claims(then: LedgerState | None, behind: Mapping[int, Entry]) -> dict[int, OpenClaim]:
    """Return each claim of which something may have been decided or delivered since, as it stood then."""
    claims = dict(then.claims) if then else {}
    return claims | {number: OpenClaim.of(entry) for number, entry in behind.items() if isinstance(entry, Claim)}


def _slots(
    store: Store, ledger: Ledger, readers: ThreadPoolExecutor, claims: Mapping[int, OpenClaim]
) -> Iterator[tuple[EntryName, Sealed]]:
    names = [name for number, claim in sorted(claims.items()) for name in _slot_names(store, ledger, number, claim)]

    def read(name: SlotName) -> Slot | None:
        key = ledger.keys.slot(name.claim, name.slot)
        found = decode_slot(key, store.read(key) or b"")
        return found if isinstance(found, Slot) else None

    for name, slot in zip(names, readers.map(read, names), strict=True):
        if slot is not None:
            yield name, slot


def _slot_names(store: Store, ledger: Ledger, number: int, claim: OpenClaim) -> Iterable[SlotName]:
    listed = map(ledger.keys.slot_number, store.keys(ledger.keys.slots_of(number)))
    return (SlotName(number, slot) for slot in sorted({*claim.unknown(listed), *claim.unsettled}))
