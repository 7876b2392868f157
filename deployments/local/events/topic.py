"""Write the records to a topic, once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deployments.local.events.departures import TOTAL, departures
from deployments.local.events.produced import PartitionProduced, Produced
from deployments.local.events.records import SHARES, Record, batches, decoys
from deployments.local.processes import wait_until

TOPIC = "flights.predictions"
COUNT = 150_000
SEED = 13

_log = logging.getLogger("sluice.events")  # librdkafka writes to stderr where no logger is given
_DEADLINE_S = 60.0


class EventsError(RuntimeError):
    """The topic and the summary do not fit together."""


def produce(
    bootstrap_servers: str,
    topic: str = TOPIC,
    *,
    count: int = COUNT,
    summary: Path | None = None,
    reference: date | None = None,
    seed: int = SEED,
) -> Produced:
    """Write the first `count` departures to a topic, which is made if need be; do nothing if they are there already.

    summary: a JSON file that remembers what was written; without it a topic that holds anything is refused.
    reference: the day before which the departures lie, by default today.

    Raises:
        EventsError: the topic holds records that the summary does not know of.
    """
    known = Produced.load(summary) if summary is not None and summary.exists() else None
    ends = end_offsets(bootstrap_servers, topic)
    if known is not None and (known.topic, known.ends, known.complete) == (topic, ends, True):
        return known
    if any(ends):
        if known is None or known.topic != topic or known.complete:
            raise EventsError(_unknown(topic, ends, summary))
        _delete(bootstrap_servers, topic)  # ours, and only half written
    if not ends or any(ends):
        _create(bootstrap_servers, topic)
    begun = _begun(topic, reference or datetime.now(UTC).date(), seed)
    if summary is not None:
        begun.save(summary)
    return _append(bootstrap_servers, begun, count, summary)


def more(bootstrap_servers: str, *, count: int, summary: Path) -> Produced:
    """Write the `count` departures that follow those that the summary remembers, and give the new sum of all.

    Raises:
        EventsError: the topic holds something else than the summary says, or the data set is used up.
    """
    known = Produced.load(summary)
    ends = end_offsets(bootstrap_servers, known.topic)
    if not known.complete or known.ends != ends:
        raise EventsError(_unknown(known.topic, ends, summary))
    return _append(bootstrap_servers, known, count, summary)


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


def _begun(topic: str, reference: date, seed: int) -> Produced:
    return Produced(
        topic=topic,
        reference=reference,
        seed=seed,
        departures=0,
        versions={},
        partitions=tuple(PartitionProduced(partition=number) for number in range(len(SHARES))),
        complete=False,
    )


def _append(bootstrap_servers: str, known: Produced, count: int, summary: Path | None) -> Produced:
    start, stop = known.departures, known.departures + count
    if stop > TOTAL:
        raise EventsError(f"{TOTAL} departures are all there are; {start} of them are written already")
    scored = departures(known.reference, start=start, stop=stop)
    counts = _write(bootstrap_servers, known.topic, batches(scored, seed=known.seed, start=start))
    produced = known.plus(Counter(dict(scored["version"].value_counts().iter_rows())), counts)
    found = end_offsets(bootstrap_servers, known.topic)
    if found != produced.ends:
        raise EventsError(f"{known.topic} ends at {found}, not at {produced.ends}: does someone else write to it?")
    if summary is not None:
        produced.save(summary)
    return produced


def _write(
    bootstrap_servers: str, topic: str, numbered: Iterable[tuple[int, list[Record]]]
) -> Counter[tuple[int, str]]:
    """Write batches in turn: plain, in a transaction, and plain behind an aborted one; count by partition and role."""
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


def _create(bootstrap_servers: str, topic: str) -> None:
    wanted = NewTopic(topic, num_partitions=len(SHARES), replication_factor=1, config={"retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})  # named, for it must outlive its future
    admin.create_topics([wanted])[topic].result(_DEADLINE_S)


def _delete(bootstrap_servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.delete_topics([topic])[topic].result(_DEADLINE_S)
    wait_until(lambda: not end_offsets(bootstrap_servers, topic), _DEADLINE_S, f"the end of topic {topic}")


def _unknown(topic: str, ends: list[int], summary: Path | None) -> str:
    known = f"{summary} does not tell of" if summary is not None else "no summary tells of"
    return f"{topic} ends at {ends}, which {known}: delete the topic, or write to another one"
