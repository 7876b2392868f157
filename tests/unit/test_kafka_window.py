"""How a window is filled from what arrives, and where it is cut."""

from collections.abc import Iterable

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import EpochLost
from sluice.garbage import collecting_seldom
from sluice.offsets import OffsetRange, Partition
from sluice.sources.kafka_cursor import Cursor
from sluice.sources.kafka_records import MessageRecords
from sluice.sources.kafka_window import Window
from sluice.sources.limits import ReadLimits

AT = Partition("t", 0)
WIDE = ReadLimits(max_records=10_000, max_bytes=1 << 30, max_seconds=60)


def messages(offsets: Iterable[int], *, size: int = 10, epoch: int = 0) -> list[Message]:
    return [
        Message("t", 0, offset, b"", bytes(size), [], None, (TIMESTAMP_CREATE_TIME, 0), 0.0, epoch)
        for offset in offsets
    ]


def asking(start: int, epoch: int | None = None) -> Cursor:
    cursor = Cursor(AT, start, epoch)
    cursor.ask()
    return cursor


def test_what_is_read_beyond_the_stop_is_kept_for_the_next_window() -> None:
    cursor = asking(0)
    first = Window([(OffsetRange(AT, 0, 5), cursor)], WIDE)
    cursor.receive(messages(range(8)))
    first.take(AT)
    assert first.is_over
    assert first.results()[0].records.offsets() == [0, 1, 2, 3, 4]
    second = Window([(OffsetRange(AT, cursor.cut_at, 8), cursor)], WIDE)
    assert second.is_over
    assert second.results()[0].records.offsets() == [5, 6, 7]
    assert cursor.carried_bytes == 0


def test_a_record_behind_the_stop_proves_that_the_rest_is_invisible() -> None:
    cursor = asking(0)
    window = Window([(OffsetRange(AT, 0, 5), cursor)], WIDE)
    cursor.receive(messages([1, 9]))
    window.take(AT)
    (read,) = window.results()
    assert (read.range.stop, read.records.offsets()) == (5, [1])


def test_the_end_of_the_partition_proves_it_too() -> None:
    cursor = asking(0)
    window = Window([(OffsetRange(AT, 0, 5), cursor)], WIDE)
    cursor.reach(4)
    window.take(AT)
    assert not window.is_over
    cursor.reach(5)
    window.take(AT)
    assert window.is_over


def test_a_cut_counts_only_what_expired_before_it() -> None:
    cursor = asking(0)
    cursor.receive(messages(range(4)))
    cursor.expire(10)
    cursor.ask()
    cursor.receive(messages(range(10, 12)))
    window = Window([(OffsetRange(AT, 0, 12), cursor)], ReadLimits(max_records=4, max_bytes=1 << 30, max_seconds=1))
    (read,) = window.results()
    assert (read.range.stop, read.expired, len(read.records)) == (10, 6, 4)
    rest = Window([(OffsetRange(AT, 10, 12), cursor)], WIDE).results()[0]
    assert (rest.expired, rest.records.offsets()) == (0, [10, 11])


def test_what_is_dropped_is_asked_for_again() -> None:
    cursor = asking(0)
    cursor.receive(messages(range(4)))
    cursor.expire(10)
    cursor.drop()
    assert (cursor.seen, cursor.carried_bytes, cursor.expired_in(OffsetRange(AT, 0, 12))) == (0, 0, 0)


def test_the_record_before_is_fetched_once_more_to_compare_its_epoch() -> None:
    cursor = Cursor(AT, 10, epoch=3)
    assert cursor.ask() == 9
    cursor.receive(messages(range(9, 12), epoch=3))
    window = Window([(OffsetRange(AT, 10, 12), cursor)], WIDE)
    assert window.results()[0].records.offsets() == [10, 11]


@pytest.mark.parametrize(
    ("first", "epoch", "is_lost"), [(9, 3, False), (9, 2, True), (9, 4, True), (12, 4, False), (12, 2, True)]
)
def test_an_epoch_is_lost_if_the_record_before_is_another_or_a_later_one_is_older(
    first: int, epoch: int, is_lost: bool
) -> None:
    cursor = asking(10, epoch=3)
    if is_lost:
        with pytest.raises(EpochLost, match=f"offset {first} is of leader epoch {epoch}"):
            cursor.receive(messages([first], epoch=epoch))
    else:
        cursor.receive(messages([first], epoch=epoch))


def test_a_first_offset_or_an_unknown_epoch_looks_back_at_nothing() -> None:
    assert Cursor(AT, 0, epoch=3).ask() == 0
    assert Cursor(AT, 10, epoch=None).ask() == 10
    gone = Cursor(AT, 10, epoch=3)
    gone.looks_back = False
    assert gone.ask() == 10


@given(
    offsets=st.sets(st.integers(0, 200), min_size=1),
    batches=st.lists(st.integers(1, 40), min_size=1),
    spans=st.lists(st.integers(0, 60), min_size=1),
    limits=st.builds(
        ReadLimits, max_records=st.integers(1, 30), max_bytes=st.integers(1, 300), max_seconds=st.just(1.0)
    ),
)
def test_windows_one_behind_the_other_are_everything_once(
    offsets: set[int], batches: list[int], spans: list[int], limits: ReadLimits
) -> None:
    coming, found, position, turn = messages(sorted(offsets)), [], 0, 0
    cursor = asking(0)
    while position < 201:
        span = OffsetRange(AT, position, min(201, position + max(1, spans[turn % len(spans)])))
        window = Window([(span, cursor)], limits)
        while not window.is_over:
            batch, coming = coming[: batches[turn % len(batches)]], coming[batches[turn % len(batches)] :]
            if batch:
                cursor.receive(batch)
            else:
                cursor.reach(201)
            window.take(AT)
        (read,) = window.results()
        assert read.range.span > 0
        assert len(read.records) <= limits.max_records
        assert len(read.records) * 10 <= limits.max_bytes or len(read.records) == 1
        found += read.records.offsets()
        position, turn = read.range.stop, turn + 1
    assert found == sorted(offsets)


def test_offsets_are_right_where_they_are_dense_and_where_not() -> None:
    for offsets in ([], [7], [3, 4, 5], [3, 5, 6]):
        assert MessageRecords(AT, messages(offsets)).offsets() == offsets


def test_a_window_needs_room_for_a_record() -> None:
    for wrong in ({"max_records": 0}, {"max_bytes": 0}, {"max_seconds": 0}):
        with pytest.raises(ValueError, match="room for a record"):
            ReadLimits(**{"max_records": 1, "max_bytes": 1, "max_seconds": 1, **wrong})


def test_the_collector_is_as_before_when_the_last_one_has_left() -> None:
    import gc

    before = gc.get_threshold()
    with collecting_seldom:
        with collecting_seldom:
            assert gc.get_threshold()[0] >= 200_000
        assert gc.get_threshold()[0] >= 200_000
    assert gc.get_threshold() == before
