"""Small topics with everything in them that makes counting hard; what became of each offset is known beforehand."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # no __all__

from deployments.local.kafka import wait_for_markers
from deployments.local.processes import wait_until

CANARY = "canary-6d1f"
ENOUGH_S = 60.0
_log = logging.getLogger("events")
_ON_ITS_WAY = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
BAD = (
    b"",
    b"{",
    b"[1]",
    f'"{CANARY}-alone"'.encode(),
    f'{{"id": "{CANARY}-one"}}\n{{"id": "{CANARY}-two"}}'.encode(),
    f'{{"id": "{CANARY}-late", "at": "{CANARY}-noon"}}'.encode(),
    json.dumps({"at": 1, "label": f"{CANARY}-label", "score": 0.5}).encode(),
)


@dataclass(frozen=True, slots=True)
class Written:
    """A topic as it was written by one hand.

    Attributes:
        classes: what became of each offset, by partition; what no record took is `invisible`.
        ids: the prediction id of each good event, by partition and offset.
        versions: the model version of each, by id.
    """

    servers: str
    topic: str
    classes: dict[int, list[str]] = field(default_factory=dict)
    ids: dict[tuple[int, int], str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> list[str]:
        """The id of every good event, sorted."""
        return sorted(self.ids.values())

    @property
    def ends(self) -> dict[int, int]:
        return {partition: len(classes) for partition, classes in self.classes.items()}

    def good_in(self, partition: int, start: int, stop: int, version: str | None = None) -> list[str]:
        """The ids of the good events of a range, of one version or all, sorted."""
        within = (self.ids[at] for at in self.ids if at[0] == partition and start <= at[1] < stop)
        return sorted(id_ for id_ in within if version in (None, self.versions[id_]))

    def good_of(self, entry: Mapping[str, Any], version: str | None = None) -> list[str]:
        """The ids of the good events in an entry's ranges, of one version or all."""
        spans = [(item["partition"], item["start"], item["stop"]) for item in entry["ranges"]]
        return [id_ for span in spans for id_ in self.good_in(*span, version)]

    def balance(self, partition: int, start: int, stop: int) -> dict[str, int]:
        """Count the classes of a range; those that are empty are left out."""
        return dict(Counter(self.classes[partition][start:stop]))


def topic(servers: str, partitions: int = 2, *, name: str = "", **config: str) -> Written:
    """Make a topic, which is empty."""
    made = name or f"e2e.{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": servers})
    wanted = NewTopic(made, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    admin.create_topics([wanted])[made].result(ENOUGH_S)
    wait_until(lambda: made in admin.list_topics(timeout=ENOUGH_S).topics, ENOUGH_S, f"topic {made}")
    return Written(servers, made, {number: [] for number in range(partitions)})


def event(number: int, version: str = "", **changed: Any) -> dict[str, Any]:
    """One good event; its version, unless it is told, is `v1` for two of three and `v2` for the third."""
    return {
        "id": f"{CANARY}-id-{number:06}",
        "at": int(time.time() * 1000) - 3_600_000 + number,
        "label": f"{CANARY}-label-{number % 2}",
        "score": number % 100 / 100,
        "version": version or ("v2" if number % 3 == 2 else "v1"),
        "features": {"carrier": f"{CANARY}-carrier", "distance": float(number)},
        **changed,
    }


def everything(written: Written, count: int = 110) -> Written:
    """Write, to each partition, good events and all that is not one, and end it with a transaction's marker."""
    for partition in written.classes:
        first = 1000 * partition
        half = first + count // 2
        append(written, partition, [event(number) for number in range(first, half)])
        append(written, partition, [None, *BAD])
        append(written, partition, [event(half, indented=True)])
        append_by_transaction(written, partition, [event(900_000 + first), event(900_001 + first)], commit=False)
        append_by_transaction(written, partition, [event(number) for number in range(half + 1, first + count)])
    return written


def append(
    written: Written,
    partition: int,
    values: Iterable[dict[str, Any] | bytes | None],
    *,
    timestamp_ms: int = 0,
    every_ms: int = 0,
    key: bytes | None = None,
    kind: str = "",
) -> None:
    """Write events, bad records as bytes, and tombstones as None, behind what there is.

    timestamp_ms: of the first record, in Kafka; 0 is the broker's now.
    every_ms: so much later is each of the others.
    key: of each record.
    kind: what becomes of each; left out: of events that they are staged.
    """
    producer = _producer(written)
    _produce(producer, written, partition, values, kind=kind, timestamp_ms=timestamp_ms, every_ms=every_ms, key=key)
    assert producer.flush(ENOUGH_S) == 0


def append_by_transaction(
    written: Written, partition: int, values: Sequence[dict[str, Any] | bytes | None], *, commit: bool = True
) -> None:
    """Write in a transaction, whose end takes an offset more; an aborted one leaves only invisible offsets."""
    producer = _producer(written, **{"transactional.id": uuid.uuid4().hex})
    producer.init_transactions(ENOUGH_S)
    producer.begin_transaction()
    _produce(producer, written, partition, values, aborted=not commit)
    producer.flush(ENOUGH_S)
    (producer.commit_transaction if commit else producer.abort_transaction)(ENOUGH_S)
    wait_for_markers(written.servers, written.topic)
    written.classes[partition].append("invisible")


def _produce(
    producer: Producer,
    written: Written,
    partition: int,
    values: Iterable[dict[str, Any] | bytes | None],
    *,
    kind: str = "",
    aborted: bool = False,
    timestamp_ms: int = 0,
    every_ms: int = 0,
    key: bytes | None = None,
) -> None:
    for number, value in enumerate(values):
        taken = partial(_taken, written, kind or ("invisible" if aborted else _class_of(value)), value)
        place: dict[str, Any] = {"partition": partition, "timestamp": timestamp_ms + number * every_ms, "key": key}
        producer.produce(written.topic, _encoded(value), on_delivery=taken, **place)
        producer.poll(0)


def _taken(written: Written, kind: str, value: object, error: KafkaError | None, message: Message) -> None:
    assert error is None, error
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    classes = written.classes[partition]
    classes += ["invisible"] * (offset - len(classes)) + [kind]
    if kind == "staged" and isinstance(value, dict):
        written.ids[partition, offset] = value["id"]
        written.versions[value["id"]] = value.get("version", "")


def _class_of(value: dict[str, Any] | bytes | None) -> str:
    return "tombstones" if value is None else "rejected" if isinstance(value, bytes) else "staged"


def _encoded(value: dict[str, Any] | bytes | None) -> bytes | None:
    if not isinstance(value, dict):
        return value
    return json.dumps(value, indent=2 if value.get("indented") else None).encode()


def _producer(written: Written, **properties: str) -> Producer:
    settings = {"bootstrap.servers": written.servers, "linger.ms": 5, "enable.idempotence": True, **properties}
    return Producer(settings, logger=_log)


def group_positions(group: str, written: Written) -> dict[int, int]:
    """Where a group stands, by partition."""
    return {number: at for number, (at, _) in group_offsets(written.servers, group, written).items()}


def group_offsets(servers: str, group: str, written: Written) -> dict[int, tuple[int, str]]:
    """Where a group stands, by partition, with its metadata; what it has not committed is left out."""
    # By a consumer: the admin client's call crashes the process where the group's coordinator is on its way.
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group}, logger=_log)
    found: list[TopicPartition] = []

    def is_told() -> bool:
        try:
            found[:] = consumer.committed([TopicPartition(written.topic, number) for number in written.classes], 5)
        except KafkaException as error:
            if error.args[0].code() not in _ON_ITS_WAY:
                raise
        return bool(found)

    try:
        wait_until(is_told, ENOUGH_S, f"the offsets of {group}")
    finally:
        consumer.close()
    return {at.partition: (at.offset, at.metadata or "") for at in found if at.offset >= 0}
