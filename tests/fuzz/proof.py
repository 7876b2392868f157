"""Take windows of hostile records the way a run does, and check what became of each record.

The way is the run's own: `Sealing.entry_from` (choose, decode, map, validate, stage), the entry that it seals, and the
look for unknown fields; records are librdkafka's. What is checked reads the staged files back.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from sluice.connections import Connections
from sluice.ledger import Ledger, entries
from sluice.offsets import Balance, OffsetRange, Partition
from sluice.pipeline import LoadedPipeline, parse_pipeline
from sluice.records import ReadRange, Record
from sluice.redaction import Redaction
from sluice.sealing import Sealing
from sluice.sources.kafka_records import MessageRecords
from sluice.staging import Staging
from sluice.unknown import unknown_fields
from sluice.windows import map_window
from tests.fuzz.judge import Fate, Judge
from tests.fuzz.kept import check_kept
from tests.fuzz.pipelines import PIPELINES
from tests.fuzz.values import NOW_MS
from tests.parts import MemoryArize, MemoryKafka, MemoryStore, genesis
from tests.simulation import World, WorldClock

MOST_REMEMBERED: Final = 200_000
NOW_S: Final = NOW_MS / 1000
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """What was staged of a window, read back."""

    rows: pl.DataFrame
    rejected: pl.DataFrame
    held: pl.DataFrame


class Proof:
    """One pipeline file, and the windows that it takes."""

    def __init__(self, name: str, scratch: Path) -> None:
        text = PIPELINES[name].encode()
        self.pipeline = parse_pipeline(text, f"{name}.yaml")
        self._loaded = LoadedPipeline(pipeline=self.pipeline, text=text, sha256="0" * 64, path=Path(f"{name}.yaml"))
        self._scratch = scratch
        self._redaction = Redaction.of(self.pipeline, "a key of the hash")
        self._judge = Judge(self.pipeline)
        self._alone: dict[Record, Fate] = {}

    def window(self, records: Sequence[Record]) -> None:
        """Take records as one window, with gaps between their offsets, and check all that must hold.

        Raises:
            AssertionError: something does not.
        """
        read = ranges_of(records)
        entry = self._take(read)
        self._check_fates(read, self._fates(read, entry))

    def mapped(self, records: Sequence[Record]) -> None:
        """Take records as one window, but stage nothing: several times as fast.

        Raises:
            AssertionError: neighbours matter, or the oracle holds otherwise.
        """
        read = ranges_of(records)
        found = map_window(self.pipeline, read, now_s=NOW_S)
        rows = self._redaction.rows(found.frame, self.pipeline.columns()).rows()
        fates = {row[:3]: _row(row) for row in rows} | {_place(item.record): item.reason for item in found.rejected}
        assert len(fates) == len(rows) + len(found.rejected)
        self._check_fates(read, fates)

    def alone(self, record: Record) -> Fate:
        """Return what becomes of a record that is a window by itself, after asking the oracle."""
        at_home = replace(record, partition=Partition("hostile", 0), offset=0)
        if len(self._alone) > MOST_REMEMBERED:
            self._alone.clear()
        if at_home not in self._alone:
            self._alone[at_home] = self._judged(at_home)
        return self._alone[at_home]

    def _judged(self, record: Record) -> Fate:
        mapped = map_window(self.pipeline, ranges_of([record]), now_s=NOW_S)
        frame = self._redaction.rows(mapped.frame, self.pipeline.columns())
        fate = "filtered" if record.value is not None else "tombstone"
        if frame.height:
            fate = _row(frame.row(0))
        elif mapped.rejected:
            fate = mapped.rejected[0].reason
        self._judge.check(record, fate, frame.row(0, named=True) if frame.height else None)
        return fate

    def _check_fates(self, read: Sequence[ReadRange], fates: Mapping[Place, Fate]) -> None:
        for record in _records(read):
            left_out = "tombstone" if record.value is None else "filtered"
            assert fates.get(_place(record), left_out) == self.alone(record), f"neighbours matter to {record.value!r}"

    # ── the window

    def _take(self, read: list[ReadRange]) -> entries.Window:
        self._store = MemoryStore(World())
        ledger = Ledger(self._store, self.pipeline.name)
        ledger.begin(genesis({item.range.partition.topic: {} for item in read}))
        staging = Staging(self._store, ledger.keys, self._scratch)
        world = World()
        world.now_s = NOW_S
        connections = Connections(
            store=self._store,
            source=MemoryKafka({}),
            destination=MemoryArize(),
            clock=WorldClock(world),
            scratch=self._scratch,
            hash_key="a key of the hash",
        )
        sealing = Sealing(
            self._loaded, connections, ledger=ledger, staging=staging, run_id="run", address=lambda *_: ""
        )
        # Which of several actuals of an id is sent hangs on the others: that is proved elsewhere.
        entry = entries.Window(**sealing.entry_from(read, again=True))
        unknown_fields(self.pipeline, read)
        for file in (entry.staged, entry.rejected, entry.raw):
            if file is not None:
                staging.discard(file)
        return entry

    def _fates(self, read: list[ReadRange], entry: entries.Window) -> dict[Place, Fate]:
        files = self._files(entry)
        rows = {row[:3]: _row(row) for row in files.rows.rows()}
        reasons = {(row["topic"], row["partition"], row["offset"]): row["reason"] for row in files.rejected.to_dicts()}
        assert list(rows) == sorted(rows)
        assert list(reasons) == sorted(reasons)
        assert len(rows) == files.rows.height
        assert len(reasons) == files.rejected.height
        assert not rows.keys() & reasons.keys()
        fates: dict[Place, Fate] = {**rows, **reasons}
        found = {_place(record): record for record in _records(read)}
        assert fates.keys() <= found.keys()
        for place in found.keys() - fates.keys():
            fates[place] = "tombstone" if found[place].value is None else "filtered"
        assert not [place for place in rows.keys() | reasons.keys() if found[place].value is None]
        self._check_balances(read, entry, rows.keys(), reasons.keys(), fates)
        assert files.held.height in (0, len(found))
        for row in (*files.rejected.to_dicts(), *files.held.to_dicts()):
            check_kept(self.pipeline, row, found[row["topic"], row["partition"], row["offset"]])
        assert sum(part.rows for part in entry.parts) == len(rows)
        return fates

    def _check_balances(self, read: list[ReadRange], entry: entries.Window, rows: Any, bad: Any, fates: Any) -> None:
        for given, sealed in zip(read, entry.ranges, strict=True):
            places = [_place(record) for record in _records([given])]
            assert sealed.counted.balance == Balance(
                staged=sum(place in rows for place in places),
                tombstones=sum(fates[place] == "tombstone" for place in places),
                rejected=sum(place in bad for place in places),
                filtered=sum(fates[place] == "filtered" for place in places),
                invisible=given.range.span - given.expired - len(places),
                expired=given.expired,
            )

    def _files(self, entry: entries.Window) -> _Files:
        def frame(file: entries.StagedFile | None) -> pl.DataFrame:
            nothing = pl.DataFrame(schema={"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64})
            return nothing if file is None else pl.read_parquet(io.BytesIO(self._store.objects[file.key]))

        return _Files(rows=frame(entry.staged), rejected=frame(entry.rejected), held=frame(entry.raw))


def ranges_of(records: Sequence[Record]) -> list[ReadRange]:
    """Put records into ranges as Kafka hands them over: by partition, at rising offsets, not all of them there."""
    by_partition: dict[Partition, list[Record]] = {}
    for record in records:
        by_partition.setdefault(record.partition, []).append(record)
    return [_range(partition, items) for partition, items in by_partition.items()]


def _range(partition: Partition, items: Sequence[Record]) -> ReadRange:
    # The first two are expired, and behind each third record is an offset that nobody is handed.
    messages = [_message(item, 100 + at + at // 3) for at, item in enumerate(items)]
    range_ = OffsetRange(partition, 98, 101 + len(items) + len(items) // 3)
    return ReadRange(range=range_, records=MessageRecords(partition, messages), expired=2, leader_epoch=1)


def _message(record: Record, offset: int) -> Message:
    time = (TIMESTAMP_NOT_AVAILABLE, 0) if record.timestamp_ms is None else (TIMESTAMP_CREATE_TIME, record.timestamp_ms)
    return Message(
        topic=record.partition.topic,
        partition=record.partition.number,
        offset=offset,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        timestamp=time,
    )


def _records(read: Sequence[ReadRange]) -> Iterator[Record]:
    for item in read:
        yield from (item.records.record(index) for index in range(len(item.records)))


def _place(record: Record) -> Place:
    return record.partition.topic, record.partition.number, record.offset


def _row(row: tuple[Any, ...]) -> str:
    return f"row {row[3:]!r}"
