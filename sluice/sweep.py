"""Sweep: let go of staged files that no entry names and none can name any more. Never by age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sluice.ledger import Ledger, LedgerState
from sluice.ledger.codec import decode_slot
from sluice.ledger.entries import Claim, Sealed, Slot, StagedFile, parse_ranges
from sluice.offsets import OffsetRange, Partition
from sluice.steps import step
from sluice.store import Store

KINDS = ("staged", "rejected", "held")


def sweep(store: Store, ledger: Ledger) -> list[str]:
    """Delete what may be swept, and return its keys."""
    swept = list(sweepable(store, ledger))
    for key in swept:
        store.delete(key)
        step("file.swept", key=key)
    return swept


def sweepable(store: Store, ledger: Ledger) -> Iterator[str]:
    """Yield the keys of the staged files that no entry names and none can any more.

    A run stages a file first and names it in its entry later, maybe hours later. A window's first range, after which
    its file is called, starts where the ledger stands: so a file that starts below that is named by now, or never will
    be. Two kinds of entries go back below it: the redo of a held entry, and the slots of a claim; while one of these
    can come, files that start in its ranges stay. Whoever adds a third kind must keep its files here first.

    The order is law: files are listed before the ledger is read, and what may come is looked at before what has come.
    """
    files = [key for kind in KINDS for key in store.keys(ledger.keys.files(kind))]
    state = ledger.load().state
    kept = _may_be_named(store, ledger)
    named = _named(store, ledger)
    for key in files:
        start = ledger.keys.file_start(key)
        if key not in named and _is_passed(state, start) and not any(_starts_in(start, item) for item in kept):
            yield key


def _may_be_named(store: Store, ledger: Ledger) -> list[OffsetRange]:
    """Return the ranges below the ledger's position of which an entry may still be made."""
    found = [item.range for held in ledger.state.held for item in held.entry.ranges]
    for claim, slots in ledger.state.claims.items():
        undecided = (window for slot, window in slots.items() if store.stat(ledger.keys.slot(claim, slot)) is None)
        found += [item for window in undecided for item in parse_ranges(window.ranges)]
    return found


def _named(store: Store, ledger: Ledger) -> set[str]:
    """Return every key that an entry or a slot names."""
    files: list[StagedFile | None] = []
    for number in range(ledger.state.next_number):
        for item in _sealed(store, ledger, number):
            files += (item.staged, item.rejected, item.raw)
    return {file.key for file in files if file is not None}


def _sealed(store: Store, ledger: Ledger, number: int) -> Sequence[Sealed | Slot]:
    entry = ledger.entry(number)
    if isinstance(entry, Claim):
        found = (decode_slot(key, store.read(key) or b"") for key in store.keys(ledger.keys.slots_of(number)))
        return [item for item in found if isinstance(item, Slot)]
    return [entry] if isinstance(entry, Sealed) else []


def _is_passed(state: LedgerState, start: tuple[Partition, int]) -> bool:
    partition, offset = start
    return partition.topic in state.topics and offset < state.position(partition).offset


def _starts_in(start: tuple[Partition, int], kept: OffsetRange) -> bool:
    partition, offset = start
    return partition == kept.partition and offset in kept
