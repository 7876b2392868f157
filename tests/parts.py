"""Stand-ins for the parts of a run, in memory: a store, a Kafka and an Arize that pause at each of their operations."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from sluice.answers import Answer
from sluice.connections import Connections
from sluice.errors import StoreUnavailable
from sluice.ledger import entries
from sluice.offsets import Balance, Bounds, CountedRange, GroupOffset, OffsetRange, Partition
from sluice.pipeline import LoadedPipeline, Pipeline, parse_pipeline
from sluice.records import ReadRange, Record, RecordList, Rejected
from sluice.store import Stat
from sluice.windows import MappedWindow
from tests.simulation import World, WorldClock, current_process, pause


@dataclass(frozen=True, slots=True)
class Write:
    """One object that came to be: who wrote it, and when."""

    key: str
    by: str
    at_s: float


class MemoryStore:
    """Objects in memory.

    Its clock shows whole seconds and runs ahead of everybody else's. Leaves out: authentication, missing
    buckets, checksums, paging, a listing that is older than a write.

    Attributes:
        faults: by the name of a process, what happens to its next write: `before` fails without it, `after` fails
            although it was written, as a connection that breaks during the answer does.
        ahead_s: so far its clock runs ahead.
    """

    clock_error_s = 2.0

    def __init__(self, world: World) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[Write] = []
        self.faults: dict[str, Literal["before", "after"]] = {}
        self.listed: list[str] = []
        self._world = world
        self._modified: dict[str, float] = {}
        self.ahead_s = 3600.0

    def put_once(self, key: str, data: bytes) -> bytes:
        pause(f"put {key}")
        fault = self.faults.pop(self._who, None)
        if fault == "before":
            raise StoreUnavailable(f"{key}: not written")
        if key not in self.objects:
            self.objects[key] = data
            self._modified[key] = self.now_s()
            self.writes.append(Write(key, self._who, self._world.now_s))
        found = self.objects[key]
        pause(f"put {key} done")
        if fault == "after":
            raise StoreUnavailable(f"{key}: written, or not")
        return found

    def put_file_once(self, key: str, file: Path, sha256: str) -> None:
        self.put_once(key, file.read_bytes())

    def has_file(self, key: str, file: Path, sha256: str) -> bool:
        pause(f"compare {key}")
        return self.objects.get(key) == file.read_bytes()

    def read(self, key: str) -> bytes | None:
        pause(f"read {key}")
        return self.objects.get(key)

    def stat(self, key: str) -> Stat | None:
        pause(f"stat {key}")
        found = self.objects.get(key)
        return None if found is None else Stat(size=len(found), modified_s=self._modified[key])

    def fetch(self, key: str, file: Path) -> bool:
        data = self.read(key)
        if data is not None:
            file.write_bytes(data)
        return data is not None

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        pause(f"list {prefix}")
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                self.listed.append(key)
                yield key

    def delete(self, key: str) -> None:
        pause(f"delete {key}")
        self.objects.pop(key, None)

    def now_s(self) -> float:
        return float(int(self._world.now_s + self.ahead_s))

    def take_over(self, other: MemoryStore) -> None:
        """Hold what another one holds now."""
        self.objects, self.writes = dict(other.objects), list(other.writes)
        self._modified = dict(other._modified)

    @property
    def _who(self) -> str:
        process = current_process()
        return process.name if process else ""


MARKER: Final = b"\0marker"


class MemoryKafka:
    """Partitions as lists of values by offset, and one consumer group.

    None is a tombstone, MARKER an offset that no reader is handed. Leaves out: compaction, lost epochs, members of
    the group, authorization, time stamps.

    Attributes:
        most: records that one read hands over; what is left of the window is cut off.
        on_commit: is shown what was committed.
        epoch: the leader epoch of every record that is read now.
        keeps_s: how long topics keep their records; None: for good.
        asked: with which epochs the reads were asked for.
        stamp_ms: the timestamp of what is produced now.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.logs: dict[Partition, list[bytes | None]] = {
            Partition(topic, number): [] for topic, count in topics.items() for number in range(count)
        }
        self.earliest = dict.fromkeys(self.logs, 0)
        self.ids = {topic: f"id of {topic}" for topic in topics}
        self.group: dict[Partition, GroupOffset] = {}
        self.most = 1_000
        self.epoch: int | None = None
        self.keeps_s: float | None = None
        self.asked: list[Mapping[Partition, int]] = []
        self.stamp_ms = 0
        self.stamps: dict[Partition, list[int]] = {partition: [] for partition in self.logs}
        self.on_commit: Callable[[Sequence[GroupOffset]], None] = lambda _: None

    def produce(self, partition: Partition, *values: bytes | None) -> None:
        self.logs[partition].extend(values)
        self.stamps[partition].extend([self.stamp_ms] * len(values))

    def end(self, partition: Partition) -> int:
        return len(self.logs[partition])

    def snapshot(self, topics: Sequence[str]) -> dict[Partition, Bounds]:
        pause("snapshot")
        return {
            key: Bounds(
                partition=key,
                earliest=self.earliest[key],
                end=self.end(key),
                high_watermark=self.end(key),
                topic_id=self.ids[key.topic],
            )
            for key in self.logs
            if key.topic in topics
        }

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        return {topic: self.ids[topic] for topic in topics}

    def offsets_at(self, partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        return {
            item: next((at for at, stamp in enumerate(self.stamps[item]) if stamp >= timestamp_ms), self.end(item))
            for item in partitions
        }

    def retention_s(self, topics: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(topics, self.keeps_s) if self.keeps_s is not None else {}

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, GroupOffset]:
        pause("committed?")
        return {item: self.group[item] for item in partitions if item in self.group}

    def commit(self, offsets: Sequence[GroupOffset]) -> None:
        pause("commit")
        self.on_commit(offsets)
        self.group |= {item.partition: item for item in offsets}
        pause("commit done")

    def read(self, ranges: Sequence[OffsetRange], epochs: Mapping[Partition, int]) -> list[ReadRange]:
        pause("read")
        self.asked.append(epochs)
        read, left = [], self.most
        for item in ranges:
            taken = self._read(item, left)
            left -= taken.range.span
            read.append(taken)
        return read

    def _read(self, wanted: OffsetRange, most: int) -> ReadRange:
        at, _ = wanted.split(min(wanted.stop, wanted.start + most))
        gone = max(0, min(at.stop, self.earliest[at.partition]) - at.start)
        values = enumerate(self.logs[at.partition][at.start + gone : at.stop], at.start + gone)
        stamps = self.stamps[at.partition]
        stamped = ((offset, value, stamps[offset] if offset < len(stamps) else 0) for offset, value in values)
        records = [record(at.partition, offset, value, stamp) for offset, value, stamp in stamped if value != MARKER]
        return ReadRange(range=at, records=RecordList(records), expired=gone, leader_epoch=self.epoch)


def record(partition: Partition, offset: int, value: bytes | None, timestamp_ms: int = 0) -> Record:
    return Record(partition=partition, offset=offset, timestamp_ms=timestamp_ms, key=b"key", value=value, headers=())


Arrival = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Answer):
    """An answer of the stand-in for Arize, and whether the rows arrived."""

    arrives: bool = True


ACCEPTS: Final = Said(kind="accepted", status=200)
BUSY: Final = Said(kind="refused", status=429, reason="busy", retry=True, arrives=False)
REFUSES: Final = Said(kind="refused", status=400, reason="bad column", arrives=False)
FORBIDS: Final = Said(kind="refused", status=403, reason="invalid key", arrives=False)
DROPS: Final = Said(kind="unknown", status=None, reason="the connection broke", arrives=False)
TAKES_AND_DROPS: Final = Said(kind="unknown", status=None, reason="the connection broke")


@dataclass
class MemoryArize:
    """Takes rows and never dedupes: what is sent twice is there twice.

    A sender that is paused in the middle of a send sends when it goes on, however late. Leaves out: the wire, the
    total time of a send, validation, joining.

    Attributes:
        script: what it says to the next sends; ACCEPTS behind its end.
        arrived: for each part that came, the staged file's sha256, version and model, with its offsets.
        on_send: is told to which space a send goes, and how long it may take.
        space: where rows go by today's settings.
    """

    script: deque[Said] = field(default_factory=deque)
    arrived: list[tuple[Arrival, list[tuple[str, int, int]]]] = field(default_factory=list)
    on_send: Callable[[str, float], None] = lambda *_: None
    space: str = "space"

    def resolve(self, pipeline: Pipeline) -> entries.Destination:
        own = {"path": pipeline.arize.path, "type": pipeline.arize.type}
        return destination(pipeline.arize.model).in_space(self.space).model_copy(update=own)

    def get_ready(self, sends: int) -> None: ...

    def send(self, file: Path, to: entries.Destination, part: entries.Part, timeout_s: float) -> Said:
        self.on_send(to.space, timeout_s)
        pause("send")
        said = self.script.popleft() if self.script else ACCEPTS
        rows = pl.read_parquet(file)
        rows = rows if part.version is None else rows.filter(pl.col("version") == part.version)
        assert rows.height == part.rows
        if said.arrives:
            places = rows.select("topic", "partition", "offset").rows()
            self.arrived.append(((file.stem, part.version, to.model), places))
        pause("send done")
        return said


def map_simply(pipeline: Pipeline, ranges: Sequence[ReadRange], *, now_s: float) -> MappedWindow:
    """Stand in for `sluice.windows.map_window`: `good 1` is a row of version 1, all else is rejected.

    A pipeline whose model is `mended` takes `bad 1` as a row of version 1 too. A version that a backfill was given is
    that of all rows.
    """
    given = str(pipeline.map.version) if pipeline.map.version != _VERSION else None
    taken = re.compile(rb"(good|bad) (.+)" if pipeline.arize.model == "mended" else rb"(good) (.+)")
    rows: list[tuple[str, int, int, str]] = []
    rejected: list[Rejected] = []
    counted = []
    for item in ranges:
        before = len(rows), len(rejected)
        found = [record for record in item.records.items if record.value is not None]  # type: ignore[attr-defined]
        for each in found:
            match = taken.fullmatch(each.value)
            if match:
                rows.append((each.partition.topic, each.partition.number, each.offset, given or match[2].decode()))
            else:
                rejected.append(Rejected(record=each, reason="bad"))
        balance = Balance(
            staged=len(rows) - before[0],
            rejected=len(rejected) - before[1],
            tombstones=len(item.records) - len(found),
            expired=item.expired,
            invisible=item.range.span - item.expired - len(item.records),
        )
        counted.append(CountedRange(range=item.range, balance=balance, leader_epoch=item.leader_epoch))
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("topic", "partition", "offset")
    return MappedWindow(frame=frame, rejected=tuple(rejected), counted=tuple(counted))


_SCHEMA = pl.Schema({"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64(), "version": pl.String()})
_VERSION = "in the event"
_FILE = """
name: flights
kind: predictions
source: {{kafka: {{topics: [{topics}], partitions: {partitions}, group: sluice-flights, start: {start}}}}}
map: {{prediction_id: id, timestamp: $timestamp, prediction: {{label: label}}, version: {version}}}
arize: {{model: {model}, type: binary_classification, path: {path}, import_job: {import_job}}}
limits: {{max_records: 4, parallel_windows: 2, send_timeout_seconds: 120}}
policies: {{on_expired: {on_expired}, on_ambiguous: {on_ambiguous}, max_rejected: {{share: {share}, of_at_least: 2}}}}
keep: {keep}
rejected: {{keep: {rejected}}}
"""


def pipeline_file(
    *,
    topics: str = "a",
    partitions: str = "all",
    start: str = "earliest",
    model: str = "delay",
    path: str = "sdk",
    import_job: str = "managed",
    on_ambiguous: str = "resend",
    share: str = "50%",
    on_expired: str = "record",
    keep: str = "{}",
    rejected: str = "raw",
) -> LoadedPipeline:
    """A small pipeline: four records a window, held from three rejected of four on."""
    text = _FILE.format(
        topics=topics,
        partitions=partitions,
        start=start,
        model=model,
        version=_VERSION,
        path=path,
        import_job=import_job,
        on_ambiguous=on_ambiguous,
        share=share,
        on_expired=on_expired,
        keep=keep,
        rejected=rejected,
    ).encode()
    pipeline = parse_pipeline(text, "flights.yaml")
    return LoadedPipeline(
        pipeline=pipeline, text=text, sha256=hashlib.sha256(text).hexdigest(), path=Path("flights.yaml")
    )


def destination(model: str = "delay") -> entries.Destination:
    return entries.Destination(
        path="sdk",
        connection="default",
        space="space",
        model=model,
        type="binary_classification",
        environment="production",
    )


WRITTEN: Final[dict[str, Any]] = {"written_at": "2026-01-01T00:00:00Z", "run": "run"}


def genesis(starts: Mapping[str, Mapping[int, int]], **fields: Any) -> entries.Genesis:
    """A first entry: by topic, the first offset of each partition."""
    return entries.Genesis(**WRITTEN, pipeline="flights", topics=topic_starts(starts), **fields)


def topic_starts(starts: Mapping[str, Mapping[int, int]]) -> tuple[entries.TopicStart, ...]:
    return tuple(
        entries.TopicStart(topic=topic, topic_id=f"id of {topic}", positions=dict(positions))
        for topic, positions in starts.items()
    )


def ledger_range(text: str) -> entries.LedgerRange:
    item = OffsetRange.parse(text)
    counted = CountedRange(range=item, balance=Balance(staged=item.span))
    return entries.LedgerRange.of(counted, f"id of {item.partition.topic}")


def window(*ranges: str, held: str | None = None, parts: int = 1, **fields: Any) -> entries.Window:
    """A sealed window of `a[0] 0..4` and the like: every offset is a row, in so many parts of one row each."""
    return entries.Window(**WRITTEN, **sealed(*ranges, held=held, parts=parts), **fields)


def derived(origin: int, purpose: str, *ranges: str, parts: int = 1, **fields: Any) -> entries.Derived:
    ended: dict[str, Any] = {"origin": origin, "purpose": purpose, "rows": "staged", "reason": "tried"}
    return entries.Derived(**WRITTEN, **sealed(*ranges, parts=parts), **ended, **fields)


def sealed(*ranges: str, held: str | None = None, parts: int = 1) -> dict[str, Any]:
    return {
        "ranges": tuple(map(ledger_range, ranges)),
        "parts": tuple(entries.Part(version=str(number), rows=1) for number in range(parts)),
        "destination": destination(),
        "pipeline_sha256": "0" * 64,
        "held": held,
    }


def parts(world: World, store: MemoryStore, kafka: MemoryKafka, arize: MemoryArize, scratch: Path) -> Connections:
    scratch.mkdir(parents=True, exist_ok=True)
    clock = WorldClock(world)
    return Connections(store=store, source=kafka, destination=arize, clock=clock, scratch=scratch)
