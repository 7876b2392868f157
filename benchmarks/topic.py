"""Topics for benchmarks: made, filled, and what was put in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic that nobody writes to any more.

    Attributes:
        ends: the end offset of each partition.
        mean_bytes: of a value.
    """

    name: str
    servers: str
    ends: tuple[int, ...]
    mean_bytes: float

    @property
    def records(self) -> int:
        return sum(self.ends)


def fill(servers: str, name: str, values: Iterable[bytes], *, partitions: int = 4) -> Topic:
    """Make a topic and write values to its partitions in turn.

    Raises:
        RuntimeError: Kafka did not take them all.
    """
    admin = AdminClient({"bootstrap.servers": servers})  # named, for it must outlive its future
    config = {"retention.ms": "-1"}
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(_DEADLINE_S)
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
            "log_level": 3,
        }
    )
    ends, weight = [0] * partitions, 0
    for number, value in enumerate(values):
        _produce(producer, name, value, number % partitions)
        ends[number % partitions] += 1
        weight += len(value)
    if left := producer.flush(_DEADLINE_S):
        raise RuntimeError(f"{left} records were not taken by {servers} within {_DEADLINE_S:g} s")
    return Topic(name=name, servers=servers, ends=tuple(ends), mean_bytes=weight / max(1, sum(ends)))


def _produce(producer: Producer, topic: str, value: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, value, partition=partition)
        except BufferError:
            producer.poll(0.1)
        else:
            return
