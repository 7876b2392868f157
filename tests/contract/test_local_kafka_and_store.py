"""The broker and the store of `deployments.local` are the real things, and end with whoever started them."""

import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its types forget to export what it documents
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deployments.local import jars
from deployments.local.kafka import Kafka, running_kafka, wait_for_markers
from deployments.local.processes import wait_until
from deployments.local.seaweedfs import SeaweedFS, running_seaweedfs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from deployments.local.kafka import running_kafka
from deployments.local.seaweedfs import running_seaweedfs

folder = Path(sys.argv[1])
with running_kafka(folder / "kafka") as kafka, running_seaweedfs(folder / "store") as store:
    print(kafka.process.pid, store.process.pid, flush=True)
    time.sleep(600)
"""


# ── the broker


def test_what_is_produced_is_consumed(kafka: Kafka) -> None:
    topic = new_topic(kafka, partitions=2)
    produce(kafka, topic, ["a", "b"])
    assert consume(kafka, topic, 2) == ["a", "b"]


def test_only_committed_transactions_are_seen_and_each_leaves_a_marker(kafka: Kafka) -> None:
    topic = new_topic(kafka)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(30)
    for value, end in (("lost", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(30)
        end(30)
    wait_for_markers(kafka.bootstrap_servers, topic)
    assert consume(kafka, topic, 1) == ["kept"]
    assert end_offset(kafka, topic) == 4


def test_a_topic_that_nobody_made_is_not_made_by_asking_for_it(kafka: Kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for _ in range(2):
        error = admin.list_topics("never-made", timeout=30).topics["never-made"].error
        assert error is not None
        assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_topics_records_and_commits_outlive_a_crash_an_orderly_end_and_other_ports(tmp_path: Path) -> None:
    with running_kafka(tmp_path, properties={"num.partitions": "3"}) as broker:
        topic = new_topic(broker, partitions=-1)
        produce(broker, topic, ["a"])
        commit(broker, topic, 1)
        first = broker.bootstrap_servers
        broker.process.restart(crash=True)
        produce(broker, topic, ["b"])
    with running_kafka(tmp_path) as broker:
        assert broker.bootstrap_servers != first
        assert partition_count(broker, topic) == 3  # the property was heard
        assert consume(broker, topic, 2) == ["a", "b"]
        assert committed(broker, topic) == 1


def test_a_wrong_password_is_refused_and_the_right_one_let_in(kafka: Kafka) -> None:
    seen: list[int] = []
    refused = Consumer(
        {**kafka.login("stranger", "guessed"), "group.id": "any", "error_cb": lambda error: seen.append(error.code())}
    )
    wait_until(lambda: refused.poll(0.1) is None and KafkaError._AUTHENTICATION in seen, 30, "the refusal")
    refused.close()
    let_in = AdminClient({**kafka.login("stranger")})
    assert let_in.list_topics(timeout=30).brokers


def test_a_user_may_do_what_an_acl_allows_and_no_more(kafka: Kafka) -> None:
    topic = new_topic(kafka)
    produce(kafka, topic, ["a"])
    allow(kafka, "reader", ResourceType.GROUP, topic)
    allow(kafka, "reader", ResourceType.TOPIC, topic)
    assert consume(kafka, topic, 1, kafka.login("reader")) == ["a"]
    # Not by consuming: librdkafka tells an assigned consumer without the right nothing at all, and it waits for ever.
    refused = AdminClient({**kafka.login("stranger")})
    error = refused.list_topics(topic, timeout=30).topics[topic].error
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


# ── its jars


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = jars.Jar(coordinate="org.jspecify:jspecify:1.0.0", sha256="0" * 64)
    monkeypatch.setattr(jars, "_chunks", lambda _: [b"other bytes"])
    with pytest.raises(jars.JarUnavailableError, match="do not trust"):
        jars._present(jar, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_jar_that_was_damaged_in_the_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = next(jar for jar in jars.locked_jars() if jar.file_name.startswith("jspecify"))
    (tmp_path / jar.file_name).write_bytes(b"damaged")
    good = (Path(jars.class_path().split(":")[0]).parent / jar.file_name).read_bytes()
    monkeypatch.setattr(jars, "_chunks", lambda _: [good])
    assert jars._present(jar, tmp_path).read_bytes() == good


def test_a_repository_out_of_reach_is_named_with_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    monkeypatch.setenv("SLUICE_MAVEN_MIRROR", "http://127.0.0.1:9/maven")
    with pytest.raises(jars.JarUnavailableError, match=r"127\.0\.0\.1(?s:.*)SLUICE_MAVEN_MIRROR"):
        jars.class_path()


# ── the store


def test_an_object_is_read_as_it_was_written_and_never_written_twice(seaweedfs: SeaweedFS) -> None:
    client, key = s3(seaweedfs), f"once/{uuid.uuid4()}"
    client.put_object(Bucket=seaweedfs.bucket, Key=key, Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=seaweedfs.bucket, Key=key, Body=b"second", IfNoneMatch="*")
    assert status(refused.value) == 412
    assert client.get_object(Bucket=seaweedfs.bucket, Key=key)["Body"].read() == b"first"


def test_a_wrong_secret_is_refused(seaweedfs: SeaweedFS) -> None:
    with pytest.raises(ClientError) as refused:
        s3(seaweedfs, secret="guessed").list_objects_v2(Bucket=seaweedfs.bucket)
    assert status(refused.value) == 403


def test_its_variables_are_all_that_boto3_needs(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    boto3.Session().client("s3").head_bucket(Bucket=seaweedfs.bucket)


def test_objects_and_keys_outlive_a_crash_an_orderly_end_and_other_ports(tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(100)]
    with running_seaweedfs(tmp_path, bucket="kept") as store:
        put(store, names[:50])
        store.process.restart(crash=True)
        put(store, names[50:])
        first = store
    with running_seaweedfs(tmp_path, bucket="kept") as store:
        assert store.endpoint_url != first.endpoint_url
        assert (store.access_key, store.secret_key) == (first.access_key, first.secret_key)
        client = s3(store)
        bodies = [client.get_object(Bucket="kept", Key=name)["Body"].read().decode() for name in names]
        assert bodies == names


# ── both


def test_neither_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert not any(map(is_gone, children))
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, children)), 30, "broker and store to be gone")


def new_topic(kafka: Kafka, partitions: int = 1) -> str:
    topic = f"local-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])[topic].result(30)
    return topic


def produce(kafka: Kafka, topic: str, values: Sequence[str]) -> None:
    failed: list[KafkaError] = []

    def note(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.timeout.ms": 10_000})
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=note)
    assert producer.flush(30) == 0
    if failed:
        raise KafkaException(failed[0])


def consume(kafka: Kafka, topic: str, count: int, client: dict[str, str] | None = None) -> list[str]:
    consumer = Consumer(
        (client or {"bootstrap.servers": kafka.bootstrap_servers})
        | {"group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [text(message) for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def text(message: Message) -> str:
    if error := message.error():
        raise KafkaException(error)
    value = message.value()
    assert value is not None
    return value.decode()


def partition_count(kafka: Kafka, topic: str) -> int:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    return len(admin.list_topics(topic, timeout=30).topics[topic].partitions)


def end_offset(kafka: Kafka, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1])
    finally:
        consumer.close()


def commit(kafka: Kafka, topic: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic})
    try:
        consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    finally:
        consumer.close()


def committed(kafka: Kafka, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic})
    try:
        return int(consumer.committed([TopicPartition(topic, 0)], timeout=30)[0].offset)
    finally:
        consumer.close()


def allow(kafka: Kafka, user: str, kind: ResourceType, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    rule = (ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation.READ, AclPermissionType.ALLOW)
    for made in admin.create_acls([AclBinding(kind, name, *rule)]).values():
        made.result(30)


def s3(store: SeaweedFS, secret: str | None = None) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=secret or store.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def put(store: SeaweedFS, names: Sequence[str]) -> None:
    client = s3(store)
    for name in names:
        client.put_object(Bucket=store.bucket, Key=name, Body=name.encode())


def status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def is_gone(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")
