"""The records of an entry, read from Kafka once more and mapped as they were then."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from sluice.aim import aimed_at
from sluice.clock import epoch_s_of
from sluice.errors import (
    START_ANEW,
    EndBelowPosition,
    LedgerDamaged,
    NothingToReplay,
    OffsetsExpired,
    SourceUnavailable,
    TopicRecreated,
)
from sluice.ledger.entries import Derived, LedgerRange
from sluice.mapping import PLACE
from sluice.offsets import Balance, Bounds, CountedRange, OffsetRange, remainder
from sluice.pipeline import Pipeline, parse_pipeline
from sluice.replay.origin import Origin
from sluice.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgain:
    """Rows as they are made now, and what became of each offset."""

    frame: pl.DataFrame
    ranges: tuple[LedgerRange, ...]

    @property
    def balance(self) -> Balance:
        return sum((item.counted.balance for item in self.ranges), Balance())


def read_again(run: Run, origin: Origin) -> ReadAgain:
    """Read the ranges of an entry again, and map them by its own file and clock.

    Args:
        run: its limits cut the reading into pieces; each is mapped before the next is read.

    Raises:
        SluiceError: Kafka has not all of it any more, or another topic, or the file of then cannot be read.
    """
    pipeline, now_s = pipeline_of(run, origin), epoch_s_of(origin.maker.written_at)
    left = still_there(run, origin)
    mapped = [run.sealing.map_as(pipeline, (), now_s=now_s)]  # without a record it gives the columns
    while left:
        read = run.read(left, {})
        _check_read(left, [item for item in read if item.expired], is_further=bool(read))
        mapped.append(run.sealing.map_as(pipeline, read, now_s=now_s))
        left = remainder(left, [item.range for item in read])
    counted = [item for window in mapped for item in window.counted]
    return ReadAgain(
        frame=pl.concat([item.frame for item in mapped]).sort(list(PLACE)),
        ranges=tuple(_counted(item, counted) for item in origin.maker.ranges),
    )


def pipeline_of(run: Run, origin: Origin) -> Pipeline:
    """Return the pipeline that made the rows of an entry, from the file that was kept."""
    key = run.ledger.keys.pipeline_file(origin.maker.pipeline_sha256)
    text = run.store.read(key)
    if text is None or hashlib.sha256(text).hexdigest() != origin.maker.pipeline_sha256:
        wrong = "is missing" if text is None else "is not the file any more that it is called after"
        raise LedgerDamaged(f"{key} {wrong}", "Bring it back from a backup or a version; or take the staged file")
    # Of actuals where they go is said by the file of their predictions, which may say otherwise by now.
    pipeline = parse_pipeline(text, key, origin.maker.destination.aim)
    if origin.claim is None:
        return pipeline
    _, claim = origin.claim
    return aimed_at(pipeline, model=claim.model, version=claim.version)


def still_there(run: Run, origin: Origin) -> tuple[OffsetRange, ...]:
    """Return what of an entry's ranges was not expired when it was read, after checking that it is there still.

    Raises:
        OffsetsExpired, TopicRecreated, EndBelowPosition, TopicMissing: it is not.
        NothingToReplay: its rows are not all the rows of its ranges.
    """
    if isinstance(origin.entry, Derived) and origin.entry.purpose == "rejected":
        raise NothingToReplay(f"Entry {origin.name} has only some rows of its ranges", "Take the staged file")
    bounds = run.source.snapshot(sorted({item.topic for item in origin.maker.ranges}))
    found = (_still_there(item, bounds.get(item.range.partition)) for item in origin.maker.ranges)
    return tuple(item for item in found if item.span)


def _still_there(item: LedgerRange, bounds: Bounds | None) -> OffsetRange:
    partition = item.range.partition
    if bounds is None or bounds.topic_id != item.topic_id:
        raise TopicRecreated(f"{partition} is not the one any more that was read", START_ANEW)
    if bounds.end < item.stop:
        raise EndBelowPosition(f"{partition} ends at offset {bounds.end}, below {item.range}", START_ANEW)
    start = min(item.stop, max(item.start, bounds.earliest))
    if start - item.start > item.balance.get("expired", 0):
        raise _expired(OffsetRange(partition, item.start, start))
    return OffsetRange(partition, start, item.stop)


def _check_read(wanted: Sequence[OffsetRange], expired: Sequence[object], *, is_further: bool) -> None:
    if expired:
        raise _expired(wanted[0])
    if not is_further:
        raise SourceUnavailable(f"Nothing of {', '.join(map(str, wanted))} was read", "Run again")


def _expired(gone: OffsetRange) -> OffsetsExpired:
    return OffsetsExpired(f"{gone}: Kafka has deleted of this since it was delivered", "Take the staged file")


def _counted(then: LedgerRange, pieces: Sequence[CountedRange]) -> LedgerRange:
    """Put the pieces of a range together; what of it had expired before is expired still."""
    mine = [item for item in pieces if item.range.partition == then.range.partition]
    expired = then.range.span - sum(item.range.span for item in mine)
    balance = sum((item.balance for item in mine), Balance(expired=expired))
    epochs = [item.leader_epoch for item in mine if item.leader_epoch is not None]
    counted = CountedRange(range=then.range, balance=balance, leader_epoch=epochs[-1] if epochs else None)
    return LedgerRange.of(counted, then.topic_id)
