"""What people do to a topic or a group behind a pipeline's back."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)

from deployments.local.kafka import Kafka
from deployments.local.processes import wait_until
from tests.end_to_end.events import ENOUGH_S, Written, append, topic


def admin(written: Written) -> AdminClient:
    return AdminClient({"bootstrap.servers": written.servers})


def move_group(written: Written, group: str, offsets: Mapping[int, int]) -> None:
    """Set a group's offsets by hand, as an operator's tool does: with nothing beside them."""
    places = [TopicPartition(written.topic, number, offset) for number, offset in offsets.items()]
    asked = ConsumerGroupTopicPartitions(group, places)
    hands = admin(written)  # named, as everywhere here: a client must outlive its futures
    hands.alter_consumer_group_offsets([asked])[group].result(ENOUGH_S)


def delete_group(written: Written, group: str) -> None:
    """Let a group's offsets go, as Kafka does by itself a week after the last commit."""
    hands = admin(written)
    hands.delete_consumer_groups([group])[group].result(ENOUGH_S)


def delete_records(written: Written, before: Mapping[int, int]) -> None:
    """Let the records below an offset go, as retention does."""
    places = [TopicPartition(written.topic, number, offset) for number, offset in before.items()]
    hands = admin(written)
    for deleted in hands.delete_records(places).values():
        deleted.result(ENOUGH_S)


def compact(written: Written, partition: int = 0) -> None:
    """Let a topic keep the last record of each key only, and wait until it does: records without a key are gone."""
    wanted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    changes = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wanted.items()]
    hands = admin(written)
    resource = ConfigResource(ConfigResource.Type.TOPIC, written.topic, incremental_configs=changes)
    hands.incremental_alter_configs([resource])[resource].result(ENOUGH_S)

    def is_compacted() -> bool:
        append(written, partition, [b"tick"], key=b"tick")  # only a closed segment is: a later record closes it
        return _first_offset(written, partition) > 0

    wait_until(is_compacted, ENOUGH_S, "compaction")


def _first_offset(written: Written, partition: int) -> int:
    """The offset of the first record that Kafka hands out."""
    settings = {"bootstrap.servers": written.servers, "group.id": "looks", "enable.auto.commit": False}
    consumer = Consumer(settings)
    try:
        consumer.assign([TopicPartition(written.topic, partition, 0)])
        message = consumer.poll(ENOUGH_S)
        assert message is not None
        return message.offset() or 0
    finally:
        consumer.close()


def recreate(written: Written) -> Written:
    """Delete a topic and make it anew under its name."""
    hands = admin(written)
    hands.delete_topics([written.topic])[written.topic].result(ENOUGH_S)
    wait_until(lambda: written.topic not in hands.list_topics(timeout=ENOUGH_S).topics, ENOUGH_S, "the topic's end")
    return topic(written.servers, len(written.classes), name=written.topic)


def add_partitions(written: Written, count: int) -> None:
    """Let a topic have so many partitions in all."""
    hands = admin(written)
    wanted = NewPartitions(written.topic, count)
    hands.create_partitions([wanted])[written.topic].result(ENOUGH_S)

    def are_there() -> bool:
        return len(hands.list_topics(written.topic, timeout=ENOUGH_S).topics[written.topic].partitions) == count

    wait_until(are_there, ENOUGH_S, f"{count} partitions")
    for number in range(len(written.classes), count):
        written.classes[number] = []


def allow(
    written: Written,
    user: str,
    *,
    topics: list[str],
    groups: list[str],
    operation: AclOperation = AclOperation.READ,
) -> None:
    """Let a user read topics and groups; whoever logs in is forbidden everything else."""
    named = [(ResourceType.TOPIC, name) for name in topics] + [(ResourceType.GROUP, name) for name in groups]
    read = (f"User:{user}", "*", operation, AclPermissionType.ALLOW)
    wanted = [AclBinding(kind, name, ResourcePatternType.LITERAL, *read) for kind, name in named]
    hands = admin(written)
    for made in hands.create_acls(wanted).values():
        made.result(ENOUGH_S)


def logged_in(kafka: Kafka, user: str, password: str | None = None) -> dict[str, str]:
    """The variables of a connection by which a user logs in; None is the user's own password."""
    return {
        f"SLUICE_KAFKA_{name.upper().replace('.', '_')}": value for name, value in kafka.login(user, password).items()
    }
