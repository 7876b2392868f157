"""Everything that Sluice works with, running on this machine: Kafka, a store, Arize's stand-in and Prefect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.local.arize import ArizeProcess, arize_process
from deployments.local.events import ARRIVALS, TOPIC, Produced, produce, produce_arrivals
from deployments.local.kafka import Kafka, running_kafka
from deployments.local.prefect_server import PrefectServer, running_prefect
from deployments.local.seaweedfs import SeaweedFS, running_seaweedfs

_LOOK_EVERY_S = 3.0  # Arize's own jobs look every ten seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The running parts, and what was produced into Kafka: departures, and what came true of them."""

    directory: Path
    kafka: Kafka
    store: SeaweedFS
    arize: ArizeProcess
    prefect: PrefectServer
    produced: Produced
    arrived: Produced

    def environment(self) -> dict[str, str]:
        """Return every variable by which Sluice finds the parts."""
        return {
            **self.store.environment(),
            **self.arize.environment(),
            "SLUICE_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SLUICE_STORE": f"s3://{self.store.bucket}/sluice",
            "SLUICE_IMPORT_STORE": f"s3://{self.store.bucket}/for-arize",
        }


@contextmanager
def running_stack(directory: Path, *, departures: int, say: Callable[[str], None]) -> Iterator[Stack]:
    """Start all parts side by side, produce the sample events, deploy, and end everything behind the block.

    Args:
        directory: their data; one that was used before goes on from there.
        departures: sample events in the topic; those that are there already stay and are not produced again.
        say: is told what is ready.
    """
    with ExitStack() as stack, ThreadPoolExecutor(4) as threads:

        def start(part: AbstractContextManager[Any], name: str) -> Any:
            started = part.__enter__()
            stack.push(part)
            say(f"{name} is ready")
            return started

        prefect = threads.submit(_prefect, start, directory / "prefect")
        arize = threads.submit(start, arize_process(directory / "arize"), "the Arize stand-in")
        store = threads.submit(start, running_seaweedfs(directory / "store"), "SeaweedFS (S3)")
        kafka = start(running_kafka(directory / "kafka"), "Apache Kafka")
        produced = produce(kafka.bootstrap_servers, TOPIC, count=departures, summary=directory / "produced.json")
        arrived = produce_arrivals(kafka.bootstrap_servers, produced, ARRIVALS, summary=directory / "arrived.json")
        say(f"{produced.total('good'):,} departures and {arrived.total('good'):,} reports of arrivals are in Kafka")
        reads, bucket = arize.result(), store.result()
        reads.read_objects(bucket.endpoint_url, access_key=bucket.access_key, secret_key=bucket.secret_key)
        reads.configure(look_every_s=_LOOK_EVERY_S)
        yield Stack(
            directory=directory,
            kafka=kafka,
            store=bucket,
            arize=reads,
            prefect=prefect.result(),
            produced=produced,
            arrived=arrived,
        )


def _prefect(start: Callable[[AbstractContextManager[Any], str], Any], directory: Path) -> PrefectServer:
    server: PrefectServer = start(running_prefect(directory), "the Prefect server")
    server.make_pool()
    server.deploy()
    return server
