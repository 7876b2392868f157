"""A window's records into rows: decode, map, validate; what is left out is counted, each offset once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Self

import polars as pl

from sluice.choosing import Chosen, choose
from sluice.decoding.json import ROW, decode
from sluice.decoding.projection import Projection
from sluice.mapping import map_columns, own_columns, own_fields, schema
from sluice.mapping import rules as mapping_rules
from sluice.offsets import Balance, CountedRange, OffsetRange, Partition
from sluice.pipeline import FromRecord, Pipeline, When
from sluice.records import ReadRange, RecordList, Rejected
from sluice.redaction import Redaction
from sluice.validation import reasons
from sluice.validation import rules as validation_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedWindow:
    """What became of the records of a window.

    Attributes:
        frame: the good rows by topic, partition and offset, which are its first columns; then the pipeline's, always
            of the same types.
        rejected: the bad records in the same order, with their reasons.
        counted: the ranges in the order in which they were given, each with its balance.
    """

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]
    counted: tuple[CountedRange, ...]


def kept_window(pipeline: Pipeline, ranges: Sequence[ReadRange], redaction: Redaction, *, now_s: float) -> MappedWindow:
    """Do as `map_window`, and hash in the rows what the pipeline hashes; the rejected records are whole still."""
    mapped = map_window(pipeline, ranges, now_s=now_s)
    return replace(mapped, frame=redaction.rows(mapped.frame, pipeline.columns()))


def map_window(pipeline: Pipeline, ranges: Sequence[ReadRange], *, now_s: float) -> MappedWindow:
    """Decode, map and validate the records of a window.

    Args:
        ranges: what was read, in any order; no offset twice.
        now_s: the clock, in epoch seconds: timestamps are judged by it.

    Raises:
        WrongPipelineFile: two columns read one field of the event as different types.
    """
    columns = pipeline.columns()
    events = [_Events.of(item, pipeline.when) for item in sorted(ranges, key=lambda item: item.range)]
    decoded = decode([value for item in events for value in item.chosen.values], Projection.of(columns))
    rows = _own(events, own_fields(columns))
    # Gathering copies every column; where nothing was rejected the rows already are the decoded ones.
    kept = rows[decoded.frame[ROW]] if decoded.rejected else rows
    mapped = map_columns(kept.hstack(decoded.frame), columns)
    why = reasons(mapped, (*mapping_rules(columns), *validation_rules(pipeline, now_s=now_s)))
    bad = decoded.rejected | dict(mapped.select(ROW, why).filter(why.is_not_null()).iter_rows())
    good = mapped if why.null_count() == len(why) else mapped.filter(why.is_null())
    rejected = _rejected(events, bad)
    counted = {item.read.range: _count(item, len(its)) for item, its in zip(events, rejected, strict=True)}
    return MappedWindow(
        frame=good.select(schema(columns).names()),
        rejected=tuple(chain.from_iterable(rejected)),
        counted=tuple(counted[item.range] for item in ranges),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """The records of one range, and which of them are the pipeline's."""

    read: ReadRange
    chosen: Chosen

    @classmethod
    def of(cls, read: ReadRange, when: When | None) -> Self:
        return cls(read=read, chosen=choose(when, read.records))

    def own(self, fields: Sequence[FromRecord]) -> pl.DataFrame:
        """Return the place of each record, and the fields of its own that are asked for."""
        partition, records = self.read.range.partition, self.read.records
        columns = [pl.Series("offset", records.offsets(), pl.Int64), *own_columns(fields, records)]
        frame = pl.DataFrame(columns).select(
            pl.lit(partition.topic).alias("topic"), pl.lit(partition.number, pl.Int32).alias("partition"), pl.all()
        )
        return frame if isinstance(self.chosen.at, range) else frame[self.chosen.at]


_NOTHING = ReadRange(range=OffsetRange(Partition("", 0), 0, 0), records=RecordList(()))


def _own(events: Sequence[_Events], fields: Sequence[FromRecord]) -> pl.DataFrame:
    # Nothing at all is a range too: it gives a window without ranges its columns.
    return pl.concat([item.own(fields) for item in (_Events.of(_NOTHING, None), *events)])


def _rejected(events: Sequence[_Events], bad: Mapping[int, str]) -> list[list[Rejected]]:
    """Return the rejected of each range; the keys of `bad` are rows counted over all ranges."""
    rows = sorted(bad)
    ends = accumulate(len(item.chosen.at) for item in events)
    return [
        _rejected_of(item, {row - end: bad[row] for row in _between(rows, end - len(item.chosen.at), end)})
        for item, end in zip(events, ends, strict=True)
    ]


def _between(rows: Sequence[int], start: int, stop: int) -> Sequence[int]:
    return rows[bisect_left(rows, start) : bisect_left(rows, stop)]


def _rejected_of(events: _Events, bad: Mapping[int, str]) -> list[Rejected]:
    """Return the rejected of a range; the keys of `bad` are positions among those chosen, counted from their end."""
    reasons = {**events.chosen.unclear, **{events.chosen.at[row]: reason for row, reason in bad.items()}}
    records = events.read.records
    return [Rejected(record=records.record(at), reason=reasons[at]) for at in sorted(reasons)]


def _count(events: _Events, rejected: int) -> CountedRange:
    read, chosen = events.read, events.chosen
    with_value = len(chosen.at) + chosen.filtered + len(chosen.unclear)
    balance = Balance(
        staged=len(chosen.at) + len(chosen.unclear) - rejected,
        tombstones=len(read.records) - with_value,
        rejected=rejected,
        filtered=chosen.filtered,
        invisible=read.range.span - read.expired - len(read.records),
        expired=read.expired,
    )
    return CountedRange(range=read.range, balance=balance, leader_epoch=read.leader_epoch)
