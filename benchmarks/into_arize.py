"""From Kafka to Arize by both paths: the real SDK, and files in a bucket, against the stand-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.import_side import IMPORT, ImportSide, running_import_side
from benchmarks.jobs.order import Order
from benchmarks.rounds import Check, Line, Say, Trial, from_kafka, interleaved
from benchmarks.systems import System
from benchmarks.tables import Table
from benchmarks.targets import LOOP, at_least, peak, prefect_share
from benchmarks.topic import Topic
from deployments.local.arize import ArizeStandIn, arize_process
from deployments.local.prefect_server import running_prefect

LIBRARY: Final = System(
    name="Sluice, library",
    module="benchmarks.jobs.sluice_sdk",
    note="A whole run without Prefect: windows of 100,000, the next one read while one is sent; the start of the "
    "senders (they import the SDK) is in it.",
)
FLOW: Final = System(
    name="Sluice, flow run",
    module="benchmarks.jobs.sluice_flow",
    note="The same as a Prefect flow run in a process that is up, on a server that is up: the run is created, tasks, "
    "logs, artifacts. Out: Python's start and imports, a worker.",
)
ONE_FILE: Final = replace(
    IMPORT,
    name="Sluice, import path, one file",
    note="The same in one window of all events, and so one file (`max_bytes: 1 GB`).",
)
PUBLISHED: Final = System(
    name="published loop",
    module="benchmarks.jobs.published_sdk",
    note="`poll()` one by one, `json.loads`, a pandas frame of 100,000 rows, `ml.log` with its own validation, commit.",
)


def arize_tables(topic: Topic, window: Topic, directory: Path, *, rounds: int, warm: bool, say: Say) -> Sequence[Table]:
    """Measure a topic by all of them, and one window by Sluice with and without Prefect.

    Args:
        window: a topic with one window's records.
    """
    with ExitStack() as stack:
        arize = stack.enter_context(arize_process(directory / "arize"))
        prefect = stack.enter_context(running_prefect(directory / "prefect"))
        bucket = stack.enter_context(running_import_side(arize, directory / "bucket"))
        whole_file = replace(bucket, settled=[])
        environment = {**prefect.environment(), **arize.environment()}
        single_window = {"max_records": topic.records, "max_bytes": "1 GB", "max_seconds": 600}
        trials = [
            *(from_kafka(item, topic, check=holds(arize, topic), environment=environment) for item in (LIBRARY, FLOW)),
            _imported(IMPORT, topic, bucket, {}),
            _imported(ONE_FILE, topic, whole_file, single_window),
            from_kafka(PUBLISHED, topic, check=holds(arize, topic), environment=environment),
        ]
        whole = interleaved(trials, rounds=rounds, warm=warm, say=say)
        trials = [
            from_kafka(replace(item, note=""), window, check=holds(arize, window), environment=environment)
            for item in (LIBRARY, FLOW)
        ]
        single = interleaved(trials, rounds=rounds, warm=warm, say=say)
    by_sdk, flow, placed, one_file, published = whole
    return [
        Table(
            title="Kafka → Arize",
            what=_what(topic),
            lines=whole,
            beside=PUBLISHED.name,
            remarks=[
                *(found for ours in (by_sdk, flow, placed) for found in _targets(ours, [published])),
                *_memory(one_file, topic),
                *_settling(placed, bucket),
                *_settling(one_file, whole_file),
                *prefect_share(by_sdk, flow),
            ],
        ),
        Table(title="Prefect's share of one window", what=_what(window), lines=single, remarks=prefect_share(*single)),
    ]


def holds(arize: ArizeStandIn, topic: Topic) -> Check:
    """Check that the stand-in holds each row of a topic once, and let it forget them."""

    def problem(order: Order) -> str:
        found = arize.ids(order.model)
        arize.reset()
        if len(found) == len(set(found)) == topic.records:
            return ""
        return f"Arize holds {len(found):,} rows of {len(set(found)):,} ids, not {topic.records:,}"

    return problem


def _imported(system: System, topic: Topic, bucket: ImportSide, limits: Mapping[str, Any]) -> Trial:
    """Place a topic's rows; that Arize holds each once is checked when it has looked at them."""

    def problem(order: Order) -> str:
        return bucket.problem(order) or holds(bucket.arize, topic)(order)

    environment = bucket.environment
    limits = {"settle_seconds": 0, **limits}
    return from_kafka(system, topic, check=problem, environment=environment, limits=limits, way="object_store")


def _settling(line: Line, bucket: ImportSide) -> Sequence[str]:
    if not bucket.settled:
        return ()
    seconds = median(item.seconds for item in bucket.settled)
    most = max(item.peak_bytes for item in bucket.settled) / 1e6
    files = bucket.settled[-1].told["files"]
    words = f"{files} file{'s' * (files > 1)} settled by the run behind it"
    return (f"- {line.name}: {words} in {seconds:.2f} s (median), peak RSS {most:,.0f} MB.",)


def _memory(line: Line, topic: Topic) -> Sequence[str]:
    """Tell the peak of a window that is the whole topic beside its values: it grows with the window alone."""
    values = topic.records * topic.mean_bytes / 1e6
    return (f"- {line.name}: peak RSS {line.peak_mb:,.0f} MB, of {values:,.0f} MB of values.",) if line.taken else ()


def _what(topic: Topic) -> str:
    return f"{topic.records:,} events of {topic.mean_bytes:.0f} bytes, {len(topic.ends)} partitions"


def _targets(ours: Line, published: Sequence[Line]) -> Sequence[str]:
    return (*at_least("beside the loop", ours, published, LOOP), *peak(ours))
