"""How Sluice's cost grows: with windows, partitions, windows at once, entries, the size of records, bad records."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.bad import spoilt
from benchmarks.checking import taken_once
from benchmarks.events import Events
from benchmarks.into_arize import LIBRARY, holds
from benchmarks.jobs.order import Order
from benchmarks.ledgers import write_ledger
from benchmarks.measuring import Taken, run
from benchmarks.pipeline import write_pipeline
from benchmarks.rounds import Line, Say, Trial, from_kafka, interleaved
from benchmarks.systems import ROOT, SLUICE, System
from benchmarks.tables import Table
from benchmarks.targets import a_window_more, at_most_as_long, peak
from benchmarks.topic import Topic, fill
from deployments.local.arize import arize_process

WINDOWS: Final = (1, 3, 10, 30)
PARTITIONS: Final = (1, 4, 16, 64)
AT_ONCE: Final = (1, 2, 4)
ENTRIES: Final = (10, 1_000, 100_000)
SIZES: Final = (100, 490, 1_000, 3_000, 10_000)
SHARES: Final = (0.0, 0.01, 0.5, 1.0)
BACKFILL: Final = System(name="backfill", module="benchmarks.jobs.sluice_backfill", note="")
PLAN: Final = System(name="plan", module="benchmarks.jobs.plan", note="", writes=False)
PLAN_OF_BACKFILL: Final = replace(PLAN, module="benchmarks.jobs.plan_backfill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How big the tables of growth are.

    Attributes:
        window: records of a window.
        longest_ledger: entries; longer ones are left out.
    """

    servers: str
    directory: Path
    window: int
    longest_ledger: int
    rounds: int
    say: Say

    def lines(self, trials: Sequence[Trial]) -> Sequence[Line]:
        return interleaved(trials, rounds=self.rounds, warm=False, say=self.say)

    def topic(self, values: Iterator[bytes], *, partitions: int = 4) -> Topic:
        return fill(self.servers, f"growth-{uuid.uuid4().hex[:8]}", values, partitions=partitions)


def growth_tables(scale: Scale) -> Sequence[Table]:
    tables: Sequence[Callable[[Scale], Table]] = (_windows, _partitions, _at_once, _ledgers, _sizes, _bad)
    return [table(scale) for table in tables]


def _windows(scale: Scale) -> Table:
    topic = scale.topic(_events(scale.window * WINDOWS[-1]))
    limits = [{"max_records": scale.window, "max_windows": count} for count in WINDOWS]
    trials = [
        _named(f"{item['max_windows']}", topic, limits=item, records=scale.window * item["max_windows"])
        for item in limits
    ]
    lines = scale.lines(trials)
    return replace(
        _table("Windows in a run", f"windows of {scale.window:,} records", lines),
        remarks=peak(replace(lines[-1], name=f"{WINDOWS[-1]} windows")),
    )


def _partitions(scale: Scale) -> Table:
    topics = [scale.topic(_events(2 * scale.window), partitions=count) for count in PARTITIONS]
    trials = [_named(f"{len(item.ends)}", item) for item in topics]
    return _table("Partitions", f"partitions, {2 * scale.window:,} records in all", scale.lines(trials))


def _at_once(scale: Scale) -> Table:
    topic = scale.topic(_events(8 * scale.window))
    with arize_process(scale.directory / "arize-growth") as arize:
        trials = [
            from_kafka(
                replace(LIBRARY, name=f"{count}", note=""),
                topic,
                check=holds(arize, topic),
                environment=arize.environment(),
                limits={"max_records": scale.window, "parallel_windows": count},
            )
            for count in AT_ONCE
        ]
        lines = scale.lines(trials)
    return _table("Windows at once, sent by the SDK", f"`parallel_windows`, 8 windows of {scale.window:,}", lines)


def backfill_table(scale: Scale) -> Table:
    """Windows of the past, several at once: each is read, mapped, staged and sealed by a thread of its own."""
    topic = scale.topic(_events(scale.window * WINDOWS[-1]))

    def every_record(order: Order) -> str:
        return taken_once(Path(order.output), topic.records)

    trials = [
        from_kafka(
            replace(BACKFILL, name=f"{count}", extra={"at_once": f"{count}"}),
            topic,
            check=every_record,
            limits={"max_records": scale.window},
            start="latest",
        )
        for count in AT_ONCE
    ]
    lines = scale.lines(trials)
    what = f"windows at once, {WINDOWS[-1]} of {scale.window:,} in a backfill"
    return replace(_table("Backfill", what, lines), remarks=a_window_more(lines[0], lines[-1]))


def _ledgers(scale: Scale) -> Table:
    counts = [count for count in ENTRIES if count <= scale.longest_ledger]
    empty = b'{"id": null}'
    topic = scale.topic(empty for _ in range(counts[-1] + 100))
    trials = [trial for count in counts for trial in _plans(scale, topic, count)]
    lines = scale.lines(trials)
    return Table(title="Entries of the ledger", what="entries, a plan", lines=lines, timed=True)


def _plans(scale: Scale, topic: Topic, count: int) -> Sequence[Trial]:
    """Plans of an ingest and of a backfill on one long ledger; neither writes."""
    folder = scale.directory / f"ledger-{count}"
    folder.mkdir()
    pipeline = write_pipeline(folder, f"ledger-{count}", topic.name, {})
    scale.say(f"writing a ledger of {count:,} entries")
    write_ledger(pipeline, topic.servers, folder / "store", count)
    extra = {"store": str(folder / "store")}
    order = Order(
        servers=topic.servers, topic=topic.name, ends=topic.ends, output="", pipeline=str(pipeline), extra=extra
    )

    def go(system: System) -> Taken:
        return run(system.command(order), cwd=ROOT)

    return [
        Trial(name=f"{count:,}", note="", records=1, go=partial(go, PLAN)),
        Trial(name=f"{count:,}, of a backfill", note="", records=1, go=partial(go, PLAN_OF_BACKFILL)),
    ]


def _sizes(scale: Scale) -> Table:
    topics = [scale.topic(_sized(size, max(1, min(scale.window, scale.window * 1000 // size)))) for size in SIZES]
    trials = [_named(f"{item.mean_bytes:,.0f}", item) for item in topics]
    lines = scale.lines(trials)
    found = zip(lines, topics, strict=True)
    rates = [
        f"{item.mean_bytes:,.0f} bytes {line.rate * item.mean_bytes / 1e6:.0f}" for line, item in found if line.taken
    ]
    return replace(
        _table("Size of records", "bytes a record", lines), remarks=(f"In MB/s of values: {', '.join(rates)}.",)
    )


def _bad(scale: Scale) -> Table:
    topics = [scale.topic(spoilt(_events(scale.window), share)) for share in SHARES]
    pairs = zip(SHARES, topics, strict=True)
    trials = [_named(f"{share:.0%}", topic) for share, topic in pairs]
    lines = scale.lines(trials)
    remarks = at_most_as_long(lines[-1], lines[0])
    return replace(_table("Share of bad records", f"bad, one window of {scale.window:,}", lines), remarks=remarks)


def _named(name: str, topic: Topic, *, limits: Mapping[str, object] | None = None, records: int | None = None) -> Trial:
    def every_record(order: Order) -> str:
        return taken_once(Path(order.output), topic.records if records is None else records)

    system = replace(SLUICE, name=name, note="")
    return from_kafka(system, topic, check=every_record, limits=limits, records=records)


def _table(title: str, what: str, lines: Sequence[Line]) -> Table:
    return Table(title=title, what=what, lines=lines)


def _events(count: int) -> Iterator[bytes]:
    events = Events(now_ms=int(time.time() * 1000))
    return map(events.value, range(count))


def _sized(size: int, count: int) -> Iterator[bytes]:
    """Events of about so many bytes: without features and tags, or with a text in a tag that is mapped, too."""
    events = Events(now_ms=int(time.time() * 1000))
    for number in range(count):
        yield _fitted(events.event(number), size)


def _fitted(event: dict[str, Any], size: int) -> bytes:
    if size < 400:
        event = {key: event[key] for key in ("id", "scored_at", "prediction")}
    value = _compact(event)
    if size > len(value) + 100:
        event["tags"]["customer"] = _text(event["id"], size - len(value))
        value = _compact(event)
    return value


def _compact(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _text(seed: str, length: int) -> str:
    """Text that no compression makes much smaller."""
    return random.Random(seed).randbytes(length // 2).hex()
