"""bytewax: its Kafka source, orjson, rows gathered into Parquet files; one worker, for Python holds one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from benchmarks.jobs.order import Order, run_job
from benchmarks.peers.rows import FILE_ROWS, flat, write

_BATCH = 1000


def drain(order: Order) -> None:
    flow = Dataflow("benchmark")
    properties = {"fetch.queue.backoff.ms": "1"}
    source = KafkaSource([order.servers], [order.topic], tail=False, batch_size=_BATCH, add_config=properties)
    messages = op.input("read", flow, source)
    op.output("write", op.flat_map_batch("decode", messages, _rows), ParquetSink(Path(order.output)))
    run_main(flow)


def _rows(messages: list[KafkaSourceMessage[bytes, bytes]]) -> list[dict[str, Any]]:
    return [flat(orjson.loads(message.value)) for message in messages]


class ParquetSink(DynamicSink[dict[str, Any]]):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def build(self, step_id: str, worker_index: int, worker_count: int) -> ParquetFiles:
        return ParquetFiles(self._directory)


class ParquetFiles(StatelessSinkPartition[dict[str, Any]]):
    """Gathers rows, and writes a file of each hundred thousand."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: list[dict[str, Any]] = []
        self._files = 0

    def write_batch(self, items: Sequence[dict[str, Any]]) -> None:
        self._rows.extend(items)
        if len(self._rows) >= FILE_ROWS:
            self._flush()

    def close(self) -> None:
        if self._rows:
            self._flush()

    def _flush(self) -> None:
        write(self._rows, self._directory / f"{self._files}.parquet")
        self._files += 1
        self._rows = []


if __name__ == "__main__":
    run_job(drain)
