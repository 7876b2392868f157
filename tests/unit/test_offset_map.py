"""The map of a partition's offsets: each offset in one stretch, by what ledger and broker know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sluice.ledger import LedgerState, coverage, entries
from sluice.ledger.coverage import Intervals
from sluice.ledger.state import fold
from sluice.offset_map import KINDS, Kind, Known, map_of, offset_maps
from sluice.offsets import Bounds, OffsetRange, Partition
from tests.parts import WRITTEN, derived, genesis, window

A0, A1 = Partition("a", 0), Partition("a", 1)
MOST = 60
OFFSETS = st.integers(0, MOST)


def merged(pairs: Iterable[tuple[int, int]]) -> Intervals:
    return coverage.add({}, [OffsetRange(A0, min(pair), max(pair)) for pair in pairs]).get(A0, ())


INTERVALS = st.lists(st.tuples(OFFSETS, OFFSETS), max_size=6).map(merged)


@st.composite
def known(draw: st.DrawFn) -> Known:
    earliest, end = sorted((draw(OFFSETS), draw(OFFSETS)))
    start, position = sorted((draw(OFFSETS), draw(OFFSETS)))
    return Known(
        partition=A0,
        start=start,
        position=position,
        earliest=earliest,
        end=end,
        covered=draw(INTERVALS),
        backfilled=draw(INTERVALS),
        dropped=draw(INTERVALS),
        waiting=draw(INTERVALS),
    )


def by_definition(item: Known, offset: int) -> Kind:
    def within(intervals: Intervals) -> bool:
        return any(start <= offset < stop for start, stop in intervals)

    if within(item.waiting):
        return "waiting"
    if within(item.dropped):
        return "dropped"
    if within(item.backfilled):
        return "backfilled"
    if within(item.covered):
        return "ingested"
    if offset < item.earliest:
        return "gone"
    return "missing" if offset < item.position else "unread"


@given(known())
def test_the_stretches_of_a_partition_fill_it_from_the_lowest_offset_known_to_its_end(item: Known) -> None:
    found = map_of(item)
    inside = (item.covered, item.backfilled, item.dropped, item.waiting)
    edges = [edge for part in inside for pair in part for edge in pair]
    edges += [item.start, item.position, item.earliest, item.end]
    if min(edges) == max(edges):
        assert found.stretches == ()
    else:
        assert (found.start, found.stop) == (min(edges), max(edges))
    assert all(one.stop == other.start for one, other in pairwise(found.stretches))
    assert all(one.kind != other.kind for one, other in pairwise(found.stretches))
    assert all(one.span > 0 for one in found.stretches)


@given(known())
def test_each_offset_is_in_the_stretch_of_its_kind(item: Known) -> None:
    for stretch in map_of(item).stretches:
        assert {by_definition(item, offset) for offset in range(stretch.start, stretch.stop)} == {stretch.kind}


def bounds(partition: Partition, earliest: int, end: int) -> Bounds:
    return Bounds(partition=partition, earliest=earliest, end=end, high_watermark=end, topic_id="id of a")


def told(state: LedgerState, partition: Partition, earliest: int, end: int, *backfilled: OffsetRange) -> list[str]:
    (found,) = offset_maps(
        replace(state, backfilled=coverage.add({}, backfilled)),
        {partition: bounds(partition, earliest, end)},
        [partition],
    )
    return [f"{item.kind} {item.start}..{item.stop}" for item in found.stretches]


def settled(*log: entries.Entry) -> LedgerState:
    state = LedgerState.begin(genesis({"a": {0: 10, 1: 0}}))
    for entry in log:
        state = fold(state, entry)
    return state.settle(list(state.open))


def test_what_a_genesis_and_a_skip_left_is_missing_until_a_backfill_took_it() -> None:
    skip = entries.Skip(**WRITTEN, ranges=("a[0] 14..20",), reason="tried")
    state = settled(window("a[0] 10..14"), skip, window("a[0] 20..25"))
    assert told(state, A0, 5, 30) == [
        "missing 5..10",
        "ingested 10..14",
        "missing 14..20",
        "ingested 20..25",
        "unread 25..30",
    ]
    slot = OffsetRange(A0, 5, 12)
    taken = replace(state, covered=coverage.add(state.covered, [slot]))
    assert told(taken, A0, 5, 30, slot)[:3] == ["backfilled 5..12", "ingested 12..14", "missing 14..20"]


def test_what_retention_took_is_gone_before_the_position_and_behind_it() -> None:
    state = settled(window("a[0] 10..14"))
    assert told(state, A0, 20, 25) == ["ingested 10..14", "gone 14..20", "unread 20..25"]
    assert told(state, A1, 0, 0) == []
    assert told(state, Partition("a", 7), 3, 4) == ["gone 0..3", "unread 3..4"]


def test_what_is_sealed_and_not_delivered_waits_and_a_replay_of_what_is_delivered_does_not() -> None:
    state = fold(settled(window("a[0] 10..14")), window("a[0] 14..20", held="bad rows"))
    assert told(state, A0, 10, 20) == ["ingested 10..14", "waiting 14..20"]
    ended = fold(state, derived(2, "deliver", "a[0] 14..20"))
    assert told(ended, A0, 10, 20) == ["ingested 10..14", "waiting 14..20"]
    replayed = fold(ended.settle(list(ended.open)), derived(1, "replay", "a[0] 10..14"))
    assert replayed.open
    assert told(replayed, A0, 10, 20) == ["ingested 10..20"]


def test_a_map_counts_its_offsets_and_names_its_ranges() -> None:
    item = Known(partition=A0, start=0, position=9, earliest=2, end=12, covered=((1, 3), (5, 8)))
    found = map_of(item)
    assert found.counts == dict.fromkeys(KINDS, 0) | {"ingested": 5, "missing": 3, "gone": 1, "unread": 3}
    assert [str(part) for part in found.ranges("missing")] == ["a[0] 3..5", "a[0] 8..9"]
