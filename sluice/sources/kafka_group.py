"""What a consumer group has committed, asked by a consumer.

Not by an admin client, though it has a call for it: librdkafka (2.16 at least) follows a null pointer there, and takes
the process along, when the group's coordinator answers that it is still loading, or not the coordinator any more.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sluice.clock import Clock
from sluice.offsets import GroupOffset, Partition
from sluice.sources.kafka_admin import LATE, ON_ITS_WAY, named
from sluice.sources.kafka_connection import Connection
from sluice.sources.kafka_errors import Trouble, plain, translated
from sluice.sources.kafka_refusals import unavailable

_ASK_S = 1.0
_PAUSE_S = 0.1


class KafkaGroup:
    """One group, asked without joining it; the client is made at the first question."""

    def __init__(self, connection: Connection, group: str, *, timeout_s: float, clock: Clock) -> None:
        self._connection = connection
        self._group = group
        self._timeout_s = timeout_s
        self._clock = clock
        self._trouble = Trouble()
        self._client: Consumer | None = None

    def committed(self, partitions: Collection[Partition]) -> dict[Partition, GroupOffset]:
        """Ask what the group has committed; partitions for which it has nothing are left out.

        Raises:
            GroupNotAllowed, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
        """
        if not partitions:
            return {}
        wanted = [TopicPartition(item.topic, item.number) for item in partitions]
        answered = self._answer(wanted)
        return {
            named(at): GroupOffset(partition=named(at), offset=at.offset, metadata=at.metadata or "")
            for at in answered
            if at.offset >= 0
        }

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _answer(self, wanted: list[TopicPartition]) -> list[TopicPartition]:
        """Ask until there is an answer, in short calls, between which a refusal is heard."""
        self._trouble.clear()
        deadline = self._clock.elapsed_s() + self._timeout_s
        while True:
            where = f"consumer group {self._group}"
            try:
                answered = self._asked(wanted)
                for at in answered:
                    if at.error is not None:
                        where = f"topic {at.topic}"
                        raise KafkaException(at.error)
                return answered
            except KafkaException as error:
                self._judge(error, where, deadline)

    def _asked(self, wanted: list[TopicPartition]) -> list[TopicPartition]:
        if self._client is None:
            self._client = self._connection.consumer(self._group, self._trouble, lambda _: None)
        answered: list[TopicPartition] = self._client.committed(wanted, timeout=min(_ASK_S, self._timeout_s))
        return answered

    def _judge(self, error: KafkaException, where: str, deadline: float) -> None:
        """Return where it is worth to ask again.

        Raises:
            SluiceError: it is not.
        """
        self._listen()
        refusal = self._trouble.refusal or _of_group(self._trouble.last)
        if refusal is not None:
            raise translated(refusal, f"consumer group {self._group}") from error
        if error.args[0].code() not in LATE | ON_ITS_WAY:
            raise translated(error.args[0], where) from error
        if self._clock.elapsed_s() > deadline:
            why = self._trouble.why(plain(error.args[0]))
            raise unavailable(self._connection.addresses, f"no answer within {self._timeout_s:g} s; {why}") from error
        self._clock.wait(_PAUSE_S)

    def _listen(self) -> None:
        """Hear what the background threads complained of: of a group as an event, of a connection by a callback."""
        event = None if self._client is None else self._client.poll(0)
        complaint = None if event is None else event.error()
        if complaint is not None:
            self._trouble(complaint)


def _of_group(trouble: KafkaError | None) -> KafkaError | None:
    """A group that is not allowed shows only here: its question just goes unanswered."""
    is_of_group = trouble is not None and trouble.code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    return trouble if is_of_group else None
