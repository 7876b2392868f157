"""Read exact ranges of offsets, one window after another, and know by position when each is over.

Never by counting, and never by an empty poll: transaction markers, aborted and compacted records leave offsets that no
consumer is handed. A range is over when a record at or behind its stop has arrived, or Kafka said that the partition
ends at or behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType, TracebackType
from typing import Self, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sluice.clock import Clock
from sluice.errors import START_ANEW, EndBelowPosition, OffsetsExpired
from sluice.offsets import OffsetRange, Partition
from sluice.records import ReadRange
from sluice.sources.kafka_assignment import Assignment
from sluice.sources.kafka_cursor import Cursor
from sluice.sources.kafka_errors import OUT_OF_RANGE, Trouble, translated
from sluice.sources.kafka_silence import Silence
from sluice.sources.kafka_window import Window
from sluice.sources.limits import OnExpired, ReadLimits

_BATCH_RECORDS = 1000  # ten times as many is slower, and reads over the end of a range by as many
_BATCH_BYTES = 8 << 20
_WAIT_S = 0.1
_REST_S = 0.2


class Reader:
    """One consumer that joins no group, for one run. What it has read ahead serves the next window.

    Args:
        make: makes the consumer, given what takes its errors and its statistics.
        timeout_s: for one question.
        stop: set, it ends a read within a moment.

    The others are told in `KafkaSource.reader`.
    """

    def __init__(
        self,
        make: Callable[[Trouble, Callable[[str], None]], Consumer],
        *,
        addresses: str,
        check: Callable[[Sequence[str]], None],
        clock: Clock,
        stop: threading.Event,
        timeout_s: float,
        stall_s: float,
        carry_bytes: int,
    ) -> None:
        self._clock = clock
        self._stop = stop
        self._timeout_s = timeout_s
        self._trouble = Trouble()
        self._silence = Silence(addresses=addresses, trouble=self._trouble, check=check, clock=clock, stall_s=stall_s)
        self._received_records = 0
        self._received_bytes = 0
        self._consumer = make(self._trouble, self._silence.note)
        self._held = Assignment(self._consumer, carry_bytes=carry_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._consumer.close()
        self._held.close()

    def read(
        self,
        ranges: Sequence[OffsetRange],
        *,
        limits: ReadLimits,
        on_expired: OnExpired,
        epochs: Mapping[Partition, int] = MappingProxyType({}),
    ) -> list[ReadRange]:
        """Read ranges, one of a partition, each to its stop or to where the window is cut.

        A cut window has got further than it was, if only by one record; what it left is for the next read. So it never
        is cut while it has got nowhere, unless `stop` is set.

        Args:
            ranges: below the end offsets of a snapshot. One that starts where the last one of its partition ended goes
                on with what has been read ahead.
            on_expired: `record` counts what Kafka dropped before it was read and goes on behind it. `fail` raises, but
                first gives out what had been read of the partition, for Kafka has that no longer.
            epochs: the leader epoch of the last record before a range, where the range does not continue the last one.

        Returns:
            A ReadRange for each range, in their order; possibly empty, if the window was cut before it was reached.

        Raises:
            OffsetsExpired, EndBelowPosition, EpochLost, TopicMissing, TopicNotAllowed, SourceRefused: see there.
            SourceUnavailable: nothing came for `stall_s` seconds.
            ValueError: two ranges are of one partition.
        """
        try:
            window = Window([(at, self._held.cursor_for(at, epochs.get(at.partition))) for at in ranges], limits)
            self._fill(window, limits.max_seconds, on_expired)
        except BaseException:
            self._held.forget()
            raise
        return window.results()

    def _fill(self, window: Window, max_seconds: float, on_expired: OnExpired) -> None:
        self._silence.start()
        until = self._clock.elapsed_s() + max_seconds
        while not (window.is_over or self._stop.is_set()):
            if self._clock.elapsed_s() >= until and window.has_progress:
                return
            self._held.ask(intake.cursor for intake in window.open.values())
            self._receive(window, self._next_batch(window), on_expired)
            self._held.put_aside(window.open)
            self._silence.mind(window.open)

    def _next_batch(self, window: Window) -> list[Message]:
        """Ask for no more than the window misses: librdkafka waits until it has so many, or the time is over."""
        mean_bytes = self._received_bytes // max(1, self._received_records)
        count = min(_BATCH_RECORDS, max(1, _BATCH_BYTES // max(1, mean_bytes)), window.missing + len(window.open))
        return self._consumer.consume(count, _WAIT_S)

    def _receive(self, window: Window, batch: list[Message], on_expired: OnExpired) -> None:
        if not any(map(Message.error, batch)):
            self._take_in(window, batch)
            return
        for is_error, messages in groupby(batch, lambda message: message.error() is not None):
            if not is_error:
                self._take_in(window, messages)
                continue
            for message in messages:
                self._take_notice(window, message, on_expired)

    def _take_in(self, window: Window, messages: Iterable[Message]) -> None:
        for topic, of_topic in groupby(messages, Message.topic):
            for number, run in groupby(of_topic, Message.partition):
                cursor = self._held.assigned(Partition(cast(str, topic), cast(int, number)))
                if cursor is None:
                    continue
                seen = cursor.seen
                self._received_bytes += cursor.receive(arrived := list(run))
                self._received_records += len(arrived)
                if cursor.seen > seen and cursor.partition in window.open:
                    self._silence.heard()
                window.take(cursor.partition)

    def _take_notice(self, window: Window, message: Message, on_expired: OnExpired) -> None:
        """Judge what librdkafka reports in the place of a record."""
        error = cast(KafkaError, message.error())
        offset, number = cast(int, message.offset()), cast(int, message.partition())
        cursor = self._held.assigned(Partition(message.topic() or "", number))
        if cursor is None:
            self._trouble(error)  # of a broker or the group: as long as records come, reading needs neither
        elif error.code() == KafkaError._PARTITION_EOF:
            if cursor.seen < offset:
                self._silence.heard()
            cursor.reach(offset)
            window.take(cursor.partition)
        elif error.code() in OUT_OF_RANGE:
            self._held.release([cursor])
            self._place(window, cursor, on_expired)
        elif error.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._LOG_TRUNCATION}:
            raise translated(error, f"partition {cursor.partition}")
        else:
            self._ask_again(cursor, error)

    def _ask_again(self, cursor: Cursor, error: KafkaError) -> None:
        """Take nothing that comes behind an error: the record that it stands for would pass for invisible."""
        self._trouble(error)
        self._held.release([cursor])
        self._clock.wait(_REST_S)

    def _place(self, window: Window, cursor: Cursor, on_expired: OnExpired) -> None:
        """Find out why Kafka has nothing at the offset that it was asked for, and where to go on."""
        cursor.looks_back = False
        intake = window.open.get(cursor.partition)
        if intake is None:
            return  # not wanted in this window; it is found out again when it is
        try:
            at = TopicPartition(cursor.partition.topic, cursor.partition.number)
            earliest, end = self._consumer.get_watermark_offsets(at, timeout=self._timeout_s)
        except KafkaException as error:
            self._trouble(error.args[0])
            return
        if earliest <= cursor.seen <= end:
            return  # it was asked for one record too early, to compare epochs
        if cursor.seen > end:
            raise EndBelowPosition(
                f"{cursor.partition} ends at offset {end}, below the position {cursor.seen}",
                START_ANEW,
            )
        if on_expired == "record":
            cursor.expire(earliest)
            self._silence.heard()
            window.take(cursor.partition)
        elif intake.position > intake.range.start:
            window.close()
        else:
            raise _expired(intake.range, earliest)


def _expired(wanted: OffsetRange, earliest: int) -> OffsetsExpired:
    gone = OffsetRange(wanted.partition, wanted.start, earliest)
    return OffsetsExpired(
        f"{gone} is gone: Kafka has it from {earliest} on",
        "Set policies.on_expired to record, so that the balance counts them as expired, or fix the topic's retention",
    )
