"""The second limit: values that are in memory already into columns, by Sluice's decoder; nothing else counts."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.published_parquet import batch, consumer_of
from benchmarks.pipeline import WINDOW
from sluice.decoding.json import decode
from sluice.decoding.projection import Projection
from sluice.pipeline import load_pipeline


def drain(order: Order) -> dict[str, float]:
    projection = Projection.of(load_pipeline(Path(order.pipeline)).pipeline.columns())
    consumer = consumer_of(order)
    left, seconds = order.records, 0.0
    while left:
        values = batch(consumer, min(WINDOW, left))
        began = time.perf_counter()
        found = decode(values, projection)
        seconds += time.perf_counter() - began
        if found.frame.height != len(values):
            raise RuntimeError(f"{len(values) - found.frame.height} values were not decoded")
        left -= len(values)
    consumer.close()
    return {"seconds": seconds}


if __name__ == "__main__":
    run_job(drain)
