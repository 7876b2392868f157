"""The ledger in its store: load, append, seal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from sluice.errors import RESTORED, LedgerDamaged, LedgerMoved, WindowHeld
from sluice.ledger.checkpoints import as_checkpoint, as_state, decode_checkpoint
from sluice.ledger.codec import decode, decode_slot, encode
from sluice.ledger.entries import Claim, Derived, Entry, Genesis, LedgerRange, Sealed, Slot, VoidSlot, Window
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName, SlotName
from sluice.ledger.state import LedgerState, fold, fold_slot
from sluice.steps import step
from sluice.store import Store

CHECKPOINT_EVERY = 100
_READERS = 8


class Ledger:
    """The one append-only log of a pipeline. `state` is as of the last load, append or refresh."""

    def __init__(self, store: Store, pipeline: str) -> None:
        self._store = store
        self.keys = Keys(pipeline)
        self._state: LedgerState | None = None
        self._checkpointed = 0
        self._lock = threading.Lock()  # slots are decided by several threads at once

    @property
    def exists(self) -> bool:
        return self._state is not None

    @property
    def state(self) -> LedgerState:
        if self._state is None:
            raise LookupError("this ledger has no genesis yet")
        return self._state

    @property
    def next_number(self) -> int:
        """The number behind the last known entry; 0 where there is none."""
        return self._state.next_number if self._state is not None else 0

    def load(self) -> Ledger:
        """Read the newest checkpoint and the entries behind it.

        Raises:
            LedgerDamaged, LedgerOfAnotherVersion: see there.
        """
        newest = next(iter(self._store.keys(self.keys.checkpoints)), None)
        if newest is not None:
            checkpoint = decode_checkpoint(newest, self._present(newest))
            self._state, self._checkpointed = as_state(checkpoint, self.entry), checkpoint.next_number
        self.refresh()
        self._check_deliveries()
        return self

    def refresh(self) -> None:
        """Read the entries that came since."""
        for number, entry in self._tail():
            self._take(number, entry)

    def settle(self, numbers: Iterable[EntryName]) -> None:
        """Note that these entries are settled, all their parts being accepted. Nothing is written."""
        self._state = self.state.settle(numbers)

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether a hundred entries came since the last one.

        It is written behind `settle` and `refresh_slots` only: one written before anybody asked which entries are
        settled, and which slots decided, would name them all as open, and so would every one after it.
        """
        return self.state.next_number - self._checkpointed >= CHECKPOINT_EVERY

    def write_checkpoint(self) -> None:
        self._store.put_once(self.keys.checkpoint(self.state.next_number), encode(as_checkpoint(self.state)))
        self._checkpointed = self.state.next_number

    def begin(self, genesis: Genesis) -> None:
        """Write entry 0; where another run was first, its genesis holds."""
        key = self.keys.entry(0)
        self._take(0, decode(key, self._store.put_once(key, encode(genesis))))
        self.refresh()

    def entry(self, number: int) -> Entry:
        key = self.keys.entry(number)
        return decode(key, self._present(key))

    def sealed(self, name: EntryName) -> Sealed:
        """Return a window or derived entry, or a slot that is sealed."""
        if isinstance(name, SlotName):
            slot = self._slot(self.keys.slot(name.claim, name.slot))
            if isinstance(slot, VoidSlot):
                raise LedgerDamaged(f"Slot {name} of {self.state.pipeline} is void, and was to be delivered")
            return slot
        if name in self.state.open:
            return self.state.open[name].entry
        entry = self.entry(name)
        if not isinstance(entry, Sealed):
            raise LedgerDamaged(f"Entry {name} of {self.state.pipeline} has nothing to deliver")
        return entry

    def find(self, name: EntryName) -> Entry | Slot | VoidSlot | None:
        """Return what stands under a name; None where nothing does."""
        key = self.keys.slot(name.claim, name.slot) if isinstance(name, SlotName) else self.keys.entry(name)
        data = self._store.read(key)
        if data is None:
            return None
        return decode_slot(key, data) if isinstance(name, SlotName) else decode(key, data)

    def window(self, number: int) -> Window:
        """Return a window, also one that has nothing to deliver."""
        entry = self.state.open[number].entry if number in self.state.open else self.entry(number)
        if not isinstance(entry, Window):
            raise LedgerDamaged(f"Entry {number} of {self.state.pipeline} is a {entry.kind}, and was to be a window")
        return entry

    def claim_of(self, entry: Sealed) -> tuple[int, Claim] | None:
        """Return the claim whose window's rows an entry takes out, however often a person had them made anew."""
        while isinstance(entry, Derived):
            entry = self.sealed(entry.origin_name)
        claim = self.entry(entry.claim) if isinstance(entry, Slot) else None
        return (entry.claim, claim) if isinstance(entry, Slot) and isinstance(claim, Claim) else None

    def waiting(self, name: EntryName) -> Sealed | None:
        """Return what is sealed under a name, if it waits for delivery or for a person, as far as is known."""
        if isinstance(name, SlotName):
            claim = self.state.claims.get(name.claim)
            return self.sealed(name) if claim is not None and name.slot in claim.unsettled else None
        return self.state.open[name].entry if name in self.state.open else None

    def append(self, entry: Entry, still_right: Callable[[LedgerState], bool]) -> int:
        """Write an entry at the next number, as often as another run takes that number first.

        Args:
            still_right: whether the entry may be written where the ledger stands; asked before each try.

        Raises:
            LedgerMoved: it may not any more.
        """
        return self.append_numbered(lambda _: entry, still_right)

    def append_numbered(self, entry_at: Callable[[int], Entry], still_right: Callable[[LedgerState], bool]) -> int:
        """The same for an entry that hangs on its number.

        Args:
            entry_at: makes it for a number; asked before each try.
        """
        while still_right(self.state):
            number = self.state.next_number
            entry = entry_at(number)
            data = encode(entry)
            if self._store.put_once(self.keys.entry(number), data) == data:
                self._take(number, entry)
                return number
            step("ledger.taken", entry=number, ranges=entry.shown if isinstance(entry, Sealed) else "")
            self.refresh()
        raise LedgerMoved(
            f"Another run went on in the ledger of {self.state.pipeline} (entry {self.state.next_number - 1})"
        )

    def seal(self, window: Window, again: Callable[[], Window] | None = None) -> int:
        """Decide a window: from here on its boundaries are fixed. Return its number.

        Where the same window is there already, sealed by another run, that one's number is returned.

        Args:
            again: makes it anew where others were sealed since it was made, on which it hangs; None: it hangs on none.

        Raises:
            LedgerMoved: its ranges do not start where the ledger stands any more: plan again.
            WindowHeld: another run sealed a window that is held, and nothing goes behind one.
        """
        behind = self.state.next_number

        def window_at(number: int) -> Window:
            return window if again is None or number == behind else again()

        try:
            return self.append_numbered(window_at, lambda state: self._may_seal(state, window))
        except LedgerMoved:
            for number in range(behind, self.state.next_number):
                there = self.entry(number)
                if isinstance(there, Window) and _is_same(there, window):
                    step("window.sealed_by_another", entry=number, ranges=window.shown)
                    return number
            raise

    def decide(self, slot: Slot | VoidSlot) -> Slot | VoidSlot:
        """Seal one window of a claim, or give it up; return what holds: another run may have been first."""
        key = self.keys.slot(slot.claim, slot.slot)
        decided = decode_slot(key, self._store.put_once(key, encode(slot)))
        with self._lock:
            self._state = fold_slot(self.state, decided)
        return decided

    def refresh_slots(self) -> None:
        """Read the slots of open claims that were decided since."""
        for number, claim in sorted(self.state.claims.items()):
            keys = self._store.keys(self.keys.slots_of(number))
            new = claim.unknown(map(self.keys.slot_number, keys))
            with ThreadPoolExecutor(_READERS) as readers:
                decided = list(readers.map(self._slot, (self.keys.slot(number, slot) for slot in new)))
            with self._lock:
                for slot in decided:
                    self._state = fold_slot(self.state, slot)

    def waiting_slots(self) -> tuple[Sealed, ...]:
        """Return the sealed slots of open claims that are not known to be settled."""
        return tuple(map(self.sealed, self.slots_waiting))

    @property
    def slots_waiting(self) -> tuple[SlotName, ...]:
        """The names of the sealed slots of open claims that are not known to be settled, in order."""
        claims = sorted(self.state.claims.items())
        return tuple(SlotName(number, slot) for number, claim in claims for slot in sorted(claim.unsettled))

    def settle_slots(self, names: Iterable[SlotName]) -> None:
        """Note that these slots are settled, all their parts being accepted. Nothing is written."""
        with self._lock:
            for name in names:
                if (claim := self.state.claims.get(name.claim)) is not None:
                    self._state = self.state.with_claim(name.claim, claim.settled([name.slot]))

    def _may_seal(self, state: LedgerState, window: Window) -> bool:
        if state.holding_up:
            raise held_error(state)
        return state.continues(window)

    def _check_deliveries(self) -> None:
        """Check that no delivery names an entry that is not there: its number must not be given to another one."""
        while delivery := self._delivery_behind():
            known = self.next_number
            self.refresh()  # sealed and sent since, it may be
            if self.next_number == known:
                raise LedgerDamaged(f"{delivery} is there, and its entry is not", RESTORED)

    def _delivery_behind(self) -> str | None:
        return next(iter(self._store.keys(self.keys.deliveries, self.keys.before_deliveries(self.next_number))), None)

    def _take(self, number: int, entry: Entry) -> None:
        if self._state is not None:
            self._state = fold(self._state, entry)
        elif number == 0 and isinstance(entry, Genesis):
            self._state = LedgerState.begin(entry)
        else:
            raise LedgerDamaged(f"The ledger's first entry {self.keys.entry(number)} is no genesis")

    def _tail(self) -> Iterator[tuple[int, Entry]]:
        expected = self.next_number
        after = self.keys.entry(expected - 1) if expected else ""
        listed = [self.keys.entry_number(key) for key in self._store.keys(self.keys.entries, after)]
        # A listing says how far the log goes, not what is in it: a directory that is written to while it is read may
        # show a new name and not the one made before it. An entry that is truly missing is found out when it is read.
        numbers = range(expected, max(listed, default=expected - 1) + 1)
        with ThreadPoolExecutor(_READERS) as readers:
            yield from zip(numbers, readers.map(self.entry, numbers), strict=True)

    def _slot(self, key: str) -> Slot | VoidSlot:
        return decode_slot(key, self._present(key))

    def _present(self, key: str) -> bytes:
        data = self._store.read(key)
        if data is None:
            raise LedgerDamaged(f"{key} is missing")
        return data


def held_error(state: LedgerState) -> WindowHeld:
    first = state.holding_up[0]
    return WindowHeld(
        f"Entry {first.number} of {state.pipeline} ({first.entry.shown}) is held: {first.entry.held}",
        next_step_of(first.number, first.entry),
    )


def next_step_of(name: EntryName, held: Sealed) -> str:
    """Say where to look at what holds an entry, and what a person may say of it."""
    look = f"sluice rejected FILE --entry {name}" if held.rejected is not None else "these records in Kafka"
    return f"Look: {look}; then: {ways_out(name)}"


def ways_out(name: EntryName) -> str:
    """What a person may say of a held entry."""
    return f"sluice resolve FILE --entry {name} deliver|redo|drop --reason …"


def _is_same(one: Window, other: Window) -> bool:
    """Whether one says of the same offsets what the other says, and that it goes out, or does not, alike."""
    alike = (one.staged, one.destination.anywhere, one.held) == (other.staged, other.destination.anywhere, other.held)
    if one.unsent == other.unsent is None:
        return alike and (one.parts, _essence(one.ranges)) == (other.parts, _essence(other.ranges))
    # What of the rows is not sent hangs on what was sealed before it.
    return alike and [item.range for item in _essence(one.ranges)] == [item.range for item in _essence(other.ranges)]


def _essence(ranges: tuple[LedgerRange, ...]) -> list[LedgerRange]:
    return sorted(ranges, key=lambda item: item.range)
