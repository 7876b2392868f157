"""Sweep: let go of staged files that no entry names and none can name any more. Never by age."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sluice.ledger import Ledger, LedgerState
from sluice.ledger.entries import Claim, ClaimWindow, Sealed, Slot, StagedFile, decode_slot, parse_ranges
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

    The ledger is read before the files are listed: a file that is staged meanwhile starts where it stood then, or later.
    """
    ledger.load()
    named, kept = _named(store, ledger), _may_be_named(store, ledger)
    for kind in KINDS:
        for key in store.keys(ledger.keys.files(kind)):
            start = ledger.keys.file_start(key)
            if key not in named and _is_passed(ledger.state, start) and not any(_starts_in(start, item) for item in kept):
                yield key


def _named(store: Store, ledger: Ledger) -> set[str]:
    """Return every key that an entry or a slot names."""
    files: list[StagedFile | None] = []
    for number in range(ledger.state.next_number):
        entry = ledger.entry(number)
        sealed = [entry] if isinstance(entry, Sealed) else _slots(store, ledger, number) if isinstance(entry, Claim) else []
        files += [file for item in sealed for file in (item.staged, item.rejected, item.raw)]
    return {file.key for file in files if file is not None}


def _slots(store: Store, ledger: Ledger, claim: int) -> list[Slot]:
    found = (decode_slot(key, store.read(key) or b"") for key in store.keys(ledger.keys.slots_of(claim)))
    return [item for item in found if isinstance(item, Slot)]


def _may_be_named(store: Store, ledger: Ledger) -> list[OffsetRange]:
    """Return the ranges below the ledger's position of which an entry may still be made."""
    held = [item.range for entry in ledger.state.held for item in entry.entry.ranges]
    return held + [item for claim, slots in ledger.state.claims.items() for item in _undecided(store, ledger, claim, slots)]


def _undecided(store: Store, ledger: Ledger, claim: int, slots: Mapping[int, ClaimWindow]) -> list[OffsetRange]:
    open_slots = (window for slot, window in slots.items() if store.stat(ledger.keys.slot(claim, slot)) is None)
    return [item for window in open_slots for item in parse_ranges(window.ranges)]


def _is_passed(state: LedgerState, start: tuple[Partition, int]) -> bool:
    partition, offset = start
    return partition.topic in state.topics and offset < state.position(partition).offset


def _starts_in(start: tuple[Partition, int], kept: OffsetRange) -> bool:
    partition, offset = start
    return partition == kept.partition and offset in kept
