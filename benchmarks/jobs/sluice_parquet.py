"""Sluice from Kafka to Parquet, all of it but the sending: whatever is to be sent is accepted at once.

In: plan, read, decode, map, validate, stage (Parquet, its hashes, its copy in the store), seal, intents and outcomes,
the commit of the group. Out: the SDK and the network behind it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.stages import clocked
from sluice.answers import Answer
from sluice.clock import SystemClock
from sluice.connections import Connections
from sluice.ingest import ingest
from sluice.ledger import entries
from sluice.opening import KafkaWindows
from sluice.pipeline import Pipeline, load_pipeline
from sluice.run import Run
from sluice.settings import StoreConnection
from sluice.sources.kafka import KafkaSource
from sluice.stores.opening import open_store


class AcceptsAll:
    """A destination that has every part before it is sent."""

    def resolve(self, pipeline: Pipeline) -> entries.Destination:
        arize = pipeline.arize
        return entries.Destination(
            path=arize.path,
            connection=arize.connection,
            space="none",
            model=arize.model,
            type=arize.type,
            environment=arize.environment,
        )

    def get_ready(self, sends: int) -> None:
        pass

    def send(self, file: Path, to: entries.Destination, part: entries.Part, timeout_s: float) -> Answer:
        return Answer(kind="accepted", status=200, rows=part.rows)


@contextmanager
def opened(pipeline: Path, servers: str, store: Path) -> Iterator[Run]:
    """Open a run of a pipeline file on a broker and a directory, with a destination that accepts all."""
    loaded = load_pipeline(pipeline)
    group = loaded.pipeline.source.kafka.group
    with (
        tempfile.TemporaryDirectory(prefix="sluice-") as scratch,
        KafkaSource({"bootstrap.servers": servers}, group=group) as source,
    ):
        connections = Connections(
            store=open_store(StoreConnection(url=str(store))),
            source=KafkaWindows(source, loaded.pipeline),
            destination=AcceptsAll(),
            clock=SystemClock(),
            scratch=Path(scratch),
        )
        yield Run(loaded, connections, "benchmark")


def drain(order: Order) -> dict[str, object]:
    with clocked() as stages, opened(Path(order.pipeline), order.servers, Path(order.output)) as run:
        report = ingest(run, run.report(), parallel_windows=run.pipeline.limits.parallel_windows)
    if report.state != "done":
        raise RuntimeError(f"the run ended as {report.state}: {report.message}")
    return {"stages": stages}


if __name__ == "__main__":
    run_job(drain)
