"""Sweep: let go of staged files that no entry names and none can name any more, and of old ones of settled entries.

By age goes only what is settled, and only where the pipeline file says how long to keep it. The ids of a staged file's
rows go with it where nobody can name it, and by an age of their own where somebody does: they are there to outlive it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sluice.ledger import Ledger, LedgerState
from sluice.ledger.codec import decode_slot
from sluice.ledger.entries import Claim, Sealed, Slot
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import OffsetRange, Partition
from sluice.run import Run
from sluice.steps import step
from sluice.store import Store

KINDS = ("staged", "rejected", "held")
IDS = "ids"
KEEP_ALL: Mapping[str, float | None] = dict.fromkeys((*KINDS, IDS))


def let_go(run: Run, *, is_trial: bool) -> list[str]:
    """Delete what a pipeline need not keep, and return its keys; nothing is deleted in a trial."""
    keep = run.pipeline.keep
    lifetimes = {"staged": keep.staged, "rejected": keep.rejected, "held": keep.rejected, IDS: keep.ids}
    if is_trial:
        return list(sweepable(run.store, run.ledger, lifetimes, run.settle_what_is_delivered))
    return sweep(run.store, run.ledger, lifetimes, run.settle_what_is_delivered)


def sweep(
    store: Store,
    ledger: Ledger,
    lifetimes: Mapping[str, float | None] = KEEP_ALL,
    settle: Callable[[], object] = lambda: None,
) -> list[str]:
    """Delete what may be swept, and return its keys; see `sweepable`."""
    swept = list(sweepable(store, ledger, lifetimes, settle))
    for key in swept:
        store.delete(key)
        step("file.swept", key=key)
    return swept


def sweepable(
    store: Store, ledger: Ledger, lifetimes: Mapping[str, float | None], settle: Callable[[], object]
) -> Iterator[str]:
    """Yield the keys of the staged files that no entry names and none can any more, and of those that are too old.

    Of ids it is the staged file of their rows that is named, or not, whether it is there or not.

    Args:
        lifetimes: by kind of file, after how many seconds a settled entry's may go, by the store's clock; None: never.
        settle: finds out which of the ledger's open entries are settled.

    A run stages a file first and names it in its entry later, maybe hours later. A window's first range, after which
    its file is called, starts where the ledger stands: so a file that starts below that is named by now, or never will
    be. One kind of entry goes back below it, the redo of a held one: while it can come, files that start in its ranges
    stay. A slot of a claim, and a replay, may come at any time, of any range: their files are called after the slot, or
    after the number of the entry, that alone may name them, and go when that is decided otherwise. Whoever adds another
    kind must keep its files here first.

    The order is law: files are listed before the ledger is read, and what may come is looked at before what has come.
    Ids are files in this, too: a run makes those of what it staged before the entry is there that names it. One that
    dies between two deletions leaves either without the other, and each goes by the same names the next time.
    """
    files = [key for kind in (*KINDS, IDS) for key in store.keys(ledger.keys.files(kind))]
    ledger.load()
    ledger.refresh_slots()
    settle()
    state = ledger.state
    kept = _may_be_named(ledger)
    named = _named(store, ledger)
    waiting = set(_files_of((*(item.entry for item in state.open.values()), *ledger.waiting_slots())))
    for key in files:
        kind = key.partition("/")[0]
        file = ledger.keys.staged_of(key) if kind == IDS else key
        if file not in named:
            if _can_be_named_no_more(state, ledger.keys, file, kept):
                yield key
        elif file not in waiting and _is_older(store, key, lifetimes[kind]):
            # Ids are looked back for from the day of delivery, which may be long behind the day they were made.
            sent = _deliveries(store, ledger.keys, named[file]) if kind == IDS else ()
            if all(_is_older(store, item, lifetimes[kind]) for item in sent):
                yield key


def _may_be_named(ledger: Ledger) -> list[OffsetRange]:
    """Return the ranges below the ledger's position of which an entry may still be made."""
    held = [*(item.entry for item in ledger.state.held), *(slot for slot in ledger.waiting_slots() if slot.held)]
    return [item.range for entry in held for item in entry.ranges]


def _named(store: Store, ledger: Ledger) -> dict[str, list[EntryName]]:
    """Return every key that an entry or a slot names, with those that do."""
    named: dict[str, list[EntryName]] = {}
    for number in range(ledger.state.next_number):
        for name, item in _sealed(store, ledger, number):
            for key in _files_of([item]):
                named.setdefault(key, []).append(name)
    return named


def _deliveries(store: Store, keys: Keys, names: Iterable[EntryName]) -> Iterator[str]:
    """Yield the keys of all that is known of the deliveries of some entries and slots."""
    return (key for name in names for key in store.keys(keys.deliveries_of(name)))


def _files_of(sealed: Iterable[Sealed]) -> Iterator[str]:
    for item in sealed:
        yield from (file.key for file in (item.staged, item.rejected, item.raw) if file is not None)


def _can_be_named_no_more(state: LedgerState, keys: Keys, key: str, kept: Sequence[OffsetRange]) -> bool:
    name = keys.entry_of_file(key)
    if isinstance(name, SlotName):
        claim = state.claims.get(name.claim)
        return name.claim < state.next_number and not (claim and claim.unknown([name.slot]))
    if name is not None:
        return name < state.next_number
    start = keys.file_start(key)
    return _is_passed(state, start) and not any(_starts_in(start, item) for item in kept)


def _is_older(store: Store, key: str, lifetime_s: float | None) -> bool:
    stored = None if lifetime_s is None else store.stat(key)
    return stored is not None and lifetime_s is not None and store.now_s() - stored.modified_s > lifetime_s


def _sealed(store: Store, ledger: Ledger, number: int) -> Sequence[tuple[EntryName, Sealed]]:
    entry = ledger.entry(number)
    if isinstance(entry, Claim):
        found = (decode_slot(key, store.read(key) or b"") for key in store.keys(ledger.keys.slots_of(number)))
        return [(SlotName(number, item.slot), item) for item in found if isinstance(item, Slot)]
    return [(number, entry)] if isinstance(entry, Sealed) else []


def _is_passed(state: LedgerState, start: tuple[Partition, int]) -> bool:
    partition, offset = start
    return partition.topic in state.topics and offset < state.position(partition).offset


def _starts_in(start: tuple[Partition, int], kept: OffsetRange) -> bool:
    partition, offset = start
    return partition == kept.partition and offset in kept
