"""What is in a store, read by code of its own: it shares the shape of objects with the ledger, not its reasoning."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, count, pairwise, takewhile

import polars as pl

from sluice.ledger.codec import decode, decode_slot
from sluice.ledger.deliveries import Intent, Outcome, outcome_of_word
from sluice.ledger.entries import Claim, Derived, Entry, Genesis, Pin, Sealed, Skip, Slot, StagedFile, VoidSlot, Window
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import GroupOffset, OffsetRange, Partition
from tests.parts import MARKER, Arrival, MemoryArize, MemoryKafka, MemoryStore
from tests.simulation import current_process

Part = tuple[EntryName, int]
ENDS_A_HELD_ENTRY = ("deliver", "redo", "drop")
DURATION_S = 120
NEVER = (10**9, float("inf"))


class Books:
    """The ledger of the pipeline `flights` in a store, and what must be true of it."""

    def __init__(self, store: MemoryStore, kafka: MemoryKafka, arize: MemoryArize) -> None:
        self._store = store
        self._kafka = kafka
        self._arize = arize
        self._keys = Keys("flights")
        self._known: dict[str, Entry] = {}

    @property
    def entries(self) -> list[Entry]:
        """Every entry in order; there is none missing between two others."""
        keys = sorted(key for key in self._store.objects if key.startswith(self._keys.entries))
        assert keys == [self._keys.entry(number) for number in range(len(keys))]
        for key in keys[len(self._known) :]:
            self._known[key] = decode(key, self._store.objects[key])
        return list(self._known.values())

    @property
    def slots(self) -> dict[SlotName, Slot | VoidSlot]:
        """Every slot that is decided, by its name."""
        found = {}
        for key in sorted(key for key in self._store.objects if key.startswith(f"{self._keys.root}slots/")):
            claim, slot = key.removeprefix(f"{self._keys.root}slots/").removesuffix(".json").split("/")
            found[SlotName(int(claim), int(slot))] = decode_slot(key, self._store.objects[key])
        return found

    @property
    def sealed(self) -> dict[EntryName, Sealed]:
        """Whatever is sealed: windows and derived entries, and the slots of claims."""
        found: dict[EntryName, Sealed] = {n: item for n, item in enumerate(self.entries) if isinstance(item, Sealed)}
        return found | {name: slot for name, slot in self.slots.items() if isinstance(slot, Slot)}

    def decided(self) -> dict[Partition, list[OffsetRange]]:
        """Return each partition's ranges in the order of the log, after its starting position as an empty range."""
        found: dict[Partition, list[OffsetRange]] = {}
        for entry in self.entries:
            if isinstance(entry, Genesis | Pin):
                for topic in entry.topics:
                    for number, offset in topic.positions.items():
                        partition = Partition(topic.topic, number)
                        found[partition] = [OffsetRange(partition, offset, offset)]
            for item in _moves(entry):
                found[item.partition].append(item)
        return found

    def check_chain(self) -> None:
        """Every offset from the genesis on is in exactly one entry."""
        for partition, ranges in self.decided().items():
            for one, other in pairwise(ranges):
                assert one.stop == other.start, f"{one} is followed by {other}"
            assert ranges[-1].stop <= self._kafka.end(partition)

    def check_slots(self) -> None:
        """Each slot takes what its claim fixed, from where the one before left it; no offset is in two entries."""
        taken = Counter[tuple[Partition, int]]()
        for entry in self.entries:
            taken.update(place for item in _moves(entry) if isinstance(entry, Window) for place in _offsets(item))
        for name, slot in self.slots.items():
            claim = self.entries[name.claim]
            assert isinstance(claim, Claim)
            if isinstance(slot, Slot):
                fixed = claim.windows[name.slot % len(claim.windows)].ranges
                mine = [place for item in slot.ranges for place in _offsets(item.range)]
                assert set(mine) <= {place for text in fixed for place in _offsets(OffsetRange.parse(text))}
                taken.update(mine)
        assert max(taken.values(), default=1) == 1, "an offset is in two entries"

    def check_nothing_is_missing(self) -> None:
        """Whatever Kafka still has below where the ledger stands is in an entry."""
        sealed = [entry for entry in self.sealed.values() if not isinstance(entry, Derived)]
        taken = {place for entry in sealed for item in entry.ranges for place in _offsets(item.range)}
        for partition, ranges in self.decided().items():
            kept = range(self._kafka.earliest[partition], ranges[-1].stop)
            assert {(partition, offset) for offset in kept} <= taken

    def check_held(self) -> None:
        """Nothing is sealed behind a held entry until a person ended it; but for one that came of a backfill."""
        waits: set[int] = set()
        for number, entry in enumerate(self.entries):
            assert not (waits and isinstance(entry, Window)), f"entry {number} is behind {waits}, which are held"
            if isinstance(entry, Derived) and entry.purpose in ENDS_A_HELD_ENTRY:
                waits.discard(entry.origin)
            if isinstance(entry, Sealed) and entry.held and not self._is_of_a_backfill(entry):
                waits.add(number)

    def _is_of_a_backfill(self, entry: Entry) -> bool:
        while isinstance(entry, Derived) and entry.slot is None:
            entry = self.entries[entry.origin]
        return isinstance(entry, Derived)

    def check_balances(self) -> None:
        for entry in self.sealed.values():
            for item in entry.ranges if not isinstance(entry, Derived) else ():
                self._check_balance(item.range, item.balance)

    def _check_balance(self, taken: OffsetRange, balance: dict[str, int]) -> None:
        assert sum(balance.values()) == taken.span
        values = self._kafka.logs[taken.partition][taken.start + balance["expired"] : taken.stop]
        kinds = Counter("invisible" if v == MARKER else "tombstones" if v is None else "rejected" for v in values)
        assert balance["invisible"] == kinds["invisible"]
        assert balance["tombstones"] == kinds["tombstones"]
        assert balance["staged"] + balance["rejected"] == kinds["rejected"]

    # ── deliveries

    def parts(self) -> list[Part]:
        """Return the parts that go out, or went."""
        return [
            (name, part) for name, entry in self.sealed.items() if not entry.held for part in range(len(entry.parts))
        ]

    def intents(self, part: Part) -> list[Intent]:
        keys = takewhile(self._store.objects.__contains__, (self._keys.delivery(*part, n, "intent") for n in count()))
        return [Intent.model_validate_json(self._store.objects[key]) for key in keys]

    def outcome(self, part: Part, number: int) -> Outcome | None:
        data = self._store.objects.get(self._keys.delivery(*part, number, "outcome"))
        return Outcome.model_validate_json(data) if data else outcome_of_word(self.intents(part)[number])

    def outcomes(self, part: Part) -> list[Outcome | None]:
        """Return how each send of the part ended; a person's word was no send."""
        sends = (number for number, intent in enumerate(self.intents(part)) if not intent.word)
        return [self.outcome(part, number) for number in sends]

    def ends(self, part: Part) -> list[Outcome]:
        """Return what settles the part."""
        said = (self.outcome(part, number) for number in range(len(self.intents(part))))
        return [outcome for outcome in said if outcome and outcome.kind in ("accepted", "dropped")]

    def waiting(self) -> list[Part]:
        return [part for part in self.parts() if not self.ends(part)]

    def refused(self) -> list[Part]:
        """Return the parts that wait and that Arize refused."""
        return [part for part in self.waiting() if any(said and said.kind == "refused" for said in self.outcomes(part))]

    def unknown(self) -> list[Part]:
        """Return the parts that wait for what a person says of their sends."""
        return [part for part in self.waiting() if None in self.outcomes(part)]

    def held(self) -> list[EntryName]:
        """Return the entries that wait for a person's word on their records."""
        return [name for name, entry in self.sealed.items() if entry.held and not self._ends_of(name)]

    def is_done(self, name: EntryName) -> bool:
        """Whether all that is to be sent of an entry is settled; of a held one, whether what ended it is done."""
        entry = self.sealed[name]
        if entry.held:
            ends = self._ends_of(name)
            assert len(ends) <= 1
            return bool(ends) and self.is_done(ends[0])
        return all(self.ends((name, part)) for part in range(len(entry.parts)))

    def _ends_of(self, name: EntryName) -> list[int]:
        """Return the entries by which a person ended a held one."""
        return [
            number
            for number, entry in enumerate(self.entries)
            if isinstance(entry, Derived) and entry.purpose in ENDS_A_HELD_ENTRY and _origin(entry) == name
        ]

    def check_commit(self, offsets: Sequence[GroupOffset]) -> None:
        """The group never goes past an offset that is not delivered: it stands where entries end, all done below it."""
        decided = self.decided()
        for at in offsets:
            assert at.offset in {item.stop for item in decided.get(at.partition, [OffsetRange(at.partition, 0, 0)])}
        for number, entry in enumerate(self.entries):
            for item in entry.ranges if isinstance(entry, Window) else ():
                if any(at.partition == item.range.partition and at.offset > item.start for at in offsets):
                    assert self.is_done(number), f"entry {number} is not delivered"

    def check_send(self, now_s: float, space: str, timeout_s: float) -> None:
        """A sender whose time is over does not send, by the intent that it wrote; and it sends where that one says."""
        process = current_process()
        intents = [write for write in self._store.writes if write.key.endswith("intent.json")]
        mine = [write for write in intents if process and write.by == process.name]
        in_time = [write.key for write in mine if now_s + timeout_s <= write.at_s + DURATION_S]
        assert any(self._space_of(key) == space for key in in_time)

    def _space_of(self, key: str) -> str | None:
        """Return where the send of this intent is to go; None where it is no send."""
        entry, part, number, _ = self._keys.delivery_numbers(key)
        *before, own = self.intents((entry, part))[: number + 1]
        sealed = self.sealed[entry]
        named = [intent.space for intent in before if intent.space]
        return None if own.word else [sealed.destination.space, *named][-1]

    def check_deliveries(self) -> None:
        parts = self.parts()
        for part in parts:
            assert not self._named(part) or self._keys.doubt(*part) in self._store.objects
            self._check_waited(part)
            self._check_resends(part)
        self._check_arrivals(parts)

    def _check_arrivals(self, parts: Sequence[Part]) -> None:
        """No part is sent twice, but where a send had no known outcome, and that is written down."""
        allowed = Counter[Arrival]()
        for part, arrival in self._arrivals(parts).items():
            allowed[arrival] += self._may_arrive(part)
        assert self._came() <= allowed

    def _may_arrive(self, part: Part) -> int:
        """How often at most."""
        outcomes = self.outcomes(part)
        released = sum(bool(outcome and outcome.kind == "released") for outcome in outcomes)
        return min(1 + self._named(part) + released, len(outcomes))

    def _named(self, part: Part) -> int:
        return sum(intent.resends > 0 for intent in self.intents(part))

    def _check_waited(self, part: Part) -> None:
        """A part is sent again only when every send before it has ended, by its word or by the clock, unaccepted."""
        at = {write.key: (place, write.at_s) for place, write in enumerate(self._store.writes)}
        intents = self.intents(part)
        for number, other in combinations(range(len(intents)), 2):
            if intents[number].word:
                continue  # it sends nothing, and what it came to stands in it
            place, at_s = at[self._keys.delivery(*part, other, "intent")]
            over_s = at[self._keys.delivery(*part, number, "intent")][1] + intents[number].duration_s
            words = [at.get(self._keys.delivery(*part, number, what), NEVER) for what in ("outcome", "note")]
            assert at_s > over_s or any(said < place for said, _ in words)
            outcome = self.outcome(part, number)
            # A person may speak as soon as there is a note, and while a run that read before sends again, and says so.
            if outcome and (outcome.kind, outcome.by) == ("accepted", "sender") and words[0][0] < place:
                assert words[0][1] > over_s, "it was sent again after an acceptance that was written in time"

    def _check_resends(self, part: Part) -> None:
        """Sends without a known outcome: three at most, until a person says more."""
        silent = 0
        for outcome in self.outcomes(part):
            silent = 0 if outcome and outcome.kind == "released" else silent + (outcome is None)
            assert silent <= 3

    def _arrivals(self, parts: Sequence[Part]) -> dict[Part, Arrival]:
        """What each part looks like to Arize: those of replays to one model may look the same."""
        sealed, found = self.sealed, {}
        for name, part in parts:
            entry = sealed[name]
            assert entry.staged is not None
            found[name, part] = entry.staged.sha256, entry.parts[part].version, entry.destination.model
        return found

    def _came(self) -> Counter[Arrival]:
        return Counter(arrival for arrival, _ in self._arize.arrived)

    def check_all_is_delivered(self) -> None:
        taken = Counter[Arrival]()
        for part, arrival in self._arrivals(self.parts()).items():
            ends = self.ends(part)
            assert ends, f"part {part} was never settled"
            taken[arrival] += ends[0].by == "sender"
        assert taken <= self._came()
        for name in self.sealed:
            assert self.is_done(name)
        arrived = Counter(place for _, places in self._arize.arrived for place in set(places))
        sent = Counter((_on_purpose(entry), place) for entry in self.sealed.values() for place in self._places(entry))
        assert max(sent.values(), default=1) == 1, "a row is in two entries that go out, and nobody asked for that"
        assert set(arrived) <= {place for _, place in sent}

    def _places(self, entry: Sealed) -> list[tuple[str, int, int]]:
        if entry.held or entry.staged is None:
            return []
        frame = pl.read_parquet(io.BytesIO(self._store.objects[entry.staged.key]))
        return [(topic, number, offset) for topic, number, offset, *_ in frame.rows()]

    # ── files

    def check_files(self) -> None:
        """What an entry names is there, with the bytes that it names."""
        for entry in self.sealed.values():
            for file in _files(entry):
                assert len(self._store.objects[file.key]) == file.bytes

    def unnamed(self) -> set[str]:
        named = {file.key for entry in self.sealed.values() for file in _files(entry)}
        kinds = ("staged/", "rejected/", "held/")
        return {key for key in self._store.objects if key.startswith(kinds)} - named


def _offsets(item: OffsetRange) -> list[tuple[Partition, int]]:
    return [(item.partition, offset) for offset in range(item.start, item.stop)]


def _moves(entry: Entry) -> Iterator[OffsetRange]:
    match entry:
        case Window():
            yield from (item.range for item in entry.ranges)
        case Skip():
            yield from (OffsetRange.parse(text) for text in entry.ranges)


def _origin(entry: Derived) -> EntryName:
    return entry.origin if entry.slot is None else SlotName(entry.origin, entry.slot)


def _on_purpose(entry: Sealed) -> tuple[str, str, str | None, str] | None:
    """Tell replays of a row to different places apart, and of one to the same place for different reasons."""
    if not isinstance(entry, Derived) or entry.purpose != "replay":
        return None
    return entry.destination.space, entry.destination.model, entry.version, entry.reason


def _files(entry: Sealed) -> list[StagedFile]:
    return [file for file in (entry.staged, entry.rejected, entry.raw) if file is not None]
