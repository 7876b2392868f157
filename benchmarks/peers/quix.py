"""quixstreams: its JSON topic, a function that flattens each event, its own file sink with Parquet."""

from __future__ import annotations

import os
import uuid

from quixstreams import Application
from quixstreams.sinks.community.file.formats import ParquetFormat
from quixstreams.sinks.community.file.local import LocalFileSink

from benchmarks.jobs.order import Order, run_job
from benchmarks.peers.rows import FILE_ROWS, flat


def drain(order: Order) -> None:
    os.chdir(order.output)  # the sink takes no path with a hyphen in it
    app = Application(
        broker_address=order.servers,
        consumer_group=f"quix-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        commit_every=FILE_ROWS,
        commit_interval=3600,  # a file a commit, by count alone
        consumer_extra_config={"fetch.queue.backoff.ms": 1},
        auto_create_topics=False,
        loglevel="WARNING",
    )
    frame = app.dataframe(app.topic(order.topic, value_deserializer="json"))
    frame = frame.apply(flat)
    frame.sink(LocalFileSink(directory="rows", format=ParquetFormat(compression="zstd")))
    app.run(count=order.records, timeout=30)


if __name__ == "__main__":
    run_job(drain)
