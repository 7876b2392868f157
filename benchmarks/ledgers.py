"""Long ledgers, written by the library's own log; only the disk is not waited for at each entry."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from benchmarks.jobs.sluice_parquet import opened
from sluice.clock import timestamp
from sluice.ledger import entries
from sluice.offsets import Balance, CountedRange, OffsetRange
from sluice.run import Run
from sluice.stores import directory


def write_ledger(pipeline: Path, servers: str, store: Path, count: int) -> None:
    """Write the ledger of a pipeline: a genesis, and so many windows of one tombstone each, all of them committed."""
    with mock.patch.object(directory, "_flush"), opened(pipeline, servers, store) as run:
        left = [item.range for item in run.plan().plan.backlog]
        for number in range(count):
            first, left[number % len(left)] = _split(left[number % len(left)])
            run.ledger.seal(_tombstone(run, first))
            run.checkpoint_if_due()
        run.commit([])


def _split(left: OffsetRange) -> tuple[OffsetRange, OffsetRange]:
    if not left.span:
        raise ValueError("the topic has fewer records than the ledger is to have entries")
    return left.split(left.start + 1)


def _tombstone(run: Run, at: OffsetRange) -> entries.Window:
    counted = CountedRange(range=at, balance=Balance(tombstones=1))
    return entries.Window(
        written_at=timestamp(0),
        run="benchmark",
        ranges=(entries.LedgerRange.of(counted, run.ledger.state.topics[at.partition.topic]),),
        staged=None,
        rejected=None,
        raw=None,
        parts=(),
        destination=run.destination,
        pipeline_sha256="0" * 64,
        held=None,
    )
