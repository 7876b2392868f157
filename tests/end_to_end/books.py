"""The ledger of one pipeline as it stands in its store, read as plain JSON: by none of the code that wrote it."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from sluice.staging import content_hash
from sluice.store import Store
from tests.end_to_end.events import CANARY, Written

Where = tuple[str, int]
Name = int | tuple[int, int]
CLASSES = ("staged", "tombstones", "rejected", "repeated", "filtered", "invisible", "expired")
ENDS_A_HELD_ENTRY = ("deliver", "redo", "drop")

# What a person's word comes to, whether it is written down beside it or not; without a word it was a send.
SAID = {None: "unknown", "delivered": "accepted", "drop": "dropped", "readdress": "released"}


@dataclass(frozen=True)
class Books:
    """What an auditor reads, who has the store and nothing else.

    Attributes:
        scratch: an empty place for a staged file.
    """

    store: Store
    pipeline: str
    scratch: Path

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        keys = list(self.store.keys(f"ledger/{self.pipeline}/entries/"))
        assert keys == [f"ledger/{self.pipeline}/entries/{number:012}.json" for number in range(len(keys))]
        return [json.loads(self.store.read(key) or b"") for key in keys]

    @cached_property
    def slots(self) -> dict[tuple[int, int], dict[str, Any]]:
        """What is decided of the windows of claims: by claim and slot, sealed or void."""
        prefix = f"ledger/{self.pipeline}/slots/"
        found = {}
        for key in self.store.keys(prefix):
            claim, slot = key.removeprefix(prefix).removesuffix(".json").split("/")
            found[int(claim), int(slot)] = json.loads(self.store.read(key) or b"")
        return found

    @cached_property
    def sealed(self) -> dict[Name, dict[str, Any]]:
        """Windows and derived entries by number, slots of claims by claim and slot."""
        found: dict[Name, dict[str, Any]] = {
            number: item for number, item in enumerate(self.entries) if item["kind"] in ("window", "derived")
        }
        return found | {name: item for name, item in self.slots.items() if item["kind"] == "slot"}

    @property
    def ended(self) -> set[Name]:
        """The held entries that a person gave a word on."""
        return {_origin(item) for item in self.sealed.values() if item.get("purpose") in ENDS_A_HELD_ENTRY}

    @property
    def held(self) -> list[Name]:
        return [number for number, item in self.sealed.items() if item.get("held") and number not in self.ended]

    @cached_property
    def positions(self) -> dict[Where, int]:
        """Where each partition stands, followed from the genesis on: each range starts where the one before stopped."""
        at: dict[Where, int] = {}
        for entry in self.entries:
            for topic in entry.get("topics", ()):
                at |= {(topic["topic"], int(number)): offset for number, offset in topic["positions"].items()}
            for where, start, stop in _moved(entry):
                assert at.get(where, 0) == start, f"{where} does not go on where it stands: {at.get(where, 0)}, {start}"
                at[where] = stop
        return at

    def deliveries(self, entry: Name, part: int) -> list[dict[str, Any]]:
        """The tries to send a part, in order, each with what is known of it: intent, outcome, note."""
        folder = f"{entry:012}" if isinstance(entry, int) else f"{entry[0]:012}-{entry[1]:08}"
        prefix = f"ledger/{self.pipeline}/deliveries/{folder}/{part:04}/"
        tries: dict[str, dict[str, Any]] = {}
        for key in self.store.keys(prefix):
            number, what, _ = key.removeprefix(prefix).split(".")
            tries.setdefault(number, {})[what] = json.loads(self.store.read(key) or b"")
        return [tries[number] for number in sorted(tries)]

    def outcomes(self, entry: Name, part: int) -> list[str]:
        """How each try ended, in order: accepted, refused, released, dropped, or unknown."""
        return [
            item["outcome"]["kind"] if "outcome" in item else SAID[item["intent"].get("word")]
            for item in self.deliveries(entry, part)
        ]

    def every_outcome(self) -> dict[tuple[Name, int], list[str]]:
        return {(number, part): self.outcomes(number, part) for number, part in self._parts()}

    def audit(self, written: Written | None = None) -> None:
        """Check the chain, every balance, and every staged file; and that no value of an event is in the ledger."""
        assert self.entries[0]["kind"] == "genesis"
        assert self.positions
        self._audit_slots()
        for number, entry in self.sealed.items():
            self._audit_balance(entry, written)
            self._audit_files(number, entry)
        for key in self.store.keys(f"ledger/{self.pipeline}/"):
            assert CANARY.encode() not in (self.store.read(key) or b""), f"{key} holds a value of an event"

    def audit_delivered(self) -> None:
        """Check that all that was sealed is accepted, part by part, once; and that nothing is held."""
        assert self.held == []
        for number, part in self._parts():
            told = [item["outcome"] for item in self.deliveries(number, part) if "outcome" in item]
            accepted = [item for item in told if item["kind"] == "accepted"]
            assert len(accepted) == 1, f"entry {number} part {part}: {self.outcomes(number, part)}"
            by_person, rows = accepted[0]["by"] == "person", accepted[0].get("rows")
            assert by_person or rows == self.sealed[number]["parts"][part]["rows"]

    def _parts(self) -> Iterator[tuple[Name, int]]:
        for number, entry in self.sealed.items():
            if number not in self.ended:
                yield from ((number, part) for part in range(len(entry["parts"])))

    def _audit_slots(self) -> None:
        """No offset is in two entries, unless it was taken again on purpose."""
        taken: Counter[tuple[str, int, int]] = Counter()
        for name, entry in self.sealed.items():
            if entry["kind"] == "window" or (isinstance(name, tuple) and not self.entries[name[0]].get("again")):
                for item in entry["ranges"]:
                    offsets = range(item["start"], item["stop"])
                    taken.update((item["topic"], item["partition"], offset) for offset in offsets)
        assert max(taken.values(), default=1) == 1

    def _audit_balance(self, entry: dict[str, Any], written: Written | None) -> None:
        for item in entry["ranges"]:
            balance = {name: count for name, count in item["balance"].items() if count}
            assert set(balance) <= set(CLASSES)
            assert sum(balance.values()) == item["stop"] - item["start"]
            if written is not None and entry.get("purpose") not in ENDS_A_HELD_ENTRY:
                assert item["topic"] == written.topic
                assert balance == written.balance(item["partition"], item["start"], item["stop"])

    def _audit_files(self, number: Name, entry: dict[str, Any]) -> None:
        if entry.get("purpose") == "rejected":
            self._audit_redeemed(entry)
            return
        counted = _counted(entry)
        dropped = entry.get("purpose") == "drop"
        assert sum(part["rows"] for part in entry["parts"]) == (0 if dropped else counted["staged"])
        assert ("staged" in entry) == bool((counted["staged"] or "unsent" in entry) and not dropped)
        if "staged" in entry:
            frame = self.frame(entry["staged"])
            assert content_hash(frame) == entry["staged"]["content"]
            self._audit_rows(frame, entry)
            self._audit_unsent(frame, entry)
        if entry.get("purpose") not in ("deliver", "drop", "replay"):
            assert ("rejected" in entry) == bool(counted["rejected"]), f"entry {number}"
        if "rejected" in entry:
            assert self.frame(entry["rejected"]).height == counted["rejected"]

    def _audit_redeemed(self, entry: dict[str, Any]) -> None:
        """Each row was a rejected record of the origin, and no other entry took it."""
        origin = self.sealed[_origin(entry)]
        others = [item for item in self.sealed.values() if item.get("purpose") == "rejected" and item is not entry]
        taken = [place for item in others if _origin(item) == _origin(entry) for place in self._places(item["staged"])]
        mine = self._places(entry["staged"])
        assert set(mine) <= set(self._places(origin["rejected"])) - set(taken)
        assert len(set(mine)) == len(mine) == sum(part["rows"] for part in entry["parts"])
        assert entry["ranges"] == origin["ranges"]

    def _places(self, file: dict[str, Any]) -> list[tuple[Any, ...]]:
        return list(self.frame(file).select("topic", "partition", "offset").iter_rows())

    def _audit_rows(self, frame: pl.DataFrame, entry: dict[str, Any]) -> None:
        assert frame.height == entry["staged"]["rows"]
        places = list(frame.select("topic", "partition", "offset").iter_rows())
        assert places == sorted(set(places))
        places = [place for place, is_unsent in zip(places, unsent(entry), strict=True) if not is_unsent]
        for item in entry["ranges"]:
            of_range = [offset for *where, offset in places if where == [item["topic"], item["partition"]]]
            assert len(of_range) == item["balance"]["staged"]
            assert all(item["start"] <= offset < item["stop"] for offset in of_range)
        assert len(places) == sum(item["balance"]["staged"] for item in entry["ranges"])

    def _audit_unsent(self, frame: pl.DataFrame, entry: dict[str, Any]) -> None:
        """Each row that is not sent is counted as repeated, or is a rejected record."""
        places = frame.select("topic", "partition", "offset").iter_rows()
        not_sent = [place for place, is_unsent in zip(places, unsent(entry), strict=True) if is_unsent]
        rejected = set(self._places(entry["rejected"])) if "rejected" in entry else set()
        repeated = Counter(place[:2] for place in not_sent if place not in rejected)
        counted = {(item["topic"], item["partition"]): item["balance"]["repeated"] for item in entry["ranges"]}
        assert entry.get("purpose") == "replay" or repeated == +Counter(counted)

    def frame(self, file: dict[str, Any]) -> pl.DataFrame:
        """Read a staged file back, if it is the one that its entry names, byte for byte."""
        assert self.store.fetch(file["key"], self.scratch)
        data = self.scratch.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
        return pl.read_parquet(self.scratch)


def unsent(entry: dict[str, Any]) -> list[bool]:
    """Row by row of an entry's staged file, whether it is not sent."""
    rows = entry["staged"]["rows"]
    if "unsent" not in entry:
        return [False] * rows
    packed = zlib.decompress(base64.b64decode(entry["unsent"]))
    return [bool(packed[row // 8] >> 7 - row % 8 & 1) for row in range(rows)]


def _origin(entry: dict[str, Any]) -> Name:
    return (entry["origin"], entry["slot"]) if "slot" in entry else entry["origin"]


def _counted(entry: dict[str, Any]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for item in entry["ranges"]:
        counted.update(item["balance"])
    return counted


def _moved(entry: dict[str, Any]) -> Iterator[tuple[Where, int, int]]:
    """What an entry moves: partition, from, to. One that is derived moves nothing: its origin did."""
    if entry["kind"] == "window":
        for item in entry["ranges"]:
            yield (item["topic"], item["partition"]), item["start"], item["stop"]
    if entry["kind"] == "skip":
        for text in entry["ranges"]:
            where, _, span = text.rpartition(" ")
            topic, _, number = where.removesuffix("]").rpartition("[")
            start, stop = span.split("..")
            yield (topic, int(number)), int(start), int(stop)
