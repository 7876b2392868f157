"""Samples: the newest or the oldest records of each partition, fairly shared, within one budget."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.clock import SystemClock
from sluice.offsets import Bounds, OffsetRange, Partition
from sluice.opening import KafkaTap
from sluice.records import ReadRange, Record, RecordList
from sluice.sampling import MAX_SECONDS, End, Sampler, shares

ZERO, ONE = Partition("flights", 0), Partition("flights", 1)


class Log:
    """A tap on the offsets that hold a record, by partition; all others are markers. Each read is noted."""

    def __init__(self, records: dict[Partition, Collection[int]], value: bytes = b"{}", most: int = 1_000_000) -> None:
        self._records = records
        self._value = value
        self._most = most
        self.reads: list[list[OffsetRange]] = []

    def snapshot(self, topics: Sequence[str], partitions: Collection[int] | None = None) -> dict[Partition, Bounds]:
        raise NotImplementedError

    def read(self, ranges: Sequence[OffsetRange], *, max_bytes: int, max_seconds: float) -> list[ReadRange]:
        assert max_bytes > 0
        assert max_seconds > 0
        self.reads.append(list(ranges))
        return [self._read(item) for item in ranges]

    def _read(self, wanted: OffsetRange) -> ReadRange:
        offsets = [offset for offset in sorted(self._records[wanted.partition]) if offset in wanted]
        stop = wanted.stop if len(offsets) <= self._most else offsets[self._most]
        made = [
            Record(partition=wanted.partition, offset=at, timestamp_ms=0, key=None, value=self._value, headers=())
            for at in offsets[: self._most]
        ]
        return ReadRange(range=OffsetRange(wanted.partition, wanted.start, stop), records=RecordList(made))


def sampled(log: Log, stops: dict[Partition, int], count: int, end: End = "newest") -> dict[Partition, list[int]]:
    spans = [OffsetRange(partition, 0, stop) for partition, stop in stops.items()]
    found: dict[Partition, list[int]] = {partition: [] for partition in stops}
    for record in Sampler(log, SystemClock()).take(spans, count, end).records:
        found[record.partition].append(record.offset)
    return found


def test_a_sample_is_the_newest_of_each_partition_or_the_oldest() -> None:
    log = Log({ZERO: range(100), ONE: range(3)})
    assert sampled(log, {ZERO: 100, ONE: 3}, 10) == {ZERO: [*range(93, 100)], ONE: [0, 1, 2]}
    assert sampled(log, {ZERO: 100, ONE: 3}, 10, "oldest") == {ZERO: [*range(7)], ONE: [0, 1, 2]}


@pytest.mark.parametrize("end", ["newest", "oldest"])
def test_a_sample_looks_further_where_offsets_hold_no_record(end: End) -> None:
    every = [offset for offset in range(1000) if offset % 40 == 20]
    expected = every[-8:] if end == "newest" else every[:8]
    assert sampled(Log({ZERO: every}), {ZERO: 1000}, 8, end) == {ZERO: expected}


def test_a_sample_looks_no_further_than_a_few_times() -> None:
    log = Log({ZERO: [5]})
    assert sampled(log, {ZERO: 10**9}, 4) == {ZERO: []}
    assert len(log.reads) == 7
    assert sum(item.span for ranges in log.reads for item in ranges) < 200_000


def test_a_sample_ends_where_a_limit_cuts_it() -> None:
    log = Log({ZERO: range(50)}, most=3)
    sample = Sampler(log, SystemClock()).take([OffsetRange(ZERO, 0, 50)], 10, "newest")
    assert (sample.is_cut, [record.offset for record in sample.records]) == (True, [38, 39, 40, 48, 49])


def test_of_several_partitions_each_is_tasted_before_a_limit_can_end_the_sample() -> None:
    log = Log({ZERO: range(50), ONE: range(49)}, value=b"x" * 10)
    sampler = Sampler(log, SystemClock(), max_bytes=30)
    sample = sampler.take([OffsetRange(ZERO, 0, 50), OffsetRange(ONE, 0, 50)], 20, "newest")
    assert [(str(record.partition), record.offset) for record in sample.records] == [
        ("flights[0]", 48),
        ("flights[0]", 49),
        ("flights[1]", 48),
    ]
    assert sample.is_cut


def test_one_budget_of_bytes_serves_all_samples() -> None:
    log = Log({ZERO: range(50)}, value=b"x" * 10)
    sampler = Sampler(log, SystemClock(), max_bytes=100)
    assert not sampler.take([OffsetRange(ZERO, 40, 50)], 10, "newest").is_cut
    read = len(log.reads)
    assert sampler.take([OffsetRange(ZERO, 0, 40)], 10, "oldest").is_cut
    assert len(log.reads) == read


@pytest.mark.parametrize("end", ["newest", "oldest"])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_what_a_partition_of_markers_does_not_have_the_others_give(end: End, count: int) -> None:
    found = sampled(Log({ZERO: [], ONE: range(50)}), {ZERO: 5, ONE: 50}, count, end)
    assert found == {ZERO: [], ONE: [*range(50 - count, 50)] if end == "newest" else [*range(count)]}


def test_nothing_is_read_where_there_is_nothing() -> None:
    log = Log({ZERO: []})
    assert sampled(log, {ZERO: 0}, 10) == {ZERO: []}
    assert log.reads == []


@given(st.lists(st.integers(0, 200), max_size=8), st.integers(1, 300))
def test_shares_hand_out_all_that_is_wanted_and_there_and_none_gets_much_more(spans: list[int], count: int) -> None:
    there = {Partition("flights", number): span for number, span in enumerate(spans)}
    found = shares(there, count)
    assert sum(found.values()) == min(count, sum(spans))
    assert all(found[partition] <= span for partition, span in there.items())
    unsated = [found[partition] for partition, span in there.items() if found[partition] < span]
    assert not unsated or max(found.values()) - min(unsated) <= 1


class Mute:
    """A source whose reader hears nothing: a read ends when it is told to stop, as behind records that were aborted."""

    def reader(self, *, stop: threading.Event, stall_s: float) -> Mute:
        assert stall_s < MAX_SECONDS
        self.stop = stop
        return self

    def read(self, ranges: Sequence[OffsetRange], **_: object) -> list[ReadRange]:
        assert self.stop.wait(60)
        return [ReadRange(range=item.split(item.start)[0], records=RecordList(())) for item in ranges]


def test_a_tap_ends_a_read_that_gets_nowhere() -> None:
    source: Any = Mute()
    sampler = Sampler(KafkaTap(source), SystemClock(), max_seconds=0.05)
    sample = sampler.take([OffsetRange(ZERO, 0, 50)], 10, "newest")
    assert (sample.records, sample.is_cut) == ([], True)
