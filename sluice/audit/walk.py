"""Walk a ledger entry by entry, from where the last audit ended, a hundred in hand at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

from sluice.audit.beginning import Beginning, chained
from sluice.audit.chain import check_entry, folded, passed
from sluice.audit.checkpoints import check_checkpoint, unreadable
from sluice.audit.derived import ENDS_A_HELD_ENTRY, check_derived
from sluice.audit.findings import COMPARE, Finding, Findings
from sluice.audit.look import Look, Looked
from sluice.audit.reading import Read, read
from sluice.audit.rows import check_expired
from sluice.audit.slots import check_slot
from sluice.errors import LedgerDamaged
from sluice.ledger import LedgerState
from sluice.ledger.checkpoints import decode_checkpoint
from sluice.ledger.entries import Claim, Derived, Sealed, Slot, VoidSlot
from sluice.ledger.names import EntryName, SlotName, in_order
from sluice.ledger.state import fold_slot
from sluice.run import Run

_AT_ONCE: Final = 100
_READERS: Final = 8
_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


class Walk:
    """One walk. Nothing is written.

    Args:
        state: of the ledger where the walk begins.

    Attributes:
        state: behind what was walked.
        log_sha256: of the entries before that; None where one of them is not as it was written.
        findings: all that was found.
        told: errors of the log itself, which a later walk from here on does not find.
        suspects: entries and slots with errors of their own.
        again: entries and slots that were walked before, and were looked at again.
        looked: how many entries and slots were looked at.
        checkpoints: how many were compared.
    """

    def __init__(self, run: Run, beginning: Beginning, state: LedgerState, look: Look) -> None:
        self._run = run
        self._look = look
        self._beginning = beginning
        self._matched = 0
        self.state = state
        self.log_sha256 = beginning.log_sha256
        self.totals = beginning.totals
        self.findings = Findings()
        self.told: list[Finding] = []
        self.suspects: set[EntryName] = set()
        self.again: tuple[EntryName, ...] = ()
        self.looked = 0
        self.checkpoints = 0

    def go(self) -> None:
        """Walk to the end of the log."""
        self._tell([*self._beginning.told, *self._beginning.findings])
        checkpoints = self._find_checkpoints()
        self._look_again()
        for number in sorted(self.state.claims):
            self._decide(number, is_new=False)
        for numbers in _in_pieces(range(self.state.next_number, self._beginning.stop)):
            found = self._read(numbers)
            seen = self._seen({name: item.entry for name, item in found.items() if isinstance(item.entry, Sealed)})
            for number in numbers:
                self._compare(checkpoints)
                self._take(found[number], seen.get(number))
        self._compare(checkpoints)
        self._check_what_is_held()

    def _take(self, found: Read, looked: Looked | None) -> None:
        """Go one entry on."""
        number, entry = self.state.next_number, found.entry
        if entry is None or isinstance(entry, Slot | VoidSlot):
            self._tell([found.finding] if found.finding else [])
            self.log_sha256, self.state = None, passed(self.state)
            return
        if self.log_sha256 is not None:
            self.log_sha256 = chained(self.log_sha256, found.data)
        self._tell(check_entry(self.state, entry))
        if isinstance(entry, Derived):
            self._check_derived(entry)
        self.state = folded(self.state, entry)
        if looked is not None:
            self._take_in(looked, is_new=True)
        if isinstance(entry, Claim):
            self._decide(number, is_new=True)

    def _check_derived(self, entry: Derived) -> None:
        name = entry.origin_name
        origin = self._sealed(name)
        self._tell(check_derived(self.state, entry, origin, self._is_dropped))
        if origin is not None and origin.held and entry.purpose in ENDS_A_HELD_ENTRY:
            self._suspect(name, self._look.files_of(name, origin, is_wanted=False))

    def _is_dropped(self, number: int) -> bool:
        entry = self._sealed(number)
        return entry is not None and self._look.is_dropped(number, entry)

    def _sealed(self, name: EntryName) -> Sealed | None:
        if not isinstance(name, SlotName) and name in self.state.open:
            return self.state.open[name].entry
        entry = read(self._run, name).entry
        return entry if isinstance(entry, Sealed) else None

    def _read(self, names: Collection[EntryName]) -> dict[EntryName, Read]:
        return dict(zip(names, _side_by_side(lambda name: read(self._run, name), names), strict=True))

    # ── what is sealed

    def _seen(self, sealed: Mapping[EntryName, Sealed], ended: Collection[EntryName] = ()) -> dict[EntryName, Looked]:
        def look(name: EntryName) -> Looked:
            return self._look.at(name, sealed[name], ended=name in ended)

        return dict(zip(sealed, _side_by_side(look, sealed), strict=True))

    def _take_in(self, looked: Looked, *, is_new: bool) -> None:
        """Keep what was seen of an entry or slot that the state holds."""
        self.looked += 1
        self._suspect(looked.name, looked.findings)
        if is_new:
            self.findings.add(check_expired(looked.name, looked.entry))
            self.totals = self.totals.with_entry(looked.entry)
        if looked.is_settled:
            self.totals = self.totals.with_ends(looked.entry, looked.ends.items())
            self.state = _settled(self.state, looked.name)

    def _look_again(self) -> None:
        """Look at what waited when the last audit ended, and at what was bad by then."""
        waited = _waiting(self.state)
        self.again = tuple(sorted({*waited, *self._beginning.suspects}, key=in_order))
        for names in _in_pieces(self.again):
            found = self._read(names)
            sealed = {name: item.entry for name, item in found.items() if isinstance(item.entry, Sealed)}
            seen = self._seen(sealed, ended=[name for name in names if name not in waited])
            for name, item in found.items():
                if name in waited and name in seen:
                    self._take_in(seen[name], is_new=False)
                else:
                    told = [item.finding] if item.finding else []
                    self._suspect(name, seen[name].findings if name in seen else told)

    def _check_what_is_held(self) -> None:
        for name in sorted(_waiting(self.state), key=in_order):
            entry = self._sealed(name)
            if entry is not None and entry.held:
                self._suspect(name, self._look.files_of(name, entry, is_wanted=True))

    # ── claims

    def _decide(self, number: int, *, is_new: bool) -> None:
        """Take in what is decided by now of a claim's windows.

        Whatever another claim took of these offsets was decided before that claim was made, and so is seen by now.
        """
        keys, claim = self._run.ledger.keys, self.state.claims.get(number)
        slots: Iterable[int] = map(keys.slot_number, self._run.store.keys(keys.slots_of(number)))
        if not is_new and claim is not None:
            slots = claim.unknown(slots)
        for piece in _in_pieces(SlotName(number, slot) for slot in slots):
            found = self._read(piece)
            seen = self._seen({name: item.entry for name, item in found.items() if isinstance(item.entry, Slot)})
            for name in piece:
                self._take_slot(name, found[name], seen.get(name))

    def _take_slot(self, name: SlotName, found: Read, looked: Looked | None) -> None:
        slot = found.entry
        if not isinstance(slot, Slot | VoidSlot):
            self.findings.add([found.finding] if found.finding else [])  # it stays undecided, and is looked at again
            return
        wrong = list(check_slot(self.state.claims.get(name.claim), name, slot, self.state.topics))
        self._tell(wrong)
        if not wrong:
            self.state = fold_slot(self.state, slot)
        if looked is not None:
            self._take_in(looked, is_new=True)

    # ── what was known before

    def _find_checkpoints(self) -> dict[int, str]:
        """The checkpoints of what is walked, by the number of the first entry that is not in them."""
        found: dict[int, str] = {}
        for key in self._run.store.keys(self._run.ledger.keys.checkpoints):
            number = self._run.ledger.keys.checkpoint_number(key)
            if number < self.state.next_number:
                break
            found[number] = key
        return found

    def _compare(self, checkpoints: Mapping[int, str]) -> None:
        """Compare what was written down of the log up to here."""
        number = self.state.next_number
        if key := checkpoints.get(number):
            self.checkpoints += 1
            try:
                stored = decode_checkpoint(key, self._run.store.read(key) or b"")
                self._tell(check_checkpoint(key, stored, self.state))
            except LedgerDamaged as damage:
                self._tell([unreadable(damage.what)])
        hashes = self._beginning.marks.get(number, ())
        if self.log_sha256 is None or not hashes:
            return
        if any(known != self.log_sha256 for known in hashes):
            what = f"one of the entries {self._matched} to {number - 1} is not what an earlier audit read"
            self._tell([Finding(severity="error", check="mark", what=what, next_step=COMPARE)])
            self.log_sha256 = None
        self._matched = number

    # ── findings

    def _tell(self, findings: Iterable[Finding]) -> None:
        """Keep what is wrong with the log itself."""
        kept = list(findings)
        self.findings.add(kept)
        self.told += [item for item in kept if item.severity == "error" and item not in self.told]

    def _suspect(self, name: EntryName, findings: Iterable[Finding]) -> None:
        """Keep what is wrong with one entry or slot."""
        if self.findings.add(findings):
            self.suspects.add(name)


def _waiting(state: LedgerState) -> set[EntryName]:
    """What is sealed and not settled: entries, and slots of claims."""
    slots = {SlotName(number, slot) for number, claim in state.claims.items() for slot in claim.unsettled}
    return {*state.open, *slots}


def _settled(state: LedgerState, name: EntryName) -> LedgerState:
    if not isinstance(name, SlotName):
        return state.settle([name])
    claim = state.claims.get(name.claim)
    return state.with_claim(name.claim, claim.settled([name.slot])) if claim is not None else state


def _side_by_side(work: Callable[[_Given], _Got], items: Iterable[_Given]) -> list[_Got]:
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(work, items))


def _in_pieces(items: Iterable[_Given]) -> Iterator[list[_Given]]:
    left = iter(items)
    while piece := list(islice(left, _AT_ONCE)):
        yield piece
