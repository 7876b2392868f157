"""The first limit: every record handed over by librdkafka, and dropped."""

from __future__ import annotations

from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.jobs.order import Order, run_job
from sluice.sources.kafka_connection import READER_DEFAULTS

_CALL = 1000


def drain(order: Order) -> None:
    properties = {"bootstrap.servers": order.servers, "group.id": "raw", "auto.offset.reset": "earliest"}
    consumer = Consumer({**properties, **READER_DEFAULTS, "enable.auto.commit": "false", "check.crcs": "true"})
    consumer.assign([TopicPartition(order.topic, partition, 0) for partition in range(len(order.ends))])
    left = order.records
    while left:
        messages = consumer.consume(min(_CALL, left), 10)
        if not messages or any(map(Message.error, messages)):
            raise RuntimeError(f"{left} records did not come")
        left -= len(messages)
    consumer.close()


if __name__ == "__main__":
    run_job(drain)
