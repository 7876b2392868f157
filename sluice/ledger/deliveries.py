"""The tries to send a part, beside its entry: an intent before each send, then its outcome, if it has a known one.

Each object names the entry by its id, too: a number is taken anew where a restored backup lacks the newest entries.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sluice.errors import RESTORED, LedgerDamaged
from sluice.ledger.codec import checked, encode
from sluice.ledger.entries import Sealed
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName, SlotName, in_order, shown
from sluice.store import Store

_READERS = 8
_LOOKED_BACK = 4

Word = Literal["delivered", "drop", "readdress", "redeliver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """A part of an entry; `str()` is `entry 12 part 0`.

    Attributes:
        entry: the entry's number, or a slot's name.
        entry_id: its id: another entry may have had that number, in a ledger that was restored.
        ranges: of the entry, for the log.
    """

    entry: EntryName
    part: int
    entry_id: str
    ranges: str = field(default="", compare=False)

    @classmethod
    def of(cls, number: EntryName, entry: Sealed, part: int) -> PartName:
        return cls(entry=number, part=part, entry_id=entry.id, ranges=entry.shown)

    def __str__(self) -> str:
        return f"entry {self.entry} part {self.part}"

    def fields(self, delivery: int) -> dict[str, object]:
        """The fields of a log line on one of its deliveries."""
        return {"entry": shown(self.entry), "part": self.part, "delivery": delivery, "ranges": self.ranges}


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    written_at: str


class Intent(_Object):
    """Written before a send; or a person's word on the part, which sends nothing; or, on the import path, behind a put.

    A word takes a delivery's number, so that each send is either before it or behind it.

    Attributes:
        entry_id: the id of the entry.
        duration_s: from when the intent was written, on the store's clock; the send is over by then, whatever happens.
        resends: how many sends without a known outcome were before it, since a person last gave a word on the part.
        word: what a person says: Arize has the rows; let go of them; send them to `space`; put them into another file.
            None in a send.
        space: where later deliveries of the part go, in place of the space that the entry names.
        reason: why, in the person's words.
        placed: the address of the file that is in its place for Arize to read. None in a send, and in a word.
    """

    kind: Literal["intent"] = "intent"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    entry_id: str
    run: str
    duration_s: float
    resends: int = 0
    word: Word | None = None
    space: str | None = None
    reason: str = ""
    placed: str | None = None


class Outcome(_Object):
    """How a send ended, where that is known; `released` (send again) and `dropped` (send no more) are a person's words.

    On the import path it is what Arize says of the file; `placed` where nobody may ask it.

    Attributes:
        entry_id: the id of the entry.
        intent: the id of the intent.
        rows: that the destination took; None unless accepted.
        reason: words of the destination or of a person; no value of a record.
        file: Arize's status of the file, on the import path.
        page, counted: where a later look at Arize's files begins; see `FileStatus`.
    """

    kind: Literal["accepted", "refused", "released", "dropped", "placed"]
    entry_id: str
    intent: str
    by: Literal["sender", "person"] = "sender"
    status: int | None = None
    rows: int | None = None
    reason: str = ""
    file: Literal["complete", "failed", "skipped", "canceled"] | None = None
    page: str | None = None
    counted: int | None = None


def is_refiled(known: Sequence[Delivery]) -> bool:
    """Whether a person has said that the rows of a file go out as another one, by an entry that is sealed next."""
    return any(item.intent.word == "redeliver" for item in known)


def space_of(known: Sequence[Delivery]) -> str | None:
    """Return the space that a person named for a part; None where the entry's own holds."""
    return next((item.intent.space for item in reversed(known) if item.intent.space), None)


def word_on_part(entry: EntryName, part: int | str, verdicts: str) -> str:
    """The command by which a person gives one of these words on a part."""
    return f"sluice resolve FILE --entry {entry} --part {part} {verdicts} --reason …"


_SAID: Final[dict[Word, Literal["accepted", "dropped", "released"]]] = {
    "delivered": "accepted",
    "drop": "dropped",
    "readdress": "released",
    "redeliver": "released",
}


def outcome_of_word(intent: Intent) -> Outcome | None:
    """Return what a person's word comes to, whether it is written down already or not; None of a send."""
    if intent.word is None:
        return None
    return Outcome(
        kind=_SAID[intent.word],
        entry_id=intent.entry_id,
        intent=intent.id,
        by="person",
        reason=intent.reason,
        written_at=intent.written_at,
    )


class Note(_Object):
    """What the sender saw of a send that is over and has no known outcome. Nobody needs to wait for it any more."""

    kind: Literal["note"] = "note"
    intent: str
    reason: str


class Doubt(_Object):
    """Names a part that was sent again although an earlier send may have been accepted: it may be counted twice.

    Attributes:
        slot: where the entry is a claim.
        delivery: the first whose outcome was not known.
    """

    kind: Literal["doubt"] = "doubt"
    entry: int
    slot: int | None = None
    part: int
    delivery: int
    run: str

    @property
    def name(self) -> EntryName:
        """Of what was sent again."""
        return self.entry if self.slot is None else SlotName(self.entry, self.slot)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The delivery that settles a part: accepted, or placed where nobody may ask, or a person let go of its rows.

    Attributes:
        unknown: how many other deliveries of the part have no known outcome.
    """

    number: int
    outcome: Outcome
    unknown: int

    @property
    def is_dropped(self) -> bool:
        return self.outcome.kind == "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try: its number, its intent, and what is known of its end."""

    number: int
    intent: Intent
    outcome: Outcome | None
    note: Note | None

    @property
    def is_unknown(self) -> bool:
        """Whether this was a send, and what became of it is not known."""
        return self.outcome is None and self.intent.placed is None


_INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
_NOTE: TypeAdapter[Note] = TypeAdapter(Note)
_DOUBT: TypeAdapter[Doubt] = TypeAdapter(Doubt)


def end_of(known: Sequence[Delivery]) -> End | None:
    """Return what settles a part, if anything does."""
    unknown = sum(item.is_unknown for item in known)
    return _end_among(End(number=item.number, outcome=item.outcome, unknown=unknown) for item in known if item.outcome)


def _end_among(outcomes: Iterable[End]) -> End | None:
    """Return the first acceptance, and only where there is none a person's word to let go."""
    ends = [item for item in outcomes if item.outcome.kind in ("accepted", "placed", "dropped")]
    return min(ends, key=lambda end: end.is_dropped, default=None)


def _is_whole(found: set[tuple[int, str]]) -> bool:
    """Whether each delivery up to the last one has its intent."""
    intents = {number for number, what in found if what == "intent"}
    return all(number in intents for number in range(1 + max((number for number, _ in found), default=-1)))


class Deliveries:
    """The deliveries of one pipeline's entries."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def of(self, name: PartName) -> tuple[Delivery, ...]:
        prefix = f"{self._keys.deliveries_of(name.entry)}{name.part:04}/"
        found = self._numbers(prefix)
        if not _is_whole(found):  # a listing that is made while others write may show a name and not the one before it
            found = self._numbers(prefix)
        if not _is_whole(found):
            raise LedgerDamaged(f"An intent is missing among {prefix}", "Bring it back from a backup or a version")
        return tuple(self._delivery(name, n, found) for n, what in sorted(found) if what == "intent")

    def _numbers(self, prefix: str) -> set[tuple[int, str]]:
        return {self._keys.delivery_numbers(key)[2:] for key in self._store.keys(prefix)}

    def intend(self, name: PartName, number: int, intent: Intent) -> bool:
        """Write an intent; False where another run took the number."""
        data = encode(intent)
        return self._store.put_once(self._key(name, number, "intent"), data) == data

    def conclude(self, name: PartName, number: int, outcome: Outcome) -> Outcome:
        """Write an outcome and return the one that holds: a person's word may have come first."""
        key = self._key(name, number, "outcome")
        return checked(key, self._store.put_once(key, encode(outcome)), _OUTCOME)

    def leave_note(self, name: PartName, number: int, note: Note) -> None:
        self._store.put_once(self._key(name, number, "note"), encode(note))

    def is_over(self, name: PartName, delivery: Delivery) -> bool:
        """Whether the sender cannot be sending any more, by the store's clock."""
        if delivery.note is not None or delivery.outcome is not None:
            return True
        written = self._store.stat(self._key(name, delivery.number, "intent"))
        if written is None:
            return True
        return self._store.now_s() > written.modified_s + delivery.intent.duration_s + self._store.clock_error_s

    @property
    def clock_error_s(self) -> float:
        """How far two readings of the store's clock may be off."""
        return self._store.clock_error_s

    def ends(self, ids: Mapping[EntryName, str]) -> dict[EntryName, dict[int, End]]:
        """Return what settles each part of these entries and slots, where anything does: by name, then part.

        Args:
            ids: of the entries, by name.

        Raises:
            LedgerDamaged: an outcome is of another entry that had the number.
        """
        keys: dict[tuple[EntryName, int, int], str] = {}  # of an outcome; of an intent where there is none
        for key in self._listed(ids):
            entry, part, number, what = self._keys.delivery_numbers(key)
            if what == "outcome" or (what == "intent" and (entry, part, number) not in keys):
                keys[entry, part, number] = key
        with ThreadPoolExecutor(_READERS) as readers:
            said = dict(zip(keys, readers.map(lambda at: self._said(keys[at], ids[at[0]]), keys), strict=True))
        unknown = Counter((entry, part) for (entry, part, _), outcome in said.items() if outcome is None)
        outcomes: dict[tuple[EntryName, int], list[End]] = {}
        for (entry, part, number), outcome in said.items():
            if isinstance(outcome, Outcome):
                seen = End(number=number, outcome=outcome, unknown=unknown[entry, part])
                outcomes.setdefault((entry, part), []).append(seen)
        found: dict[EntryName, dict[int, End]] = {name: {} for name in ids}
        for (entry, part), ends in outcomes.items():
            if end := _end_among(ends):
                found[entry][part] = end
        return found

    def settled_since(self, entry: int) -> int:
        """Count the entries and slots from a number on that have a delivery: a listing, and nothing read."""
        keys = self._store.keys(self._keys.deliveries, after=self._keys.before_deliveries(entry))
        return len({self._keys.delivery_numbers(key)[0] for key in keys})

    def last_file(self, before: int, prefix: str) -> Outcome | None:
        """Return what Arize said of the newest file before an entry, if that is one of the last few on a prefix."""
        for entry in range(before - 1, max(before - 1 - _LOOKED_BACK, 0), -1):
            folder = f"{self._keys.deliveries_of(entry)}{0:04}/"
            found = self._numbers(folder)
            numbers = [number for number, what in found if what == "outcome"]
            if not numbers:
                continue
            name = PartName(entry=entry, part=0, entry_id="")
            intent, outcome = (self._store.read(self._key(name, max(numbers), what)) for what in ("intent", "outcome"))
            placed = checked(folder, intent, _INTENT).placed if intent else None
            said = checked(folder, outcome, _OUTCOME) if outcome else None
            if said and said.file == "complete" and placed and placed.rpartition("/")[0].endswith(prefix.rstrip("/")):
                return said
        return None

    def doubt(self, doubt: Doubt) -> None:
        """Name a part that may be counted twice, before it is sent again; the first to name it holds."""
        self._store.put_once(self._keys.doubt(doubt.name, doubt.part), encode(doubt))

    def doubts(self) -> list[Doubt]:
        """Return every part of the ledger that may be counted twice, in the order of entries."""
        stored = ((key, self._store.read(key)) for key in self._store.keys(self._keys.doubts))
        return [checked(key, data, _DOUBT) for key, data in stored if data is not None]

    def _listed(self, wanted: Collection[EntryName]) -> Iterable[str]:
        """List the deliveries of these entries: their neighbours' come along, which costs less than a listing each."""
        numbers = [name for name in wanted if isinstance(name, int)]
        if numbers:
            yield from self._listed_between(self._keys.deliveries, min(numbers), max(numbers), wanted)
        for claim in sorted({name.claim for name in wanted if isinstance(name, SlotName)}):
            slots = [name for name in wanted if isinstance(name, SlotName) and name.claim == claim]
            yield from self._listed_between(self._keys.deliveries_of_slots(claim), min(slots), max(slots), wanted)

    def _listed_between(
        self, prefix: str, first: EntryName, last: EntryName, wanted: Collection[EntryName]
    ) -> Iterable[str]:
        for key in self._store.keys(prefix, after=self._keys.deliveries_of(first)):
            entry = self._keys.delivery_numbers(key)[0]
            if in_order(entry) > in_order(last):
                return
            if entry in wanted:
                yield key

    def _key(self, name: PartName, number: int, what: str) -> str:
        return self._keys.delivery(name.entry, name.part, number, what)

    def _delivery(self, name: PartName, number: int, found: set[tuple[int, str]]) -> Delivery:
        def stored(what: str) -> tuple[str, bytes | None]:
            key = self._key(name, number, what)
            return key, self._store.read(key) if (number, what) in found else None

        (intent_key, data), (outcome_key, outcome), (note_key, note) = map(stored, ("intent", "outcome", "note"))
        intent = checked(intent_key, data or b"", _INTENT)
        _check_entry(intent_key, intent.entry_id, name.entry_id)
        return Delivery(
            number=number,
            intent=intent,
            outcome=checked(outcome_key, outcome, _OUTCOME) if outcome else outcome_of_word(intent),
            note=checked(note_key, note, _NOTE) if note else None,
        )

    def _said(self, key: str, entry_id: str) -> Outcome | Intent | None:
        """Read an outcome, or what a person's word comes to; None of a send's intent, and a file's as it is."""
        data = self._store.read(key) or b""
        if key.endswith(".outcome.json"):
            outcome = checked(key, data, _OUTCOME)
            _check_entry(key, outcome.entry_id, entry_id)
            return outcome
        intent = checked(key, data, _INTENT)
        _check_entry(key, intent.entry_id, entry_id)
        return intent if intent.placed else outcome_of_word(intent)


def _check_entry(key: str, found: str, entry_id: str) -> None:
    if found != entry_id:
        raise LedgerDamaged(
            f"{key} is of another entry ({found}) than the one that has the number now ({entry_id})", RESTORED
        )
