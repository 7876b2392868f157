"""A run by the import path behind more and more files of history, made by runs like it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.events import Events
from benchmarks.import_side import IMPORT, ImportSide, running_import_side
from benchmarks.jobs.order import Order
from benchmarks.measuring import JobError, Taken, run
from benchmarks.pipeline import write_pipeline
from benchmarks.rounds import Line, Say, Trial, interleaved
from benchmarks.systems import ROOT
from benchmarks.tables import Table
from benchmarks.topic import Topic, fill
from deployments.local.arize import arize_process

FILES: Final = (10, 1_000, 11_900)  # the last: six prefixes, of which the newest is nearly full
_AT_ONCE: Final = 500


def history_table(servers: str, directory: Path, *, longest: int, rounds: int, say: Say) -> Table:
    """Measure a run that settles the file of the run before and places one, behind so many files.

    Args:
        longest: files; longer histories are left out.
    """
    counts = [count for count in FILES if count <= longest]
    events = Events(now_ms=int(time.time() * 1000))
    topic = fill(servers, f"history-{uuid.uuid4().hex[:8]}", map(events.value, range(counts[-1] + 100)))
    with (
        arize_process(directory / "arize-history") as arize,
        running_import_side(arize, directory / "bucket-history") as bucket,
    ):
        histories = [_made(bucket, topic, directory / f"history-{count}", count, say) for count in counts]
        lines = interleaved([item.trial() for item in histories], rounds=rounds, warm=True, say=say)
    return Table(
        title="Files of history",
        what="files placed and settled before, a run",
        lines=lines,
        timed=True,
        remarks=[_questions(lines)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """A pipeline that has placed so many files, all but the last of which are settled."""

    bucket: ImportSide
    topic: Topic
    directory: Path
    count: int

    def trial(self) -> Trial:
        order = self.order({"max_windows": 1})

        def go() -> Taken:
            self.bucket.arize.look_now()
            taken = self.run(order)
            if (taken.told["files"], taken.told["pending"]) != (2, 1):
                raise JobError(f"files in hand and pending are {taken.told}, not 2 and 1")
            return taken

        return Trial(name=f"{self.count:,}", note="", records=1, go=go)

    def order(self, limits: Mapping[str, object]) -> Order:
        """One record a window: a run of so many windows places as many files."""
        model = self.directory.name
        limits = {"max_records": 1, "settle_seconds": 0, **limits}
        pipeline = write_pipeline(self.directory, model, self.topic.name, limits, way="object_store")
        return Order(
            servers=self.topic.servers,
            topic=self.topic.name,
            ends=self.topic.ends,
            output=str(self.directory / "store"),
            pipeline=str(pipeline),
        )

    def run(self, order: Order) -> Taken:
        return run(IMPORT.command(order), environment=self.bucket.environment, cwd=ROOT)


def _made(bucket: ImportSide, topic: Topic, directory: Path, count: int, say: Say) -> _History:
    directory.mkdir()
    history = _History(bucket=bucket, topic=topic, directory=directory, count=count)
    (directory / "store").mkdir()
    for placed in range(0, count - 1, _AT_ONCE):
        say(f"placing and settling {count:,} files: {placed:,} are")
        history.run(history.order({"max_windows": min(_AT_ONCE, count - 1 - placed)}))
        bucket.arize.look_now()
    history.run(history.order({"max_windows": 1}))
    return history


def _questions(lines: Sequence[Line]) -> str:
    found = {line.name: median(item.told["questions"] for item in line.taken) for line in lines if line.taken}
    words = ", ".join(f"{count:g} behind {name} files" for name, count in found.items())
    return f"- Questions that such a run asks Arize's GraphQL: {words}."
