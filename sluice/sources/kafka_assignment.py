"""What a reader holds of each partition, and for which of them Kafka is sending."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from confluent_kafka import Consumer, TopicPartition

from sluice.offsets import OffsetRange, Partition
from sluice.sources.kafka_cursor import Cursor


class Assignment:
    """The partitions of a consumer that joins no group, each assigned and released by itself.

    Never sought and never paused: a pause drops the report that a partition ends, which then does not come again.

    Args:
        carry_bytes: how much may wait here for later windows.
    """

    def __init__(self, consumer: Consumer, *, carry_bytes: int) -> None:
        self._consumer = consumer
        self._carry_bytes = carry_bytes
        self._cursors: dict[Partition, Cursor] = {}

    def cursor_for(self, wanted: OffsetRange, epoch: int | None) -> Cursor:
        """Return the cursor that stands where a range starts, or else a new one, at this epoch."""
        held = self._cursors.get(wanted.partition)
        if held is not None and held.cut_at == wanted.start:
            return held
        if held is not None:
            self.release([held])
        self._cursors[wanted.partition] = Cursor(wanted.partition, wanted.start, epoch)
        return self._cursors[wanted.partition]

    def assigned(self, partition: Partition) -> Cursor | None:
        """Return the cursor of a partition, None for one that Kafka should no longer be sending."""
        cursor = self._cursors.get(partition)
        return cursor if cursor is not None and cursor.assigned else None

    def ask(self, cursors: Iterable[Cursor]) -> None:
        """Let Kafka send what these miss."""
        at = [_place(item, item.ask()) for item in cursors if not item.assigned]
        if at:
            self._consumer.incremental_assign(at)

    def release(self, cursors: Iterable[Cursor]) -> None:
        """Let Kafka send no more; what was on its way is dropped, and asked for again from where it stands then."""
        released = [item for item in cursors if item.assigned]
        for item in released:
            item.assigned = False
        if released:
            self._consumer.incremental_unassign([_place(item) for item in released])

    def put_aside(self, wanted: Collection[Partition]) -> None:
        """Hold what was read ahead of the window below its cap."""
        carried = sum(cursor.carried_bytes for cursor in self._cursors.values())
        if carried <= self._carry_bytes:
            return
        idle = [cursor for partition, cursor in self._cursors.items() if partition not in wanted]
        self.release(idle)
        for cursor in sorted(idle, key=lambda cursor: cursor.carried_bytes, reverse=True):
            if carried <= self._carry_bytes:
                return
            carried -= cursor.carried_bytes
            cursor.drop()

    def forget(self) -> None:
        """Hold nothing, as at the start."""
        self._cursors.clear()
        self._consumer.unassign()

    def close(self) -> None:
        """Hold nothing, the consumer being closed."""
        self._cursors.clear()


def _place(cursor: Cursor, offset: int = -1001) -> TopicPartition:
    return TopicPartition(cursor.partition.topic, cursor.partition.number, offset)
