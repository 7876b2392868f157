"""From Kafka to Arize by the SDK: the real one, against the stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.rounds import Check, Line, Say, from_kafka, interleaved
from benchmarks.systems import System
from benchmarks.tables import Table
from benchmarks.targets import LOOP, at_least, peak, prefect_share
from benchmarks.topic import Topic
from deployments.local.arize import ArizeStandIn, arize_process
from deployments.local.prefect_server import running_prefect

LIBRARY: Final = System(
    name="Sluice, library",
    module="benchmarks.jobs.sluice_sdk",
    note="A whole run without Prefect: windows of 100,000, two at once; the start of the senders (they import the SDK) "
    "is in it.",
)
FLOW: Final = System(
    name="Sluice, flow run",
    module="benchmarks.jobs.sluice_flow",
    note="The same as a Prefect flow run in a process that is up, on a server that is up: the run is created, tasks, "
    "logs, artifacts. Out: Python's start and imports, a worker.",
)
PUBLISHED: Final = System(
    name="published loop",
    module="benchmarks.jobs.published_sdk",
    note="`poll()` one by one, `json.loads`, a pandas frame of 100,000 rows, `ml.log` with its own validation, commit.",
)


def sdk_tables(topic: Topic, window: Topic, directory: Path, *, rounds: int, warm: bool, say: Say) -> Sequence[Table]:
    """Measure a topic by all three, and one window by Sluice with and without Prefect.

    Args:
        window: a topic with one window's records.
    """
    with ExitStack() as stack:
        arize = stack.enter_context(arize_process(directory / "arize"))
        prefect = stack.enter_context(running_prefect(directory / "prefect"))
        environment = {**prefect.environment(), **arize.environment()}
        systems = (LIBRARY, FLOW, PUBLISHED)
        trials = [from_kafka(item, topic, check=holds(arize, topic), environment=environment) for item in systems]
        whole = interleaved(trials, rounds=rounds, warm=warm, say=say)
        trials = [
            from_kafka(replace(item, note=""), window, check=holds(arize, window), environment=environment)
            for item in (LIBRARY, FLOW)
        ]
        single = interleaved(trials, rounds=rounds, warm=warm, say=say)
    return [
        Table(
            title="Kafka → Arize by the SDK",
            what=_what(topic),
            lines=whole,
            beside=PUBLISHED.name,
            remarks=[
                *(found for ours in whole[:2] for found in _targets(ours, whole[-1:])),
                *prefect_share(*whole[:2]),
            ],
        ),
        Table(title="Prefect's share of one window", what=_what(window), lines=single, remarks=prefect_share(*single)),
    ]


def holds(arize: ArizeStandIn, topic: Topic) -> Check:
    """Check that the stand-in holds each row of a topic once, and let it forget them."""

    def problem(_: Path, model: str) -> str:
        found = arize.ids(model)
        arize.reset()
        if len(found) == len(set(found)) == topic.records:
            return ""
        return f"Arize holds {len(found):,} rows of {len(set(found)):,} ids, not {topic.records:,}"

    return problem


def _what(topic: Topic) -> str:
    return f"{topic.records:,} events of {topic.mean_bytes:.0f} bytes, {len(topic.ends)} partitions"


def _targets(ours: Line, published: Sequence[Line]) -> Sequence[str]:
    return (*at_least("beside the loop", ours, published, LOOP), *peak(ours))
