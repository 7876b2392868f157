"""The loop that Arize's Kafka example publishes, in its shape, for comparison: poll, collect, upload, then commit.

Fairer than the original in one thing: it skips a record that it cannot read, where the original would end. Killed
between Arize's 200 and its own commit, it sends the batch again. `python -m deployments.local.published_loop --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from typing import Any

import pandas as pd
from arize import ArizeClient
from arize.ml.types import Environments, ModelTypes, Schema
from confluent_kafka import Consumer

from deployments.local.processes import wait_until

MODEL = "departure-delay (published loop)"
GROUP = "published-loop"
FEATURES = ["carrier", "origin", "dest", "distance"]
BATCH = 40_000
_PATIENCE_S = 3.0


def main() -> None:
    """Drain a topic by the published loop; with --die-before-commit, kill this process behind the first upload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--die-before-commit", action="store_true")
    options = parser.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap_servers,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
        }
    )
    consumer.subscribe([options.topic])
    # The group waits for a member that was killed until its session has timed out.
    wait_until(lambda: bool(consumer.poll(0) is None and consumer.assignment()), 30, "an assignment")
    while rows := _batch(consumer):
        _upload(rows)
        if options.die_before_commit:
            os.kill(os.getpid(), signal.SIGKILL)
        consumer.commit(asynchronous=False)
    consumer.close()


def _batch(consumer: Consumer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while len(rows) < BATCH and (message := consumer.poll(_PATIENCE_S)) is not None:
        value = message.value()
        if message.error() is None and value is not None:
            rows += _row(value)
    return rows


def _row(value: bytes) -> list[dict[str, Any]]:
    try:
        event = json.loads(value)
        prediction, features = event["prediction"], {name: event["features"][name] for name in FEATURES}
        at = {"id": str(event["id"]), "ts": event["scored_at"] / 1000}
        return [at | {"label": prediction["label"], "score": float(prediction["score"])} | features]
    except (ValueError, KeyError, TypeError):
        return []


def _upload(rows: list[dict[str, Any]]) -> None:
    client = ArizeClient(
        api_key=os.environ["ARIZE_API_KEY"],
        api_host=os.environ["ARIZE_API_HOST"],
        api_port=int(os.environ["ARIZE_API_PORT"]),
        api_scheme=os.environ["ARIZE_API_SCHEME"],
    )
    client.ml.log(
        space_id=os.environ["ARIZE_SPACE_ID"],
        model_name=MODEL,
        model_type=ModelTypes.BINARY_CLASSIFICATION,
        environment=Environments.PRODUCTION,
        model_version="published",
        dataframe=pd.DataFrame(rows),
        schema=Schema(
            prediction_id_column_name="id",
            timestamp_column_name="ts",
            prediction_label_column_name="label",
            prediction_score_column_name="score",
            feature_column_names=FEATURES,
        ),
    )


if __name__ == "__main__":
    main()
