"""Planning: the windows of a run cover its backlog, never overlap, keep the cap, and leave nobody behind."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import EndBelowPosition, OffsetsExpired, SluiceError, TopicRecreated
from sluice.offsets import Bounds, OffsetRange, Partition, remainder
from sluice.planning import Backlog, Plan, backlog_of, check_bounds, plan, share

caps = st.integers(1, 30)


@st.composite
def backlogs(draw: st.DrawFn) -> tuple[Backlog, ...]:
    """Some partitions, some caught up, some with offsets that expired, some expired altogether."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, 50))
        span = draw(st.sampled_from([0, 1, 2, 5, 40, 200]))
        earliest = draw(st.sampled_from([0, start, start + span // 2, start + span, start + span + 5]))
        found.append(Backlog(range=OffsetRange(Partition("a", number), start, start + span), earliest=earliest))
    return tuple(found)


@given(backlogs(), caps)
def test_the_windows_cover_the_backlog_and_never_overlap(backlog: tuple[Backlog, ...], cap: int) -> None:
    windows = plan(backlog, max_records=cap).windows
    for item in backlog:
        taken = [found for window in windows for found in window if found.partition == item.range.partition]
        assert all(one.is_adjacent_to(other) for one, other in pairwise(taken))
        assert sum(found.span for found in taken) == item.range.span
        assert not taken or (taken[0].start, taken[-1].stop) == (item.range.start, item.range.stop)


@given(backlogs(), caps)
def test_no_window_holds_more_records_than_the_cap_and_none_is_empty(backlog: tuple[Backlog, ...], cap: int) -> None:
    earliest = {item.range.partition: item.earliest for item in backlog}
    for window in plan(backlog, max_records=cap).windows:
        assert window
        assert all(item.span for item in window)
        assert sum(max(0, item.stop - max(item.start, earliest[item.partition])) for item in window) <= cap


@given(backlogs(), caps)
def test_every_window_but_the_last_is_full(backlog: tuple[Backlog, ...], cap: int) -> None:
    earliest = {item.range.partition: item.earliest for item in backlog}
    for window in plan(backlog, max_records=cap).windows[:-1]:
        assert sum(max(0, item.stop - max(item.start, earliest[item.partition])) for item in window) == cap


@given(backlogs(), caps, st.integers(0, 5))
def test_a_bounded_plan_is_the_beginning_of_the_whole_one(backlog: tuple[Backlog, ...], cap: int, most: int) -> None:
    whole = plan(backlog, max_records=cap).windows
    assert plan(backlog, max_records=cap, max_windows=most).windows == whole[:most]


@given(backlogs(), caps, st.integers(1, 3))
def test_planning_again_behind_what_was_taken_ends_with_nothing(
    backlog: tuple[Backlog, ...], cap: int, most: int
) -> None:
    left, taken = backlog, 0
    while (made := plan(left, max_records=cap, max_windows=most)).windows:
        taken += sum(item.span for window in made.windows for item in window)
        left = _behind(made)
    assert taken == sum(item.range.span for item in backlog)
    assert plan(left, max_records=cap).windows == ()


def _behind(made: Plan) -> tuple[Backlog, ...]:
    stops = {item.partition: item.stop for item in made.ranges}
    return tuple(
        Backlog(range=item.range.split(stops[item.range.partition])[1], earliest=item.earliest) for item in made.backlog
    )


@given(backlogs(), caps)
def test_a_caught_up_partition_stays_in_the_plan_with_an_empty_range(backlog: tuple[Backlog, ...], cap: int) -> None:
    made = plan(backlog, max_records=cap, max_windows=1)
    assert [item.partition for item in made.ranges] == [item.range.partition for item in backlog]
    assert all(taken.start == item.range.start for taken, item in zip(made.ranges, backlog, strict=True))


def test_a_partition_whose_backlog_expired_altogether_costs_a_window_nothing() -> None:
    gone = Backlog(range=OffsetRange(Partition("a", 0), 0, 1_000_000), earliest=2_000_000)
    rest = Backlog(range=OffsetRange(Partition("a", 1), 0, 4), earliest=0)
    assert plan([gone, rest], max_records=4).windows == ((gone.range, rest.range),)


def test_what_expired_goes_with_the_first_window_that_reaches_its_partition() -> None:
    item = Backlog(range=OffsetRange(Partition("a", 0), 0, 108), earliest=100)
    assert [str(window[0]) for window in plan([item], max_records=4).windows] == ["a[0] 0..104", "a[0] 104..108"]


def test_a_cap_below_the_number_of_partitions_goes_round_all_of_them() -> None:
    backlog = [Backlog(range=OffsetRange(Partition("a", number), 0, 3), earliest=0) for number in range(10)]
    first = plan(backlog, max_records=4, max_windows=3).windows
    assert Counter(item.partition.number for window in first for item in window).keys() == set(range(10))


def test_small_partitions_are_packed_into_one_window() -> None:
    backlog = [Backlog(range=OffsetRange(Partition("a", number), 0, 3), earliest=0) for number in range(5)]
    assert len(plan(backlog, max_records=15).windows) == 1


@given(st.lists(st.integers(0, 1000), max_size=9), st.integers(1, 300))
def test_a_shared_cap_is_used_up_or_not_needed(wants: list[int], cap: int) -> None:
    shares = share(wants, cap)
    assert sum(shares) == min(cap, sum(wants))
    assert all(0 <= got <= want for got, want in zip(shares, wants, strict=True))


@given(st.lists(st.integers(0, 10**9), max_size=9), st.integers(9, 300))
def test_nobody_goes_without_a_share_while_the_cap_lasts(wants: list[int], cap: int) -> None:
    assert all(got for got, want in zip(share(wants, cap), wants, strict=True) if want)


@given(st.lists(st.integers(0, 1000), max_size=9), st.integers(1, 300))
def test_who_wants_more_never_gets_less(wants: list[int], cap: int) -> None:
    pairs = sorted(zip(wants, share(wants, cap), strict=True))
    for (want, got), (more, got_more) in pairwise(pairs):
        assert want == more or got <= got_more


@given(backlogs(), st.data())
def test_what_a_cut_read_left_is_the_rest_of_its_window(backlog: tuple[Backlog, ...], data: st.DataObject) -> None:
    window = [item.range for item in backlog if item.range.span]
    read = [item.split(data.draw(st.integers(item.start, item.stop)))[0] for item in window]
    left = remainder(window, [item for item in read if item.span])
    assert sum(item.span for item in (*read, *left)) == sum(item.span for item in window)
    assert all(item.span for item in left)
    assert all(any(one.is_adjacent_to(item) for one in read) for item in left)


def test_the_backlog_reaches_from_the_position_to_the_end_of_the_snapshot() -> None:
    partition = Partition("a", 0)
    bounds = Bounds(partition=partition, earliest=3, end=9, high_watermark=9, topic_id="id")
    assert backlog_of({partition: 5}, {partition: bounds}) == (Backlog(range=OffsetRange(partition, 5, 9), earliest=3),)


@pytest.mark.parametrize(
    ("position", "topic_id", "on_expired", "problem"),
    [
        (5, "id", "fail", None),
        (3, "id", "fail", None),
        (9, "id", "fail", None),
        (2, "id", "record", None),
        (2, "id", "fail", OffsetsExpired),
        (10, "id", "record", EndBelowPosition),
        (5, "another", "record", TopicRecreated),
        (99, "another", "record", TopicRecreated),
    ],
)
def test_a_partition_goes_on_only_where_the_log_still_is(
    position: int, topic_id: str, on_expired: str, problem: type[SluiceError] | None
) -> None:
    bounds = Bounds(partition=Partition("a", 0), earliest=3, end=9, high_watermark=9, topic_id="id")
    if problem is None:
        check_bounds(position, bounds, topic_id, on_expired=on_expired)
        return
    with pytest.raises(problem, match=r"a\[0\]"):
        check_bounds(position, bounds, topic_id, on_expired=on_expired)
