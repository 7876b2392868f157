"""Write records to a topic of Kafka's, and see how far it reaches."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deployments.local.events.records import SHARES, Record, decoys
from deployments.local.processes import wait_until

_log = logging.getLogger("sluice.events")  # librdkafka writes to stderr where no logger is given
_DEADLINE_S = 60.0


class EventsError(RuntimeError):
    """The topic and the summary do not fit together."""


def end_offsets(bootstrap_servers: str, topic: str) -> list[int]:
    """Give the end offset of each partition, markers and all; an empty list if there is no such topic."""
    settings = {"bootstrap.servers": bootstrap_servers, "group.id": "sample-events"}
    consumer = Consumer(settings | {"isolation.level": "read_uncommitted", "log_level": 3})
    try:
        metadata = consumer.list_topics(timeout=_DEADLINE_S).topics.get(topic)
        partitions = sorted(metadata.partitions) if metadata else []
        return [consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=_DEADLINE_S)[1] for n in partitions]
    finally:
        consumer.close()


def create(bootstrap_servers: str, topic: str) -> None:
    """Make a topic that keeps its records for ever."""
    wanted = NewTopic(topic, num_partitions=len(SHARES), replication_factor=1, config={"retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})  # named, for it must outlive its future
    admin.create_topics([wanted])[topic].result(_DEADLINE_S)


def delete(bootstrap_servers: str, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.delete_topics([topic])[topic].result(_DEADLINE_S)
    wait_until(lambda: not end_offsets(bootstrap_servers, topic), _DEADLINE_S, f"the end of topic {topic}")


def write(bootstrap_servers: str, topic: str, numbered: Iterable[tuple[int, list[Record]]]) -> Counter[tuple[int, str]]:
    """Write batches in turn: plain, in a transaction, and plain behind an aborted one; count by partition and role.

    Raises:
        EventsError: Kafka did not take all of them.
    """
    counts: Counter[tuple[int, str]] = Counter()
    settings = {"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "linger.ms": 20, "log_level": 3}
    settings |= {"compression.type": "lz4", "queue.buffering.max.messages": 500_000}
    plain = Producer(settings, logger=_log)
    transactional = Producer(settings | {"transactional.id": f"sample-events-{topic}"}, logger=_log)
    transactional.init_transactions(_DEADLINE_S)
    for number, batch in numbered:
        if number % 3 == 1:
            plain.flush(_DEADLINE_S)  # else the order in a partition would not be that of time
            _transact(transactional, topic, batch, counts, abort=False)
            continue
        if number % 3 == 2:
            plain.flush(_DEADLINE_S)
            _transact(transactional, topic, decoys(batch), counts, abort=True)
        _send(plain, topic, batch, counts)
    if left := plain.flush(_DEADLINE_S):
        raise EventsError(f"{left} records were not taken by {bootstrap_servers} within {_DEADLINE_S:g} s")
    return counts


def _transact(
    producer: Producer, topic: str, records: list[Record], counts: Counter[tuple[int, str]], *, abort: bool
) -> None:
    producer.begin_transaction()
    _send(producer, topic, records, counts)
    if abort:
        producer.flush(_DEADLINE_S)  # an abort purges what was not sent, and these are to be in the log
        producer.abort_transaction(_DEADLINE_S)
    else:
        producer.commit_transaction(_DEADLINE_S)
    for partition in {record.partition for record in records}:
        counts[partition, "marker"] += 1  # the end of a transaction takes an offset wherever it wrote


def _send(producer: Producer, topic: str, records: Iterable[Record], counts: Counter[tuple[int, str]]) -> None:
    headers: list[tuple[str, str | bytes | None]] = [("content-type", b"application/json")]
    for role, partition, key, value, timestamp_ms in records:
        producer.produce(topic, value, key, partition, timestamp=timestamp_ms, headers=headers)
        counts[partition, role] += 1
    producer.poll(0)
