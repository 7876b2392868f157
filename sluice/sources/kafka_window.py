"""A window while it is filled: its ranges, how far each one has come, and where it is cut."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Message

from sluice.offsets import OffsetRange, Partition
from sluice.records import ReadRange
from sluice.sources.kafka_cursor import Cursor, Room
from sluice.sources.kafka_records import MessageRecords, epoch_of
from sluice.sources.limits import ReadLimits


class Intake:
    """What has been taken of one range."""

    def __init__(self, wanted: OffsetRange, cursor: Cursor) -> None:
        self.range = wanted
        self.cursor = cursor
        self.messages: list[Message] = []

    @property
    def position(self) -> int:
        return min(self.range.stop, self.cursor.head)

    @property
    def missing(self) -> int:
        """How many offsets have not arrived yet."""
        return max(0, self.range.stop - self.cursor.seen)

    def result(self) -> ReadRange:
        span = OffsetRange(self.range.partition, self.range.start, self.position)
        return ReadRange(
            range=span,
            records=MessageRecords(span.partition, self.messages),
            expired=self.cursor.expired_in(span),
            leader_epoch=epoch_of(self.messages[-1]) if self.messages else None,
        )


class Window:
    """The ranges of one read. `open` are those that have not reached their stop.

    Raises:
        ValueError: two ranges are of one partition.
    """

    def __init__(self, wanted: Sequence[tuple[OffsetRange, Cursor]], limits: ReadLimits) -> None:
        self._intakes = [Intake(*item) for item in wanted]
        self._room = Room(limits)
        self.open: dict[Partition, Intake] = {item.range.partition: item for item in self._intakes}
        if len(self.open) < len(self._intakes):
            raise ValueError("a window has one range of a partition")
        for partition in list(self.open):
            self.take(partition)

    @property
    def is_over(self) -> bool:
        return self._room.is_full or not self.open

    @property
    def has_progress(self) -> bool:
        return any(item.position > item.range.start for item in self._intakes)

    @property
    def missing(self) -> int:
        return sum(item.missing for item in self.open.values())

    def take(self, partition: Partition) -> None:
        """Take what has arrived of a partition, if the window still wants any."""
        intake = self.open.get(partition)
        if intake is None:
            return
        intake.messages += intake.cursor.take(intake.range.stop, self._room)
        if intake.position >= intake.range.stop:
            del self.open[partition]

    def close(self) -> None:
        """Cut it where it stands."""
        self._room.is_full = True

    def results(self) -> list[ReadRange]:
        """Return what was read, and leave each cursor where its range was cut."""
        results = [item.result() for item in self._intakes]
        for item, result in zip(self._intakes, results, strict=True):
            item.cursor.cut_at = result.range.stop
        return results
