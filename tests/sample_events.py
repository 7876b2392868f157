"""Read a topic of sample events, and say what its summary would have a reader find."""

from __future__ import annotations

from collections import Counter

from confluent_kafka import Consumer, TopicPartition

from deployments.local.events import Produced


def expected(produced: Produced) -> Counter[tuple[int, str]]:
    """Give what `read` must find."""
    counts: Counter[tuple[int, str]] = Counter()
    for partition in produced.partitions:
        counts[partition.partition, "good"] = partition.good
        counts[partition.partition, "tombstone"] = partition.tombstones
        counts[partition.partition, "broken"] = partition.broken
        counts[partition.partition, "invisible"] = partition.aborted + partition.markers
    return counts


def read(bootstrap_servers: str, topic: str, ends: list[int]) -> Counter[tuple[int, str]]:
    """Read each partition to its end as a consumer of committed records does; what it is never shown is invisible."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "enable.auto.commit": False, "check.crcs": True}
    )
    counts = Counter({(partition, "invisible"): end for partition, end in enumerate(ends)})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(len(ends))])
    while [place.offset for place in consumer.position(list(consumer.assignment()))] != ends:
        for message in consumer.consume(10_000, timeout=0.2):
            partition, value = message.partition(), message.value()
            assert partition is not None
            broken = (message.key() or b"").startswith(b"broken-")
            role = "tombstone" if value is None else "broken" if broken else "good"
            counts[partition, role] += 1
            counts[partition, "invisible"] -= 1
            assert not (message.key() or b"").startswith(b"aborted-")
    consumer.close()
    return counts
