"""Kafka as a source: what there is, what a group has committed, and readers of exact offset ranges."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from confluent_kafka.admin import TopicDescription  # type: ignore[attr-defined]  # no __all__

from sluice.clock import Clock, SystemClock
from sluice.errors import TopicMissing, TopicNotAllowed
from sluice.offsets import Bounds, GroupOffset, Partition
from sluice.sources.kafka_admin import GroupStanding, KafkaAdmin, is_there
from sluice.sources.kafka_connection import Connection
from sluice.sources.kafka_group import KafkaGroup
from sluice.sources.kafka_reader import Reader


class KafkaSource:
    """One Kafka connection with one consumer group.

    Args:
        properties: librdkafka's, as strings; they may hold secrets, of which none is shown, logged or raised.
        group: whose offsets mirror the ledger. Reading joins no group.
        timeout_s: for one question; a cluster that does not answer is found out in that time.

    Raises:
        WrongSettings: librdkafka does not take the properties.
    """

    def __init__(
        self, properties: Mapping[str, str], *, group: str, timeout_s: float = 10, clock: Clock | None = None
    ) -> None:
        self._connection = Connection(properties)
        self._group = group
        self._clock = clock or SystemClock()
        self._admin = KafkaAdmin(self._connection, timeout_s=timeout_s, clock=self._clock)
        self._group_offsets = KafkaGroup(self._connection, group, timeout_s=timeout_s, clock=self._clock)
        self._timeout_s = timeout_s
        self._readers: list[Reader] = []

    def __repr__(self) -> str:
        return f"KafkaSource({self._connection.addresses!r}, group={self._group!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every reader that is still open, and whatever else holds a connection."""
        self._group_offsets.close()
        while self._readers:
            self._readers.pop().close()

    def snapshot(self, topics: Sequence[str], partitions: Collection[int] | None = None) -> dict[Partition, Bounds]:
        """Ask where every partition stands, of all topics in one go.

        Args:
            partitions: which ones of every topic; None for all.

        Raises:
            TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        described = self._admin.describe(topics)
        found = [item for topic in topics for item in _chosen(described[topic], partitions)]
        # In this order: a partition may grow in between, or lose its oldest records, so none is above the next.
        earliest = self._admin.earliest(found)
        end = self._admin.ends(found)
        high_watermark = self._admin.high_watermarks(found)
        return {
            item: Bounds(
                partition=item,
                earliest=earliest[item],
                end=end[item],
                high_watermark=high_watermark[item],
                topic_id=str(described[item.topic].topic_id),
            )
            for item in found
        }

    def brokers(self) -> int:
        """Ask how many brokers the cluster has.

        Raises:
            SourceRefused, SourceUnavailable: see there.
        """
        return self._admin.brokers()

    def allowed(self, topic: str) -> set[str]:
        """Ask what the user may do with a topic, in Kafka's words: READ, DESCRIBE; raises as `snapshot` does."""
        return self._admin.allowed_on(topic)

    def group_standing(self) -> GroupStanding:
        """Ask who is in the group, and what the user may do with it; raises as `committed` does."""
        return self._admin.group(self._group)

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Ask for Kafka's ids of topics: another one means that a topic was deleted and recreated.

        Raises:
            TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        return {name: str(topic.topic_id) for name, topic in self._admin.describe(topics).items()}

    def offsets_at(self, partitions: Collection[Partition], timestamp_ms: int) -> dict[Partition, int]:
        """Ask for the first offset whose timestamp is not before a time; the end offset where there is none.

        The answer may be another one tomorrow: ask once, and keep the offsets.

        Raises:
            TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        # The end first: a record that arrives in between is then left for later, not lost.
        ends = self._admin.ends(partitions)
        found = self._admin.first_since(partitions, timestamp_ms)
        return {item: offset if offset >= 0 else ends[item] for item, offset in found.items()}

    def retention_s(self, topics: Collection[str]) -> dict[str, float]:
        """Ask how long records are kept; topics are left out that keep them for good, or of which it is not told.

        Raises:
            TopicMissing, SourceRefused, SourceUnavailable: see there.
        """
        try:
            found = self._admin.configuration(topics)
        except TopicNotAllowed:
            return {}
        kept = {topic: int(told.get("retention.ms", -1)) for topic, told in found.items() if _is_deleted(told)}
        return {topic: milliseconds / 1000 for topic, milliseconds in kept.items() if milliseconds >= 0}

    def committed(self, partitions: Collection[Partition]) -> dict[Partition, GroupOffset]:
        """Ask what the group has committed; partitions for which it has nothing are left out.

        Raises:
            GroupNotAllowed, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        return self._group_offsets.committed(partitions)

    def commit(self, offsets: Sequence[GroupOffset]) -> None:
        """Set the group's offsets, with the metadata beside them.

        Raises:
            GroupInUse: the group has live members.
            GroupNotAllowed, TopicMissing, SourceRefused, SourceUnavailable: see there.
        """
        self._admin.commit(self._group, offsets)

    def reader(
        self, *, stop: threading.Event | None = None, stall_s: float = 45, carry_bytes: int = 16 << 20
    ) -> Reader:
        """Make a reader, for one run; close it, or use it in a `with` block.

        Args:
            stop: set, it ends a read within a moment.
            stall_s: how long a read may hear nothing before it gives up.
            carry_bytes: how much may be kept of what Kafka handed over beyond the windows read so far.

        Raises:
            WrongSettings: librdkafka does not take the properties.
        """
        reader = Reader(
            partial(self._connection.consumer, self._group),
            addresses=self._connection.addresses,
            check=partial(is_there, self._admin),
            clock=self._clock,
            stop=stop or threading.Event(),
            timeout_s=self._timeout_s,
            stall_s=stall_s,
            carry_bytes=carry_bytes,
        )
        self._readers.append(reader)
        return reader


def _chosen(topic: TopicDescription, numbers: Collection[int] | None) -> list[Partition]:
    there = sorted(item.id for item in topic.partitions)
    missing = sorted(set(numbers or ()) - set(there))
    if missing:
        raise TopicMissing(
            f"Kafka has no partition {topic.name}[{missing[0]}]; {topic.name} has 0 to {there[-1]}",
            "Fix source.kafka.partitions",
        )
    return [Partition(topic.name, number) for number in there if numbers is None or number in numbers]


def _is_deleted(configuration: Mapping[str, str]) -> bool:
    """Whether records go by their age; a compacted topic keeps the last one of each key."""
    return "delete" in configuration.get("cleanup.policy", "delete")
