"""Questions to Kafka that read no record: each is answered, or refused, within a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions as Group
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec, TopicDescription  # type: ignore[attr-defined]  # no __all__

from sluice.clock import Clock
from sluice.errors import SluiceError, SourceUnavailable, TopicMissing
from sluice.nearest import nearest
from sluice.offsets import GroupOffset, Partition
from sluice.sources.kafka_connection import Connection
from sluice.sources.kafka_errors import Trouble, plain, translated, unavailable

_Key = TypeVar("_Key")
_POLL_S = 0.1
_GRACE_S = 1.0
_LATE = frozenset({KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._WAIT_COORD})


class KafkaAdmin:
    """An admin client whose every answer is one of ours.

    Args:
        timeout_s: for one question, and so for finding out that nobody answers.
    """

    def __init__(self, connection: Connection, *, timeout_s: float, clock: Clock) -> None:
        self._addresses = connection.addresses
        self._trouble = Trouble()
        self._timeout_s = timeout_s
        self._clock = clock
        self._client = connection.admin(self._trouble)

    def describe(self, topics: Sequence[str]) -> dict[str, TopicDescription]:
        """Describe topics.

        Raises:
            TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        futures = self._client.describe_topics(TopicCollection(list(topics)), request_timeout=self._timeout_s)
        try:
            return self._answers(futures, lambda topic: f"topic {topic}")
        except TopicMissing as missing:
            raise self._with_nearest(missing, topics) from missing.__cause__

    def earliest(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Ask for the lowest offset that there still is; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Ask for the last stable offset; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def first_since(self, partitions: Collection[Partition], timestamp_ms: int) -> dict[Partition, int]:
        """Ask for the first offset that is not older than a time, -1 where there is none; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.for_timestamp(timestamp_ms))

    def committed(self, group: str, partitions: Collection[Partition]) -> dict[Partition, GroupOffset]:
        """Ask what a group has committed; partitions for which it has nothing are left out.

        Raises:
            GroupNotAllowed, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        if not partitions:
            return {}
        wanted = [TopicPartition(item.topic, item.number) for item in partitions]
        futures = self._client.list_consumer_group_offsets([Group(group, wanted)], request_timeout=self._timeout_s)
        answered = self._answers(futures, lambda name: f"consumer group {name}")[group].topic_partitions
        self._check_each(group, answered)
        return {
            _named(at): GroupOffset(partition=_named(at), offset=at.offset, metadata=at.metadata or "")
            for at in answered
            if at.offset >= 0
        }

    def commit(self, group: str, offsets: Sequence[GroupOffset]) -> None:
        """Set a group's offsets and the metadata beside them; the broker refuses while the group has members.

        Raises:
            GroupInUse, GroupNotAllowed, TopicMissing, SourceRefused, SourceUnavailable: see there.
        """
        if not offsets:
            return
        wanted = [TopicPartition(at.partition.topic, at.partition.number, at.offset, at.metadata) for at in offsets]
        futures = self._client.alter_consumer_group_offsets([Group(group, wanted)], request_timeout=self._timeout_s)
        answered = self._answers(futures, lambda name: f"consumer group {name}")[group].topic_partitions
        self._check_each(group, answered)

    def _offsets(self, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(item.topic, item.number): spec for item in partitions}
        futures = self._client.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout_s
        )
        answers = self._answers(futures, lambda at: f"partition {_named(at)}")
        return {_named(at): answer.offset for at, answer in answers.items()}

    def _check_each(self, group: str, answered: Sequence[TopicPartition]) -> None:
        for at in answered:
            if at.error is not None:
                raise self._translated(at.error, f"consumer group {group} at {_named(at)}")

    def _answers(self, futures: Mapping[_Key, Future[Any]], where: Callable[[_Key], str]) -> dict[_Key, Any]:
        self._wait(list(futures.values()))
        answers = {}
        for key, future in futures.items():
            try:
                answers[key] = future.result(timeout=0)
            except KafkaException as error:
                raise self._translated(error.args[0], where(key)) from error
        return answers

    def _wait(self, futures: Sequence[Future[Any]]) -> None:
        """Wait for all, and while nobody answers listen for why."""
        self._trouble.clear()
        deadline = self._clock.elapsed_s() + self._timeout_s + _GRACE_S
        while wait(futures, timeout=_POLL_S).not_done:
            self._client.poll(0)
            if self._trouble.refusal is not None:
                raise translated(self._trouble.refusal, self._addresses)
            if self._clock.elapsed_s() > deadline:
                raise unavailable(self._addresses, self._trouble.why("no answer in time"))
        self._client.poll(0)

    def _translated(self, error: KafkaError, where: str) -> SluiceError:
        if error.code() in _LATE:
            why = self._trouble.why(plain(error))
            return unavailable(self._addresses, f"no answer within {self._timeout_s:g} s; {why}")
        return translated(error, where)

    def _with_nearest(self, missing: TopicMissing, topics: Sequence[str]) -> TopicMissing:
        try:
            names = self._client.list_topics(timeout=self._timeout_s).topics
        except KafkaException:
            return missing
        near = [name for topic in topics if topic not in names and (name := nearest(topic, names))]
        if not near:
            return missing
        return TopicMissing(f"{missing.what}; nearest existing: {', '.join(near)}", missing.next_step)


def is_there(admin: KafkaAdmin, topics: Sequence[str]) -> None:
    """Ask, for a reader that hears nothing, whether its topics can still be read at all.

    Raises:
        TopicMissing, TopicNotAllowed, SourceRefused: see there. Silence is the reader's own affair.
    """
    try:
        admin.describe(topics)
    except SourceUnavailable:
        pass  # the reader goes on until its own limit


def _named(at: TopicPartition) -> Partition:
    return Partition(at.topic, at.partition)
