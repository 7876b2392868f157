"""Names of headers that are no text: what the Kafka client makes of them, and what is made of that.

The brokers are librdkafka's own stand-in, in this process. Such a name is written by way of librdkafka's C functions,
as its Python client writes text only.
"""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from sluice.offsets import Partition
from sluice.sources.kafka_records import NO_NAME, MessageRecords

TOPIC, DEADLINE_S = "hostile", 30
NAMES: list[tuple[bytes, bytes | None]] = [(b"\xff\xfe", b"v"), (b"trace", b"t"), (b"\xed\xa0\x80", None), (b"n", None)]
READ = ((NO_NAME, b"v"), ("trace", b"t"), (NO_NAME, None), ("n", None))


class Librdkafka:
    """A producer of librdkafka's, and the brokers that it carries."""

    def __init__(self) -> None:
        near = Path(confluent_kafka.__file__).parent.parent
        (path,) = [*near.glob("confluent_kafka*.libs/librdkafka*"), *near.glob("confluent_kafka/.dylibs/librdkafka*")]
        self._c = ctypes.CDLL(str(path))
        for name in ("conf_new", "new", "headers_new", "handle_mock_cluster", "headers_new"):
            getattr(self._c, f"rd_kafka_{name}").restype = ctypes.c_void_p
        self._c.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        said = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._c.rd_kafka_conf_new())
        assert self._c.rd_kafka_conf_set(conf, b"test.mock.num.brokers", b"1", said, 512) == 0, said.value
        self._producer = ctypes.c_void_p(self._c.rd_kafka_new(0, conf, said, 512))
        brokers = ctypes.c_void_p(self._c.rd_kafka_handle_mock_cluster(self._producer))
        self.address: str = self._c.rd_kafka_mock_cluster_bootstraps(brokers).decode()

    def produce(self, headers: list[tuple[bytes, bytes | None]]) -> None:
        """Write one record without key and value to partition 0."""
        c_headers = ctypes.c_void_p(self._c.rd_kafka_headers_new(ctypes.c_size_t(len(headers))))
        for name, value in headers:
            size = 0 if value is None else len(value)
            self._c.rd_kafka_header_add(c_headers, name, ctypes.c_ssize_t(len(name)), value, ctypes.c_ssize_t(size))
        topic, partition, with_headers, end = map(ctypes.c_int, (1, 3, 10, 0))  # of rd_kafka_vtype_t
        failed = self._c.rd_kafka_producev(
            self._producer,
            topic,
            ctypes.c_char_p(TOPIC.encode()),
            partition,
            ctypes.c_int32(0),
            with_headers,
            c_headers,
            end,
        )
        assert failed == 0
        assert self._c.rd_kafka_flush(self._producer, DEADLINE_S * 1000) == 0

    def close(self) -> None:
        self._c.rd_kafka_destroy(self._producer)


@pytest.fixture(scope="module")
def librdkafka() -> Iterator[Librdkafka]:
    found = Librdkafka()
    yield found
    found.close()


def read(librdkafka: Librdkafka, number: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": librdkafka.address, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found = consumer.consume(number, timeout=DEADLINE_S)
    consumer.close()
    return found


def test_a_record_is_read_whole_though_a_header_of_it_has_a_name_that_is_no_text(librdkafka: Librdkafka) -> None:
    for _ in range(1000):  # a warm interpreter calls in another way
        MessageRecords(Partition(TOPIC, 0), [Message(headers=[("trace", b"t")])]).headers()
    librdkafka.produce(NAMES)
    librdkafka.produce([(b"trace", b"t2")])
    records = MessageRecords(Partition(TOPIC, 0), read(librdkafka, 2))
    for _ in range(2):  # the client answers in another way when it is asked again
        assert records.headers() == [READ, (("trace", b"t2"),)]
        assert records.record(0).headers == READ


def test_the_client_fails_for_such_a_name_and_then_hands_over_a_pair_without_one(librdkafka: Librdkafka) -> None:
    librdkafka.produce(NAMES)
    (message,) = read(librdkafka, 1)
    with pytest.raises(SystemError):
        message.headers()
    assert repr(message.headers()) == "[(<NULL>, b'v'), ('trace', b't'), (<NULL>, None), ('n', None)]"
