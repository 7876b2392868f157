"""The published loop: poll one by one, a pandas frame of the records, the SDK with its own validation, the commit."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
from arize import ArizeClient
from arize.ml.types import Environments, ModelTypes, Schema

from benchmarks.events import FEATURES, TAGS, VERSION
from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.published_parquet import BATCH, batch, consumer_of, row


def drain(order: Order) -> None:
    consumer = consumer_of(order)
    client = ArizeClient(
        api_key=os.environ["ARIZE_API_KEY"],
        api_host=os.environ["ARIZE_API_HOST"],
        api_port=int(os.environ["ARIZE_API_PORT"]),
        api_scheme=os.environ["ARIZE_API_SCHEME"],
    )
    left = order.records
    while left:
        rows = [row(value) for value in batch(consumer, min(BATCH, left))]
        left -= len(rows)
        _log(client, pd.DataFrame(rows), Path(order.pipeline).stem)
        consumer.commit(asynchronous=False)
    consumer.close()


def _log(client: ArizeClient, frame: pd.DataFrame, model: str) -> None:
    frame["scored_at"] = frame["scored_at"] / 1000
    client.ml.log(
        space_id=os.environ["ARIZE_SPACE_ID"],
        model_name=model,
        model_type=ModelTypes.BINARY_CLASSIFICATION,
        environment=Environments.PRODUCTION,
        model_version=VERSION,
        dataframe=frame,
        schema=Schema(
            prediction_id_column_name="id",
            timestamp_column_name="scored_at",
            prediction_label_column_name="label",
            prediction_score_column_name="score",
            feature_column_names=list(FEATURES),
            tag_column_names=list(TAGS),
        ),
    )


if __name__ == "__main__":
    run_job(drain)
