"""The published loop's shape, into Parquet: poll one by one, `json.loads`, a pandas frame of the records, Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from confluent_kafka import Consumer, TopicPartition

from benchmarks.events import FEATURES, TAGS
from benchmarks.jobs.order import Order, run_job

BATCH = 100_000
_PATIENCE_S = 10.0


def drain(order: Order) -> None:
    consumer = consumer_of(order)
    left = order.records
    for number in range(-(-order.records // BATCH)):
        rows = [row(value) for value in batch(consumer, min(BATCH, left))]
        left -= len(rows)
        pd.DataFrame(rows).to_parquet(Path(order.output) / f"{number}.parquet", compression="zstd")
    consumer.close()


def consumer_of(order: Order) -> Consumer:
    """Return a consumer of all partitions from their beginning, with the published settings."""
    properties = {"bootstrap.servers": order.servers, "group.id": "published-loop", "auto.offset.reset": "earliest"}
    consumer = Consumer({**properties, "enable.auto.commit": False})
    consumer.assign([TopicPartition(order.topic, partition, 0) for partition in range(len(order.ends))])
    return consumer


def batch(consumer: Consumer, count: int) -> list[bytes]:
    """Poll so many values, one by one."""
    values: list[bytes] = []
    while len(values) < count:
        message = consumer.poll(_PATIENCE_S)
        if message is None:
            raise RuntimeError(f"{count - len(values)} records did not come")
        value = message.value()
        if message.error() is None and value is not None:
            values.append(value)
    return values


def row(value: bytes) -> dict[str, Any]:
    """Flatten an event, as the loop does: by hand."""
    event = json.loads(value)
    features, tags = event["features"], event["tags"]
    return {
        "id": event["id"],
        "scored_at": event["scored_at"],
        "label": event["prediction"]["label"],
        "score": event["prediction"]["score"],
        **{name: features[name] for name in FEATURES},
        **{name: tags[name] for name in TAGS},
    }


if __name__ == "__main__":
    run_job(drain)
