"""The tries to send a part, beside its entry: an intent before each send, then its outcome, if it has a known one."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sluice.errors import LedgerDamaged
from sluice.ledger.entries import checked, encode
from sluice.ledger.keys import Keys
from sluice.store import Store

_READERS = 8


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    written_at: str


class Intent(_Object):
    """Written before a send; or, with a space, a person's word that sends nothing.

    The word takes a delivery's number, so that each send is either before it or behind it.

    Attributes:
        duration_s: from when the intent was written, on the store's clock; the send is over by then, whatever happens.
        resends: how many sends without a known outcome were before it, since a person last gave a word on the part.
        space: where later deliveries of the part go, in place of the space that the entry names.
        reason: why, in the person's words.
    """

    kind: Literal["intent"] = "intent"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    run: str
    duration_s: float
    resends: int = 0
    space: str | None = None
    reason: str = ""


class Outcome(_Object):
    """How a send ended, where that is known. `released` is a person's word: send again.

    Attributes:
        intent: the id of the intent.
        rows: that the destination took; None unless accepted.
        reason: words of the destination or of a person; no value of a record.
    """

    kind: Literal["accepted", "refused", "released"]
    intent: str
    by: Literal["sender", "person"] = "sender"
    status: int | None = None
    rows: int | None = None
    reason: str = ""


def space_of(known: Sequence[Delivery]) -> str | None:
    """Return the space that a person named for a part; None where the entry's own holds."""
    return next((item.intent.space for item in reversed(known) if item.intent.space), None)


def word_on_space(intent: Intent, written_at: str) -> Outcome:
    """Return the outcome of an intent that sends nothing."""
    return Outcome(kind="released", intent=intent.id, by="person", reason=intent.reason, written_at=written_at)


class Note(_Object):
    """What the sender saw of a send that is over and has no known outcome. Nobody needs to wait for it any more."""

    kind: Literal["note"] = "note"
    intent: str
    reason: str


class Doubt(_Object):
    """Names a part that was sent again although an earlier send may have been accepted: it may be counted twice.

    Attributes:
        delivery: the first whose outcome was not known.
    """

    kind: Literal["doubt"] = "doubt"
    entry: int
    part: int
    delivery: int
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The accepted delivery of a part.

    Attributes:
        unknown: how many other deliveries of the part have no known outcome.
    """

    number: int
    outcome: Outcome
    unknown: int


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
        return self.outcome is None and self.intent.space is None


_INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
_NOTE: TypeAdapter[Note] = TypeAdapter(Note)
_DOUBT: TypeAdapter[Doubt] = TypeAdapter(Doubt)


def _is_whole(found: set[tuple[int, str]]) -> bool:
    """Whether each delivery up to the last one has its intent."""
    intents = {number for number, what in found if what == "intent"}
    return all(number in intents for number in range(1 + max((number for number, _ in found), default=-1)))


class Deliveries:
    """The deliveries of one pipeline's entries."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def of(self, entry: int, part: int) -> tuple[Delivery, ...]:
        prefix = f"{self._keys.deliveries_of(entry)}{part:04}/"
        found = self._numbers(prefix)
        if not _is_whole(found):  # a listing that is made while others write may show a name and not the one before it
            found = self._numbers(prefix)
        if not _is_whole(found):
            raise LedgerDamaged(f"An intent is missing among {prefix}", "Bring it back from a backup or a version")
        return tuple(self._delivery(entry, part, n, found) for n, what in sorted(found) if what == "intent")

    def _numbers(self, prefix: str) -> set[tuple[int, str]]:
        return {self._keys.delivery_numbers(key)[2:] for key in self._store.keys(prefix)}

    def intend(self, entry: int, part: int, number: int, intent: Intent) -> bool:
        """Write an intent; False where another run took the number."""
        data = encode(intent)
        return self._store.put_once(self._keys.delivery(entry, part, number, "intent"), data) == data

    def conclude(self, entry: int, part: int, number: int, outcome: Outcome) -> Outcome:
        """Write an outcome and return the one that holds: a person's word may have come first."""
        key = self._keys.delivery(entry, part, number, "outcome")
        return checked(key, self._store.put_once(key, encode(outcome)), _OUTCOME)

    def leave_note(self, entry: int, part: int, number: int, note: Note) -> None:
        self._store.put_once(self._keys.delivery(entry, part, number, "note"), encode(note))

    def is_over(self, entry: int, part: int, delivery: Delivery) -> bool:
        """Whether the sender cannot be sending any more, by the store's clock."""
        if delivery.note is not None or delivery.outcome is not None:
            return True
        written = self._store.stat(self._keys.delivery(entry, part, delivery.number, "intent"))
        if written is None:
            return True
        return self._store.now_s() > written.modified_s + delivery.intent.duration_s + self._store.clock_error_s

    def accepted(self, entries: Iterable[int]) -> dict[int, dict[int, Accepted]]:
        """Return the accepted delivery of each part of these entries that has one: by entry, then part."""
        wanted = sorted(set(entries))
        if not wanted:
            return {}
        listed = list(self._listed(wanted))
        keys = [key for key in listed if key.endswith(".outcome.json")]
        unknown = Counter(self._keys.delivery_numbers(key)[:2] for key in listed if key.endswith(".intent.json"))
        unknown.subtract(self._keys.delivery_numbers(key)[:2] for key in keys)
        found: dict[int, dict[int, Accepted]] = {number: {} for number in wanted}
        with ThreadPoolExecutor(_READERS) as readers:
            for key, outcome in zip(keys, readers.map(self._outcome, keys), strict=True):
                entry, part, number, _ = self._keys.delivery_numbers(key)
                if outcome is not None and outcome.kind == "accepted":
                    found[entry][part] = Accepted(number=number, outcome=outcome, unknown=unknown[entry, part])
        return found

    def doubt(self, doubt: Doubt) -> None:
        """Name a part that may be counted twice, before it is sent again; the first to name it holds."""
        self._store.put_once(self._keys.doubt(doubt.entry, doubt.part), encode(doubt))

    def doubts(self) -> list[Doubt]:
        """Return every part of the ledger that may be counted twice, in the order of entries."""
        stored = ((key, self._store.read(key)) for key in self._store.keys(self._keys.doubts))
        return [checked(key, data, _DOUBT) for key, data in stored if data is not None]

    def _listed(self, wanted: list[int]) -> Iterable[str]:
        """List the deliveries of these entries: their neighbours' come along, which costs less than a listing each."""
        among = set(wanted)
        for key in self._store.keys(self._keys.deliveries, after=self._keys.deliveries_of(wanted[0])):
            if self._keys.is_of_a_slot(key):
                continue
            entry = self._keys.delivery_numbers(key)[0]
            if entry > wanted[-1]:
                return
            if entry in among:
                yield key

    def _delivery(self, entry: int, part: int, number: int, found: set[tuple[int, str]]) -> Delivery:
        def stored(what: str) -> tuple[str, bytes | None]:
            key = self._keys.delivery(entry, part, number, what)
            return key, self._store.read(key) if (number, what) in found else None

        (intent_key, intent), (outcome_key, outcome), (note_key, note) = map(stored, ("intent", "outcome", "note"))
        return Delivery(
            number=number,
            intent=checked(intent_key, intent or b"", _INTENT),
            outcome=checked(outcome_key, outcome, _OUTCOME) if outcome else None,
            note=checked(note_key, note, _NOTE) if note else None,
        )

    def _outcome(self, key: str) -> Outcome | None:
        data = self._store.read(key)
        return checked(key, data, _OUTCOME) if data else None
