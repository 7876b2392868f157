"""Turn events into the records of a real topic: good ones, and all that comes with them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal, NamedTuple

import polars as pl

SHARES = (30, 25, 18, 13, 9, 5)  # percent of the events, by partition
BATCH = 2_000  # good records

_TOMBSTONES, _BROKEN, _PRETTY = 1 / 500, 1 / 1_000, 1 / 300  # one for so many good records
_DECOYS = 100

Role = Literal["good", "tombstone", "broken", "aborted"]


class Record(NamedTuple):
    """One record to be written; a value of None is a tombstone, which is not an empty one."""

    role: Role
    partition: int
    key: str
    value: bytes | None
    timestamp_ms: int


def of_departures(scored: pl.DataFrame, *, seed: int, start: int) -> Iterator[tuple[int, list[Record]]]:
    """Give the records of departures, the first of which has the number `start`, in numbered batches."""
    partitions = _partitions(f"{seed}-partitions", start + scored.height)[start:]
    events = zip(partitions, scored["id"], scored["scored_at"], scored["event"], strict=True)
    return _batches((_good(*event) for event in events), company=f"{seed}-company", start=start)


def of_arrivals(reported: pl.DataFrame, *, seed: int, start: int) -> Iterator[tuple[int, list[Record]]]:
    """Give the records of arrivals, of which `start` were given before, in numbered batches.

    All that is reported of a departure goes to one partition.
    """
    written = reported.filter(pl.col("event").is_not_null())
    partitions = _partitions(f"{seed}-arrival-partitions", max(reported["number"], default=-1) + 1)
    of_each = (partitions[number] for number in written["number"])
    events = zip(of_each, written["id"], written["at"], written["event"], strict=True)
    return _batches((_good(*event) for event in events), company=f"{seed}-arrival-company", start=start)


def decoys(batch: list[Record]) -> list[Record]:
    """Give the records of a transaction that will be aborted."""
    good = (record for record in batch if record.role == "good")
    return [_decoy(record) for record in islice(good, _DECOYS)]


def _partitions(seed: str, count: int) -> list[int]:
    return random.Random(seed).choices(range(len(SHARES)), SHARES, k=count)


def _good(partition: int, key: str, timestamp_ms: int, event: str) -> Record:
    return Record("good", partition, key, event.encode(), timestamp_ms)


def _batches(goods: Iterable[Record], *, company: str, start: int) -> Iterator[tuple[int, list[Record]]]:
    chance = random.Random(company)
    for _ in range(3 * start):
        chance.random()  # what was drawn for those before
    number, batch = start // BATCH, list[Record]()
    for row, good in enumerate(goods, start):
        if row // BATCH != number:
            yield number, batch
            number, batch = row // BATCH, []
        batch += _with_company(row, good, chance.random(), chance.random(), chance.random())
    yield number, batch


def _with_company(row: int, good: Record, pretty: float, tombstone: float, broken: float) -> Iterator[Record]:
    """Give a good record and, rarely, a tombstone for its key or a broken record behind it."""
    yield good._replace(value=_pretty(good.value)) if pretty < _PRETTY else good
    if tombstone < _TOMBSTONES:
        yield good._replace(role="tombstone", value=None)
    if broken < _BROKEN:
        yield good._replace(role="broken", key=f"broken-{row}", value=_broken(good, row))


def _pretty(value: bytes | None) -> bytes:
    return json.dumps(json.loads(value or b"{}"), indent=2).encode()


def _broken(good: Record, row: int) -> bytes:
    """Break a record in one of the ways that topics know."""
    event = json.loads(good.value or b"{}") | {"id": f"broken-{row}"}
    without_id = {name: value for name, value in event.items() if name != "id"}
    wrong_type = event | {event["type"]: {"label": "delayed", "score": "high"}}
    ways = [
        json.dumps(event).encode()[:-20],  # not JSON
        json.dumps([event["id"]]).encode(),  # JSON, and no object
        json.dumps(without_id).encode(),
        json.dumps(wrong_type).encode(),
        b"",  # empty, and no tombstone
    ]
    return ways[row % len(ways)]


def _decoy(record: Record) -> Record:
    event = json.loads(record.value or b"{}")
    key = f"aborted-{record.key}"
    return record._replace(role="aborted", key=key, value=json.dumps(event | {"id": key}).encode())
