"""What Kafka really does at the edges of a window, and what the source makes of it. All against Apache Kafka itself."""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deployments.local.kafka import Kafka, running_kafka, wait_for_markers
from deployments.local.ports import free_port
from deployments.local.processes import wait_until
from sluice.errors import (
    EndBelowPosition,
    EpochLost,
    GroupInUse,
    GroupNotAllowed,
    OffsetsExpired,
    SourceRefused,
    SourceUnavailable,
    TopicMissing,
    TopicNotAllowed,
    WrongSettings,
)
from sluice.offsets import GroupOffset, OffsetRange, Partition, remainder
from sluice.records import ReadRange
from sluice.sources.kafka import KafkaSource
from sluice.sources.kafka_reader import Reader
from sluice.sources.limits import ReadLimits

DEADLINE_S = 30
WIDE = ReadLimits(max_records=1_000_000, max_bytes=1 << 30, max_seconds=60)
# One small batch a fetch and hardly any queue: nothing is prefetched that a test then takes away.
TIMID = {"queued.max.messages.kbytes": "1", "queued.min.messages": "1", "fetch.message.max.bytes": "1000"}

Topics = Callable[..., str]


@pytest.fixture(scope="module")
def admin(kafka: Kafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers})


@pytest.fixture
def topic(admin: AdminClient, request: pytest.FixtureRequest) -> Topics:
    def make(partitions: int = 1, **config: str) -> str:
        return made_topic(admin, f"t-{uuid.uuid4().hex[:12]}", partitions, **config)

    return make


@pytest.fixture
def source(kafka: Kafka) -> Iterator[KafkaSource]:
    with KafkaSource({"bootstrap.servers": kafka.bootstrap_servers}, group=f"g-{uuid.uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def reader(source: KafkaSource) -> Iterator[Reader]:
    with source.reader(stall_s=DEADLINE_S) as made:
        yield made


def made_topic(admin: AdminClient, name: str, partitions: int = 1, **config: str) -> str:
    wanted = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    admin.create_topics([wanted])[name].result()
    wait_until(lambda: name in admin.list_topics().topics, DEADLINE_S, f"topic {name}")
    return name


def producer(kafka: Kafka, **properties: str | int) -> Producer:
    named = {key.replace("_", "."): value for key, value in properties.items()}
    return Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 0, **named}, logger=logging.getLogger("x")
    )


def produce(kafka: Kafka, topic: str, count: int, *, partition: int = 0, size: int = 10, first: int = 0) -> None:
    """Values that say their offset, if the partition was empty, padded to a size."""
    writing = producer(kafka, batch_size=10_000, linger_ms=1)
    for number in range(first, first + count):
        writing.produce(topic, b"%d" % number + b"." * (size - len(str(number))), partition=partition)
        writing.poll(0)
    assert writing.flush(DEADLINE_S) == 0


def whole(source: KafkaSource, topic: str) -> list[OffsetRange]:
    return [OffsetRange(item, bounds.earliest, bounds.end) for item, bounds in source.snapshot([topic]).items()]


def read_all(
    reader: Reader, ranges: Sequence[OffsetRange], limits: ReadLimits, on_expired: str = "fail"
) -> list[ReadRange]:
    """Read window after window, as a run does, until nothing is left; each must get somewhere."""
    pieces: list[ReadRange] = []
    left = tuple(item for item in ranges if item.span)
    while left:
        read = reader.read(left, limits=limits, on_expired="record" if on_expired == "record" else "fail")
        assert [item.range.start for item in read] == [item.start for item in left]
        assert sum(item.range.span for item in read) > 0
        assert sum(len(item.records) for item in read) <= limits.max_records
        pieces += read
        left = remainder(left, [item.range for item in read])
    return pieces


def read_all_but_expired(reader: Reader, ranges: Sequence[OffsetRange]) -> list[ReadRange]:
    pieces: list[ReadRange] = []
    while True:
        try:
            pieces += reader.read(remainder(ranges, [item.range for item in pieces]), limits=WIDE, on_expired="fail")
        except OffsetsExpired:
            return pieces


def offsets_of(read: Sequence[ReadRange]) -> list[int]:
    return [offset for item in read for offset in item.records.offsets()]


def delete_below(admin: AdminClient, topic: str, offset: int, partition: int = 0) -> None:
    for future in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        future.result()


class TestReadingToTheStop:
    def test_a_range_ends_at_its_stop_though_the_partition_goes_on(
        self, kafka: Kafka, topic: Topics, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 100)
        (read,) = reader.read([OffsetRange(Partition(name, 0), 20, 70)], limits=WIDE, on_expired="fail")
        assert read.range == OffsetRange(Partition(name, 0), 20, 70)
        assert read.records.offsets() == list(range(20, 70))
        assert [int((value or b"").rstrip(b".")) for value in read.records.values()] == list(range(20, 70))
        assert read.leader_epoch is not None
        assert read.expired == 0

    def test_the_marker_of_a_committed_transaction_at_the_end_is_an_offset_without_a_record(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic()
        with_transaction(kafka, name, [(5, True)])
        (span,) = whole(source, name)
        assert span.stop == 6
        (read,) = reader.read([span], limits=WIDE, on_expired="fail")
        assert (read.range, len(read.records)) == (span, 5)

    def test_aborted_records_are_invisible(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic()
        with_transaction(kafka, name, [(3, True), (4, False), (2, True)])
        (span,) = whole(source, name)
        (read,) = reader.read([span], limits=WIDE, on_expired="fail")
        assert read.range.span == 12
        assert read.records.offsets() == [0, 1, 2, 9, 10]

    def test_a_range_of_nothing_but_invisible_offsets_is_read_and_empty(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic()
        with_transaction(kafka, name, [(500, False)])
        (span,) = whole(source, name)
        (read,) = reader.read([span], limits=WIDE, on_expired="fail")
        assert (read.range, len(read.records), read.leader_epoch) == (span, 0, None)
        (tail,) = reader.read([OffsetRange(span.partition, 400, 501)], limits=WIDE, on_expired="fail")
        assert (tail.range.span, len(tail.records)) == (101, 0)

    def test_a_range_may_end_among_invisible_offsets_with_records_behind_them(
        self, kafka: Kafka, topic: Topics, reader: Reader
    ) -> None:
        name = topic()
        with_transaction(kafka, name, [(3, True), (4, False), (2, True)])
        at = Partition(name, 0)
        for stop, expected in ((6, [0, 1, 2]), (9, []), (10, [9])):
            start = {6: 0, 9: 6, 10: 9}[stop]
            (read,) = reader.read([OffsetRange(at, start, stop)], limits=WIDE, on_expired="fail")
            assert (read.range.stop, read.records.offsets()) == (stop, expected)

    def test_an_open_transaction_ends_the_snapshot_at_the_last_stable_offset(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic()
        produce(kafka, name, 7)
        writing = producer(kafka, transactional_id=name)
        writing.init_transactions(DEADLINE_S)
        writing.begin_transaction()
        for _ in range(5):
            writing.produce(name, b"open", partition=0)
        writing.flush(DEADLINE_S)
        (bounds,) = source.snapshot([name]).values()
        assert (bounds.end, bounds.high_watermark) == (7, 12)
        (span,) = whole(source, name)
        (read,) = reader.read([span], limits=WIDE, on_expired="fail")
        assert read.records.offsets() == list(range(7))
        writing.commit_transaction(DEADLINE_S)
        (more,) = reader.read([OffsetRange(span.partition, 7, 13)], limits=WIDE, on_expired="fail")
        assert more.records.offsets() == list(range(7, 12))

    def test_a_compacted_topic_has_gaps(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, source: KafkaSource
    ) -> None:
        name = topic(
            cleanup_policy="compact", min_cleanable_dirty_ratio="0.01", segment_ms="100", delete_retention_ms="0"
        )
        writing = producer(kafka, linger_ms=5)
        for number in range(300):
            writing.produce(name, b"v%d" % number, key=b"k%d" % (number % 3), partition=0)
        writing.flush(DEADLINE_S)

        def is_compacted() -> bool:
            # Only a closed segment is compacted, and one is closed only by a later record.
            writing.produce(name, b"tick", key=b"tick", partition=0)
            writing.flush(DEADLINE_S)
            (span,) = whole(source, name)
            with source.reader() as fresh:
                (read,) = fresh.read([span], limits=WIDE, on_expired="fail")
            assert read.range == span
            offsets = read.records.offsets()
            return len(offsets) < span.span and offsets[0] >= 297

        wait_until(is_compacted, DEADLINE_S, "compaction")
        with source.reader() as fresh:
            (inside,) = fresh.read([OffsetRange(Partition(name, 0), 100, 200)], limits=WIDE, on_expired="fail")
        assert (inside.range.span, len(inside.records), inside.expired) == (100, 0, 0)

    def test_empty_ranges_cost_nothing_and_come_back_in_their_place(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic(3)
        produce(kafka, name, 10, partition=1)
        ranges = whole(source, name)
        assert [item.span for item in ranges] == [0, 10, 0]
        read = reader.read(ranges, limits=WIDE, on_expired="fail")
        assert [item.range for item in read] == ranges
        assert offsets_of(read) == list(range(10))
        assert reader.read([ranges[0]], limits=WIDE, on_expired="fail")[0].range == ranges[0]

    def test_several_topics_and_partitions_are_one_window(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        names = [topic(2), topic(3)]
        for name, partition, count in ((names[0], 0, 50), (names[0], 1, 3), (names[1], 0, 20), (names[1], 2, 700)):
            produce(kafka, name, count, partition=partition)
        bounds = source.snapshot(names)
        assert [str(item) for item in bounds] == [f"{names[0]}[{n}]" for n in range(2)] + [
            f"{names[1]}[{n}]" for n in range(3)
        ]
        assert len({item.topic_id for item in bounds.values()}) == 2
        read = reader.read(
            [OffsetRange(p, b.earliest, b.end) for p, b in bounds.items()], limits=WIDE, on_expired="fail"
        )
        assert [item.records.offsets() for item in read] == [list(range(n)) for n in (50, 3, 20, 0, 700)]

    def test_two_ranges_of_one_partition_are_refused(self, reader: Reader) -> None:
        twice = [OffsetRange(Partition("t", 0), 0, 5), OffsetRange(Partition("t", 0), 5, 9)]
        with pytest.raises(ValueError, match="one range of a partition"):
            reader.read(twice, limits=WIDE, on_expired="fail")

    def test_records_come_whole(self, kafka: Kafka, topic: Topics, reader: Reader) -> None:
        name = topic(**{"retention.ms": "-1"})  # the records are older than the default lets them become
        writing = producer(kafka)
        headers: list[tuple[str, str | bytes | None]] = [("a", b"1"), ("a", b"2"), ("none", None)]
        writing.produce(name, b"v", key=b"k", partition=0, headers=headers, timestamp=1_700_000_000_123)
        writing.produce(name, None, key=b"gone", partition=0, timestamp=1_700_000_000_124)
        writing.produce(name, b"", partition=0, timestamp=1_700_000_000_125)
        writing.flush(DEADLINE_S)
        (read,) = reader.read([OffsetRange(Partition(name, 0), 0, 3)], limits=WIDE, on_expired="fail")
        records = read.records
        assert records.values() == [b"v", None, b""]
        assert records.keys() == [b"k", b"gone", None]
        assert records.headers() == [(("a", b"1"), ("a", b"2"), ("none", None)), (), ()]
        assert records.timestamps_ms() == [1_700_000_000_123, 1_700_000_000_124, 1_700_000_000_125]
        first = records.record(0)
        assert (first.partition, first.offset, first.key, first.value) == (Partition(name, 0), 0, b"k", b"v")
        assert first.headers == (("a", b"1"), ("a", b"2"), ("none", None))

    def test_records_bigger_than_any_fetch_come_through(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic(max_message_bytes=str(30 << 20))
        writing = producer(kafka, message_max_bytes=30 << 20)
        sizes = [10, 3 << 20, 20 << 20, 10, 1 << 20]
        for size in sizes:
            writing.produce(name, bytes(size), partition=0)
            writing.flush(DEADLINE_S)
        narrow = ReadLimits(max_records=100, max_bytes=1 << 20, max_seconds=60)
        pieces = read_all(reader, whole(source, name), narrow)
        assert [len(value or b"") for item in pieces for value in item.records.values()] == sizes
        assert [len(item.records) for item in pieces] == [1, 1, 1, 1, 1]


def with_transaction(kafka: Kafka, topic: str, batches: Sequence[tuple[int, bool]]) -> None:
    """Write transactions of so many records, each committed or aborted; each leaves a marker."""
    writing = producer(kafka, transactional_id=f"x-{topic}")
    writing.init_transactions(DEADLINE_S)
    for count, is_committed in batches:
        writing.begin_transaction()
        for _ in range(count):
            writing.produce(topic, b"x" * 50, partition=0)
        writing.flush(DEADLINE_S)
        (writing.commit_transaction if is_committed else writing.abort_transaction)(DEADLINE_S)
    wait_for_markers(kafka.bootstrap_servers, topic)


class TestCutting:
    def test_a_window_is_cut_at_max_records_and_goes_on_exactly_there(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 1000)
        pieces = read_all(reader, whole(source, name), ReadLimits(max_records=300, max_bytes=1 << 30, max_seconds=60))
        assert [str(item.range) for item in pieces] == [
            f"{name}[0] {start}..{stop}" for start, stop in ((0, 300), (300, 600), (600, 900), (900, 1000))
        ]
        assert offsets_of(pieces) == list(range(1000))

    def test_a_window_is_cut_at_max_bytes_and_a_bigger_record_comes_alone(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 10, size=100)
        produce(kafka, name, 1, size=5000, first=10)
        produce(kafka, name, 10, size=100, first=11)
        pieces = read_all(reader, whole(source, name), ReadLimits(max_records=1000, max_bytes=450, max_seconds=60))
        assert [len(item.records) for item in pieces] == [4, 4, 2, 1, 4, 4, 2]
        assert offsets_of(pieces) == list(range(21))

    def test_a_window_out_of_time_is_cut_but_has_got_somewhere(
        self, kafka: Kafka, topic: Topics, source: KafkaSource
    ) -> None:
        produce(kafka, name := topic(), 5000, size=100)
        timid = KafkaSource({"bootstrap.servers": kafka.bootstrap_servers, **TIMID}, group="g")
        with timid, timid.reader() as slow:
            at_once = ReadLimits(max_records=10_000, max_bytes=1 << 30, max_seconds=1e-9)
            pieces = read_all(slow, whole(source, name), at_once)
        assert len(pieces) > 1
        assert offsets_of(pieces) == list(range(5000))

    def test_a_partition_that_a_cut_did_not_reach_has_an_empty_range(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic(2)
        for partition in (0, 1):
            produce(kafka, name, 5, partition=partition)
        ranges = whole(source, name)
        read = reader.read(
            ranges, limits=ReadLimits(max_records=1, max_bytes=1 << 30, max_seconds=60), on_expired="fail"
        )
        assert sorted(item.range.span for item in read) == [0, 1]
        left = remainder(ranges, [item.range for item in read])
        rest = reader.read(left, limits=WIDE, on_expired="fail")
        assert sorted(offsets_of(read) + offsets_of(rest)) == sorted([*range(5), *range(5)])

    def test_a_stop_ends_a_read_within_a_moment(self, kafka: Kafka, topic: Topics, source: KafkaSource) -> None:
        produce(kafka, name := topic(), 5)
        stop = threading.Event()
        beyond = OffsetRange(Partition(name, 0), 0, 6)  # a stop that Kafka never reaches
        with source.reader(stop=stop) as stopped:
            threading.Timer(1, stop.set).start()
            (read,) = stopped.read([beyond], limits=WIDE, on_expired="fail")
        assert (read.range.stop, len(read.records)) == (5, 5)

    def test_random_windows_one_behind_the_other_are_everything_once(
        self, kafka: Kafka, topic: Topics, source: KafkaSource
    ) -> None:
        name, chance = topic(3), random.Random(20240229)
        visible: dict[Partition, list[int]] = {}
        for partition in range(3):
            produce(kafka, name, 800, partition=partition, size=200)
        writing = producer(kafka, transactional_id=f"x-{name}")
        writing.init_transactions(DEADLINE_S)
        for _ in range(20):
            writing.begin_transaction()
            for _ in range(chance.randrange(1, 20)):
                writing.produce(name, b"t" * chance.randrange(1, 300), partition=chance.randrange(3))
            writing.flush(DEADLINE_S)
            (writing.commit_transaction if chance.random() < 0.5 else writing.abort_transaction)(DEADLINE_S)
        wait_for_markers(kafka.bootstrap_servers, name)
        ranges = whole(source, name)
        with source.reader() as once:
            for item in once.read(ranges, limits=WIDE, on_expired="fail"):
                visible[item.range.partition] = item.records.offsets()
        assert min(map(len, visible.values())) >= 800
        for carry_bytes in (16 << 20, 20_000, 0):
            with source.reader(carry_bytes=carry_bytes, stall_s=DEADLINE_S) as one:
                for _ in range(2):  # each round goes back to the start with the same reader
                    check_round(one, ranges, visible, chance)


def check_round(
    reader: Reader, ranges: Sequence[OffsetRange], visible: dict[Partition, list[int]], chance: random.Random
) -> None:
    found: dict[Partition, list[int]] = {item.partition: [] for item in ranges}
    positions = {item.partition: item.start for item in ranges}
    stops = {item.partition: item.stop for item in ranges}
    while left := [p for p in positions if positions[p] < stops[p]]:
        chosen = chance.sample(left, chance.randrange(1, len(left) + 1))
        spans = [OffsetRange(p, positions[p], min(stops[p], positions[p] + chance.randrange(0, 300))) for p in chosen]
        limits = ReadLimits(
            max_records=chance.choice([1, 50, 1000]), max_bytes=chance.choice([1, 5000, 1 << 20]), max_seconds=60
        )
        for item in reader.read(spans, limits=limits, on_expired="fail"):
            offsets = item.records.offsets()
            assert all(offset in item.range for offset in offsets)
            assert item.expired == 0
            found[item.range.partition] += offsets
            positions[item.range.partition] = item.range.stop
    assert found == visible


class TestExpired:
    @pytest.mark.parametrize("lowest", [40, 100])
    def test_what_was_deleted_before_the_read_fails_it(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, reader: Reader, lowest: int
    ) -> None:
        produce(kafka, name := topic(), 100)
        delete_below(admin, name, lowest)
        with pytest.raises(OffsetsExpired, match=rf"\[0\] 10\.\.{lowest} is gone: Kafka has it from {lowest} on"):
            reader.read([OffsetRange(Partition(name, 0), 10, 90)], limits=WIDE, on_expired="fail")

    def test_what_was_deleted_before_the_read_is_counted(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 100)
        delete_below(admin, name, 40)
        at = Partition(name, 0)
        first, second = (
            reader.read([span], limits=WIDE, on_expired="record")[0]
            for span in (OffsetRange(at, 10, 30), OffsetRange(at, 30, 90))
        )
        assert (first.range.span, first.expired, len(first.records)) == (20, 20, 0)
        assert (second.range.span, second.expired) == (60, 10)
        assert second.records.offsets() == list(range(40, 90))

    def test_retention_takes_whole_segments_and_they_are_counted(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic(retention_ms="3600000")
        writing = producer(kafka)
        for _ in range(50):
            writing.produce(name, b"from 1970", partition=0, timestamp=1000)
        writing.flush(DEADLINE_S)
        wait_until(lambda: whole(source, name)[0].start == 50, DEADLINE_S, "retention")
        produce(kafka, name, 10)
        (read,) = reader.read([OffsetRange(Partition(name, 0), 0, 60)], limits=WIDE, on_expired="record")
        assert (read.expired, read.records.offsets()) == (50, list(range(50, 60)))
        assert source.snapshot([name])[Partition(name, 0)].earliest == 50

    @pytest.mark.parametrize("on_expired", ["record", "fail"])
    def test_what_is_deleted_in_the_middle_of_a_read_is_counted_or_fails_it_but_what_was_read_is_given_out(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, on_expired: str
    ) -> None:
        produce(kafka, name := topic(), 8000, size=400)
        span = OffsetRange(Partition(name, 0), 0, 8000)
        timid = KafkaSource({"bootstrap.servers": kafka.bootstrap_servers, **TIMID}, group="g")
        with timid, timid.reader() as slow:
            few = ReadLimits(max_records=5, max_bytes=1 << 30, max_seconds=60)
            pieces = slow.read([span], limits=few, on_expired="fail")
            assert pieces[0].range.stop == 5
            delete_below(admin, name, 7900)
            left = remainder([span], [pieces[0].range])
            if on_expired == "fail":
                # What librdkafka had fetched comes first: Kafka has it no longer, so it is given out before the error.
                given = read_all_but_expired(slow, left)
                assert offsets_of(given) == list(range(5, 5 + len(offsets_of(given))))
                return
            pieces += read_all(slow, left, WIDE, "record")
        offsets = offsets_of(pieces)
        assert sum(item.range.span for item in pieces) == 8000
        assert offsets[-100:] == list(range(7900, 8000))
        assert 0 < sum(item.expired for item in pieces) == 8000 - len(offsets)
        assert all(item.range.span == item.expired + len(item.records) for item in pieces)

    def test_deleting_what_was_read_already_expires_nothing(
        self, kafka: Kafka, admin: AdminClient, topic: Topics
    ) -> None:
        produce(kafka, name := topic(), 8000, size=400)
        span = OffsetRange(Partition(name, 0), 0, 8000)
        timid = KafkaSource({"bootstrap.servers": kafka.bootstrap_servers, **TIMID}, group="g")
        with timid, timid.reader() as slow:
            limits = ReadLimits(max_records=2500, max_bytes=1 << 30, max_seconds=60)
            (first,) = slow.read([span], limits=limits, on_expired="fail")
            delete_below(admin, name, 2500)
            pieces = [first, *read_all(slow, remainder([span], [first.range]), limits)]
        assert offsets_of(pieces) == list(range(8000))
        assert sum(item.expired for item in pieces) == 0

    def test_an_epoch_is_compared_though_the_record_before_is_gone(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 100)
        delete_below(admin, name, 40)
        at = Partition(name, 0)
        (read,) = reader.read([OffsetRange(at, 40, 90)], limits=WIDE, on_expired="fail", epochs={at: 0})
        assert read.records.offsets() == list(range(40, 90))

    def test_a_position_behind_the_end_is_told(self, kafka: Kafka, topic: Topics, reader: Reader) -> None:
        produce(kafka, name := topic(), 10)
        with pytest.raises(EndBelowPosition, match="ends at offset 10, below the position 50"):
            reader.read([OffsetRange(Partition(name, 0), 50, 60)], limits=WIDE, on_expired="record")

    def test_a_reader_goes_on_after_an_error(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 100)
        delete_below(admin, name, 40)
        at = Partition(name, 0)
        with pytest.raises(OffsetsExpired):
            reader.read([OffsetRange(at, 0, 100)], limits=WIDE, on_expired="fail")
        (read,) = reader.read([OffsetRange(at, 0, 100)], limits=WIDE, on_expired="record")
        assert (read.expired, len(read.records)) == (40, 60)


class TestEpochs:
    def test_an_epoch_that_the_record_before_has_not_is_a_lost_log(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 20)
        at = Partition(name, 0)
        (read,) = reader.read([OffsetRange(at, 0, 10)], limits=WIDE, on_expired="fail")
        assert read.leader_epoch is not None
        with source.reader() as fresh:
            (more,) = fresh.read(
                [OffsetRange(at, 10, 20)], limits=WIDE, on_expired="fail", epochs={at: read.leader_epoch}
            )
        assert more.records.offsets() == list(range(10, 20))
        with source.reader() as fresh, pytest.raises(EpochLost, match="offset 9 is of leader epoch 0"):
            fresh.read([OffsetRange(at, 10, 20)], limits=WIDE, on_expired="fail", epochs={at: read.leader_epoch + 5})


class TestSnapshot:
    def test_a_topic_made_anew_has_another_id(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, source: KafkaSource
    ) -> None:
        produce(kafka, name := topic(), 5)
        before = source.snapshot([name])[Partition(name, 0)]
        admin.delete_topics([name])[name].result()
        wait_until(lambda: name not in admin.list_topics().topics, DEADLINE_S, "the end of a topic")
        made_topic(admin, name)
        after = source.snapshot([name])[Partition(name, 0)]
        assert before.topic_id != after.topic_id
        assert (before.end, after.end) == (5, 0)

    def test_added_partitions_are_seen(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        name = topic(1)
        assert len(source.snapshot([name])) == 1
        admin.create_partitions([NewPartitions(name, 3)])[name].result()
        wait_until(lambda: len(admin.list_topics(name).topics[name].partitions) == 3, DEADLINE_S, "partitions")
        produce(kafka, name, 4, partition=2)
        assert [item.number for item in source.snapshot([name])] == [0, 1, 2]
        assert offsets_of(reader.read(whole(source, name), limits=WIDE, on_expired="fail")) == [0, 1, 2, 3]

    def test_only_the_partitions_that_are_wanted(self, topic: Topics, source: KafkaSource) -> None:
        name = topic(4)
        assert list(source.snapshot([name], {3, 1})) == [Partition(name, 1), Partition(name, 3)]
        with pytest.raises(TopicMissing, match=rf"no partition {name}\[7\]; {name} has 0 to 3"):
            source.snapshot([name], [0, 7])

    def test_a_missing_topic_is_named_with_the_nearest_one(self, topic: Topics, source: KafkaSource) -> None:
        name = topic()
        wrong = name[:-1] + "_"
        with pytest.raises(TopicMissing, match=f"no topic {wrong}; nearest existing: {name}"):
            source.snapshot([name, wrong])

    def test_how_long_records_are_kept_is_told_of_topics_that_delete_by_age(
        self, kafka: Kafka, topic: Topics, source: KafkaSource
    ) -> None:
        hour, good, compacted = (
            topic(retention_ms="3600000"),
            topic(retention_ms="-1"),
            topic(cleanup_policy="compact"),
        )
        assert source.retention_s([hour, good, compacted]) == {hour: 3600.0}

    def test_offsets_at_a_time(self, kafka: Kafka, topic: Topics, source: KafkaSource) -> None:
        name = topic(2)
        writing = producer(kafka)
        now = int(time.time() * 1000)
        for second in range(10):
            writing.produce(name, b"x", partition=0, timestamp=now + 1000 * second)
        writing.flush(DEADLINE_S)
        full, empty = Partition(name, 0), Partition(name, 1)
        asked = {at: source.offsets_at([full, empty], now + at) for at in (-5000, 0, 2500, 9000, 9001)}
        assert {at: found[full] for at, found in asked.items()} == {-5000: 0, 0: 0, 2500: 3, 9000: 9, 9001: 10}
        assert {found[empty] for found in asked.values()} == {0}


class TestGroup:
    def test_what_is_committed_is_read_back_with_its_metadata(self, topic: Topics, source: KafkaSource) -> None:
        name = topic(3)
        every = [Partition(name, number) for number in range(3)]
        assert source.committed(every) == {}
        offsets = [
            GroupOffset(partition=every[0], offset=0, metadata="sluice a 1"),
            GroupOffset(partition=every[2], offset=9, metadata=""),
        ]
        source.commit(offsets)
        assert source.committed(every) == {item.partition: item for item in offsets}
        source.commit([])
        assert source.committed([]) == {}

    def test_reading_does_not_join_or_move_the_group(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, reader: Reader
    ) -> None:
        produce(kafka, name := topic(), 10)
        at = Partition(name, 0)
        reader.read([OffsetRange(at, 0, 10)], limits=WIDE, on_expired="fail")
        source.commit([GroupOffset(partition=at, offset=3, metadata="m")])
        reader.close()
        assert source.committed([at])[at].offset == 3

    @pytest.mark.parametrize("protocol", ["classic", "consumer"])
    def test_a_group_with_live_members_takes_no_offsets(
        self, kafka: Kafka, topic: Topics, source: KafkaSource, protocol: str
    ) -> None:
        name, group = topic(), f"g-{uuid.uuid4().hex[:12]}"
        member = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group, "group.protocol": protocol})
        member.subscribe([name])
        wait_until(lambda: (member.poll(0.1), bool(member.assignment()))[1], DEADLINE_S, "an assignment")
        wanted = [GroupOffset(partition=Partition(name, 0), offset=0, metadata="")]
        with KafkaSource({"bootstrap.servers": kafka.bootstrap_servers}, group=group) as used:
            with pytest.raises(GroupInUse, match=f"{group} at {name}.* live members"):
                used.commit(wanted)
            member.close()
            used.commit(wanted)


class TestRefusals:
    def test_nobody_answers(self, capfd: pytest.CaptureFixture[str]) -> None:
        address = f"127.0.0.1:{free_port()}"
        started = time.monotonic()
        with KafkaSource({"bootstrap.servers": address}, group="g", timeout_s=1) as nobody:
            for ask in (
                lambda: nobody.snapshot(["t"]),
                lambda: nobody.committed([Partition("t", 0)]),
                lambda: nobody.commit([GroupOffset(partition=Partition("t", 0), offset=0, metadata="")]),
                lambda: nobody.offsets_at([Partition("t", 0)], 0),
            ):
                with pytest.raises(SourceUnavailable, match=f"{address}.*Connection refused"):
                    ask()
            with (
                nobody.reader(stall_s=2) as deaf,
                pytest.raises(SourceUnavailable, match=r"t\[0\] 0\.\.5.*Connection refused"),
            ):
                deaf.read([OffsetRange(Partition("t", 0), 0, 5)], limits=WIDE, on_expired="fail")
        assert time.monotonic() - started < 15
        assert capfd.readouterr() == ("", "")

    def test_a_wrong_password_is_refused_at_once_and_never_shown(
        self, kafka: Kafka, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        properties = {**kafka.login("reader", "open sesame"), "debug": "security,broker"}
        started = time.monotonic()
        with KafkaSource(properties, group="g") as wrong:
            with pytest.raises(SourceRefused, match="Invalid username or password") as refused:
                wrong.snapshot(["t"])
            with wrong.reader() as reader, pytest.raises(SourceRefused):
                reader.read([OffsetRange(Partition("t", 0), 0, 5)], limits=WIDE, on_expired="fail")
            shown = f"{wrong!r} {refused.value} {caplog.text} {capfd.readouterr()}"
        assert time.monotonic() - started < 8
        assert "sluice.kafka" in caplog.text
        assert "open sesame" not in shown

    def test_acls_are_told_apart(self, kafka: Kafka, admin: AdminClient, topic: Topics) -> None:
        name, group, at = topic(), f"g-{uuid.uuid4().hex[:12]}", Partition("", 0)
        produce(kafka, name, 5)
        at = Partition(name, 0)
        with KafkaSource(kafka.login("reader"), group=group) as limited:
            with pytest.raises(TopicNotAllowed, match=f"topic {name}"):
                limited.snapshot([name])
            allow(admin, ResourceType.TOPIC, name, AclOperation.DESCRIBE)
            wait_until(lambda: not raises(TopicNotAllowed, lambda: limited.snapshot([name])), DEADLINE_S, "an ACL")
            with limited.reader() as blind, pytest.raises(TopicNotAllowed, match=rf"partition {name}\[0\]"):
                blind.read([OffsetRange(at, 0, 5)], limits=WIDE, on_expired="fail")
            allow(admin, ResourceType.TOPIC, name, AclOperation.READ)
            # Reading asks nothing of the group.
            wait_until(lambda: self.reads(limited, OffsetRange(at, 0, 5)), DEADLINE_S, "an ACL")
            with pytest.raises(GroupNotAllowed, match=group):
                limited.committed([at])
            with pytest.raises(GroupNotAllowed, match=group):
                limited.commit([GroupOffset(partition=at, offset=0, metadata="")])

    def reads(self, source: KafkaSource, span: OffsetRange) -> bool:
        with source.reader() as reader:
            return not raises(TopicNotAllowed, lambda: reader.read([span], limits=WIDE, on_expired="fail"))

    def test_a_topic_that_is_deleted_while_it_is_read_is_missing(
        self, kafka: Kafka, admin: AdminClient, topic: Topics, source: KafkaSource
    ) -> None:
        produce(kafka, name := topic(), 5)
        with source.reader(stall_s=4) as reader:
            reader.read([OffsetRange(Partition(name, 0), 0, 5)], limits=WIDE, on_expired="fail")
            admin.delete_topics([name])[name].result()
            with pytest.raises(TopicMissing, match=name):
                reader.read([OffsetRange(Partition(name, 0), 5, 9)], limits=WIDE, on_expired="fail")

    def test_a_stop_that_kafka_never_reaches_ends_in_silence(
        self, kafka: Kafka, topic: Topics, source: KafkaSource
    ) -> None:
        produce(kafka, name := topic(), 5)
        with source.reader(stall_s=1) as reader, pytest.raises(SourceUnavailable, match=r"5\.\.9 .*ends at offset 5"):
            reader.read([OffsetRange(Partition(name, 0), 0, 9)], limits=WIDE, on_expired="fail")

    @pytest.mark.parametrize(
        ("properties", "words"),
        [
            ({"nonsense": "hush"}, 'No such configuration property: "nonsense"'),
            ({"security.protocol": "hush"}, 'Invalid value "…" for configuration property "security.protocol"'),
            ({"security.protocol": "ssl", "ssl.key.pem": "hush"}, "ssl.key.pem failed"),
            ({"security.protocol": "SASL_SSL", "sasl.mechanism": "hush"}, "Unsupported SASL mechanism: …"),
            ({"logger": "hush", "stats_cb": "hush", "oauth_cb": "hush"}, "cannot be used"),
        ],
    )
    def test_properties_that_librdkafka_does_not_take(self, properties: dict[str, str], words: str) -> None:
        with pytest.raises(WrongSettings) as wrong:
            KafkaSource({"bootstrap.servers": "localhost:1", **properties}, group="g")
        assert words in str(wrong.value)
        assert "hush" not in str(wrong.value)
        assert wrong.value.__suppress_context__

    def test_a_connection_without_addresses(self) -> None:
        with pytest.raises(WrongSettings, match=r"bootstrap\.servers"):
            KafkaSource({"client.id": "x"}, group="g")

    def test_nobody_can_set_what_would_lose_offsets(self, kafka: Kafka, admin: AdminClient, topic: Topics) -> None:
        produce(kafka, name := topic(), 20)
        delete_below(admin, name, 10)
        unwise = {"auto.offset.reset": "latest", "enable.partition.eof": "false", "enable.auto.commit": "true"}
        with KafkaSource({"bootstrap.servers": kafka.bootstrap_servers, **unwise}, group="g") as stubborn:
            (read,) = stubborn.reader().read([OffsetRange(Partition(name, 0), 0, 20)], limits=WIDE, on_expired="record")
        assert (read.expired, len(read.records)) == (10, 10)


def allow(admin: AdminClient, kind: ResourceType, name: str, operation: AclOperation) -> None:
    acl = AclBinding(kind, name, ResourcePatternType.LITERAL, "User:reader", "*", operation, AclPermissionType.ALLOW)
    for future in admin.create_acls([acl]).values():
        future.result()


def raises(kind: type[Exception], ask: Callable[[], object]) -> bool:
    try:
        ask()
    except kind:
        return True
    return False


@pytest.fixture(scope="module")
def lone_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with running_kafka(tmp_path_factory.mktemp("fragile")) as broker:
        yield broker


@pytest.fixture
def fragile(lone_kafka: Kafka) -> Kafka:
    """A broker of our own, which may be ended, started again, and damaged."""
    if not lone_kafka.process.alive:
        lone_kafka.process.restart()
    return lone_kafka


class TestBrokerTrouble:
    @pytest.fixture
    def named(self, fragile: Kafka) -> str:
        admin = AdminClient({"bootstrap.servers": fragile.bootstrap_servers}, logger=logging.getLogger("x"))
        return made_topic(admin, f"t-{uuid.uuid4().hex[:12]}")

    def test_a_read_outlives_a_restart_whose_records_have_a_newer_epoch(self, fragile: Kafka, named: str) -> None:
        produce(fragile, named, 3000, size=400)
        span = OffsetRange(Partition(named, 0), 0, 3000)
        properties = {"bootstrap.servers": fragile.bootstrap_servers, **TIMID}
        with KafkaSource(properties, group="g") as source, source.reader() as reader:
            few = ReadLimits(max_records=300, max_bytes=1 << 30, max_seconds=60)
            (first,) = reader.read([span], limits=few, on_expired="fail")
            fragile.process.restart()
            pieces = [first, *read_all(reader, remainder([span], [first.range]), few)]
            assert offsets_of(pieces) == list(range(3000))
            produce(fragile, named, 10, first=3000)
            later = OffsetRange(span.partition, 3000, 3010)
            with source.reader() as fresh:
                (read,) = fresh.read(
                    [later], limits=WIDE, on_expired="fail", epochs={span.partition: first.leader_epoch or 0}
                )
        assert len(read.records) == 10
        assert (read.leader_epoch or 0) > (first.leader_epoch or 0)

    def test_a_broker_that_dies_in_the_middle_is_unavailable_in_the_end(self, fragile: Kafka, named: str) -> None:
        produce(fragile, named, 3000, size=400)
        span = OffsetRange(Partition(named, 0), 0, 3000)
        properties = {"bootstrap.servers": fragile.bootstrap_servers, **TIMID}
        with KafkaSource(properties, group="g", timeout_s=1) as source, source.reader(stall_s=3) as reader:
            few = ReadLimits(max_records=5, max_bytes=1 << 30, max_seconds=60)
            (first,) = reader.read([span], limits=few, on_expired="fail")
            fragile.process.kill()
            started = time.monotonic()
            with pytest.raises(SourceUnavailable, match="within 3 s"):
                read_all(reader, remainder([span], [first.range]), WIDE)
            assert time.monotonic() - started < 10
        fragile.process.restart()

    def test_a_log_that_was_cut_and_written_anew_is_a_lost_epoch(self, fragile: Kafka, named: str) -> None:
        at = Partition(named, 0)
        for number in range(10):  # a batch each
            produce(fragile, named, 1, first=number)
        with KafkaSource({"bootstrap.servers": fragile.bootstrap_servers}, group="g") as source:
            with source.reader() as reader:
                (before,) = reader.read([OffsetRange(at, 0, 8)], limits=WIDE, on_expired="fail")
                fragile.process.kill()
                cut_log(fragile, named)
                fragile.process.restart()
                produce(fragile, named, 10, first=100)
            assert source.snapshot([named])[at].end == 15
            epoch = before.leader_epoch
            assert epoch is not None
            with source.reader() as reader, pytest.raises(EpochLost, match="offset 7"):
                reader.read([OffsetRange(at, 8, 15)], limits=WIDE, on_expired="fail", epochs={at: epoch})


def cut_log(broker: Kafka, topic: str) -> None:
    """Take the second half of a dead broker's log away, as a lost disk cache would."""
    log = next((broker.directory / "data").glob(f"{topic}-0/*.log"))
    content = log.read_bytes()
    starts = [0]  # of the batches: eight bytes of offset, four of the length of what follows
    while starts[-1] < len(content):
        starts.append(starts[-1] + 12 + int.from_bytes(content[starts[-1] + 8 : starts[-1] + 12], "big"))
    assert [stop - start for start, stop in pairwise(starts)].count(0) == 0
    assert len(starts) == 11
    log.write_bytes(content[: starts[5]])
