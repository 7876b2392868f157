"""Questions to Kafka that read no record: each is answered, or refused, within a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions as Group
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no __all__
    AclOperation,
    ConfigResource,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)

from sluice.clock import Clock
from sluice.errors import SluiceError, SourceUnavailable, TopicMissing
from sluice.nearest import nearest
from sluice.offsets import GroupOffset, Partition
from sluice.sources.kafka_connection import Connection
from sluice.sources.kafka_errors import Trouble, plain, translated
from sluice.sources.kafka_refusals import unavailable

_Key = TypeVar("_Key")
_Ask = Callable[[float], Mapping[_Key, "Future[Any]"]]
_POLL_S = 0.1
_GRACE_S = 1.0
ON_ITS_WAY = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
LATE = frozenset({KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._WAIT_COORD})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStanding:
    """A consumer group as its coordinator knows it.

    Attributes:
        members: live ones.
        allowed: what the user may do with it, in Kafka's words: READ, DESCRIBE.
    """

    members: int
    allowed: set[str]


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
        wanted = TopicCollection(list(topics))
        try:
            return self._answers(
                lambda timeout_s: self._client.describe_topics(wanted, request_timeout=timeout_s),
                lambda topic: f"topic {topic}",
            )
        except TopicMissing as missing:
            raise self._with_nearest(missing, topics) from missing.__cause__

    def brokers(self) -> int:
        """Ask how many brokers there are; raises as `describe` does."""
        asked: dict[str, Future[Any]] = {}

        def ask(timeout_s: float) -> dict[str, Future[Any]]:
            asked["cluster"] = self._client.describe_cluster(request_timeout=timeout_s)
            return asked

        return len(self._answers(ask, lambda _: self._addresses)["cluster"].nodes)

    def allowed_on(self, topic: str) -> set[str]:
        """Ask what the user may do with a topic, in Kafka's words: READ, DESCRIBE; raises as `describe` does."""
        found = self._answers(
            lambda timeout_s: self._client.describe_topics(
                TopicCollection([topic]), include_authorized_operations=True, request_timeout=timeout_s
            ),
            lambda name: f"topic {name}",
        )
        return _names(found[topic].authorized_operations)

    def group(self, name: str) -> GroupStanding:
        """Ask who is in a group, and what the user may do with it.

        Raises:
            GroupNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        found = self._answers(
            lambda timeout_s: self._client.describe_consumer_groups(
                [name], include_authorized_operations=True, request_timeout=timeout_s
            ),
            lambda group: f"consumer group {group}",
        )[name]
        return GroupStanding(members=len(found.members), allowed=_names(found.authorized_operations))

    def configuration(self, topics: Collection[str]) -> dict[str, dict[str, str]]:
        """Ask how topics are configured; raises as `describe` does, and where the user may not DescribeConfigs."""
        wanted = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        answers = self._answers(
            lambda timeout_s: self._client.describe_configs(wanted, request_timeout=timeout_s),
            lambda resource: f"the configuration of topic {resource.name}",
        )
        return {
            resource.name: {name: entry.value for name, entry in found.items()} for resource, found in answers.items()
        }

    def earliest(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Ask for the lowest offset that there still is; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Ask for the last stable offset; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def high_watermarks(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Ask for the end behind open transactions, too; raises as `describe` does."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, latest, IsolationLevel.READ_UNCOMMITTED)

    def first_since(self, partitions: Collection[Partition], timestamp_ms: int) -> dict[Partition, int]:
        """Ask for the first offset that is not older than a time, -1 where there is none; raises as `describe` does."""
        return self._offsets(partitions, OffsetSpec.for_timestamp(timestamp_ms))

    def commit(self, group: str, offsets: Sequence[GroupOffset]) -> None:
        """Set a group's offsets and the metadata beside them; the broker refuses while the group has members.

        Raises:
            GroupInUse, GroupNotAllowed, TopicMissing, SourceRefused, SourceUnavailable: see there.
        """
        if not offsets:
            return
        places = [TopicPartition(at.partition.topic, at.partition.number, at.offset, at.metadata) for at in offsets]
        wanted = [Group(group, places)]
        self._of_group(
            group, lambda timeout_s: self._client.alter_consumer_group_offsets(wanted, request_timeout=timeout_s)
        )

    def _offsets(
        self,
        partitions: Collection[Partition],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[Partition, int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(item.topic, item.number): spec for item in partitions}
        answers = self._answers(
            lambda timeout_s: self._client.list_offsets(wanted, isolation_level=isolation, request_timeout=timeout_s),
            lambda at: f"partition {named(at)}",
        )
        return {named(at): answer.offset for at, answer in answers.items()}

    def _of_group(self, group: str, ask: _Ask[str]) -> None:
        """Ask something of a group; a coordinator on its way may be told of each partition, not of the question."""
        deadline = self._clock.elapsed_s() + self._timeout_s
        while True:
            answer = self._answers(ask, lambda name: f"consumer group {name}")[group]
            refused = [at for at in answer.topic_partitions if at.error is not None]
            if not refused:
                return
            at = min(refused, key=lambda at: at.error.code() in ON_ITS_WAY)
            if at.error.code() not in ON_ITS_WAY or self._clock.elapsed_s() >= deadline:
                raise self._translated(at.error, f"consumer group {group} at {named(at)}")
            self._clock.wait(_POLL_S)

    def _answers(self, ask: _Ask[_Key], where: Callable[[_Key], str]) -> dict[_Key, Any]:
        """Ask, and again while a leader or coordinator is on its way: librdkafka does not do so for every question."""
        self._trouble.clear()
        deadline = self._clock.elapsed_s() + self._timeout_s
        while True:
            left_s = deadline - self._clock.elapsed_s()
            futures = ask(max(1.0, left_s))
            self._wait(list(futures.values()), deadline + _GRACE_S)
            refused = {key: error for key, future in futures.items() if (error := future.exception(timeout=0))}
            if not refused:
                return {key: future.result(timeout=0) for key, future in futures.items()}
            if left_s <= 0 or not all(is_on_its_way(error) for error in refused.values()):
                key, cause = min(refused.items(), key=lambda item: is_on_its_way(item[1]))
                raise self._translated(_kafka_error(cause), where(key)) from cause
            self._clock.wait(_POLL_S)

    def _wait(self, futures: Sequence[Future[Any]], deadline: float) -> None:
        """Wait for all, and while nobody answers listen for why."""
        while wait(futures, timeout=_POLL_S).not_done:
            self._client.poll(0)
            if self._trouble.refusal is not None:
                raise translated(self._trouble.refusal, self._addresses)
            if self._clock.elapsed_s() > deadline:
                raise unavailable(self._addresses, self._trouble.why("no answer in time"))
        self._client.poll(0)

    def _translated(self, error: KafkaError, where: str) -> SluiceError:
        if error.code() in LATE:
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


def _names(operations: Iterable[AclOperation] | None) -> set[str]:
    return {operation.name for operation in operations or ()}


def named(at: TopicPartition) -> Partition:
    return Partition(at.topic, at.partition)


def is_on_its_way(error: BaseException) -> bool:
    return _kafka_error(error).code() in ON_ITS_WAY


def _kafka_error(error: BaseException) -> KafkaError:
    return error.args[0] if isinstance(error, KafkaException) else KafkaError(KafkaError._FAIL, str(error))
