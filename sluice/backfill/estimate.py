"""How much a backfill is, by what the pipeline's newest windows were; nothing is promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sluice.backfill.report import BackfillPlan, ranges_of
from sluice.forecast import peak_memory_mib
from sluice.ledger import Ledger, coverage
from sluice.ledger.entries import Window
from sluice.ledger.went import Sent
from sluice.offsets import Partition
from sluice.run import Run

_LOOKED_AT = 50  # entries: a bounded look, however long the ledger is


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the newest windows of a ledger were like.

    Attributes:
        bytes_an_offset: of staged files; None where there are none.
        offsets_a_second: from one seal to the next of one run; None where no run sealed two, or they took no time.
    """

    bytes_an_offset: float | None
    offsets_a_second: float | None


def measured(ledger: Ledger) -> Measured:
    found = (ledger.entry(number) for number in range(max(0, ledger.next_number - _LOOKED_AT), ledger.next_number))
    windows = [entry for entry in found if isinstance(entry, Window)]
    offsets = sum(item.balance.total for item in windows)
    stored = sum(item.staged.bytes for item in windows if item.staged)
    seconds, behind = 0.0, 0
    for _, its in groupby(windows, key=lambda item: item.run):
        first, *others = its
        if others:
            seconds += (_moment(others[-1].written_at) - _moment(first.written_at)).total_seconds()
            behind += sum(item.balance.total for item in others)
    return Measured(
        bytes_an_offset=stored / offsets if offsets else None,
        offsets_a_second=behind / seconds if seconds else None,
    )


def described(run: Run, plan: BackfillPlan) -> dict[str, Any]:
    """Describe what a backfill would do, for people and for machines."""
    known = measured(run.ledger)
    limits = run.pipeline.limits
    return {
        "pipeline": run.pipeline.name,
        "state": "done",
        "asked": plan.request.as_dict(),
        "model": run.pipeline.arize.model,
        "claims": list(plan.claims),
        "windows": [ranges_of(window) for window in plan.windows],
        "offsets": plan.offsets,
        "left_out": {why: list(map(str, items)) for why, items in plan.apportioned.left_out.items()},
        "counted_twice": _counted_twice(run, plan),
        "may_expire": _may_expire(run, plan, known),
        "bytes": round(plan.offsets * known.bytes_an_offset) if known.bytes_an_offset else None,
        "seconds": round(plan.offsets / known.offsets_a_second) if known.offsets_a_second else None,
        "peak_memory_mib": peak_memory_mib(limits),
    }


def _may_expire(run: Run, plan: BackfillPlan, known: Measured) -> int | None:
    """Count the offsets that Kafka may delete before they are read, at most: it deletes them a segment at a time.

    None where it is not told how long a topic keeps its records.
    """
    topics = sorted({item.partition.topic for window in plan.windows for item in window})
    kept_s = run.source.retention_s(topics) if topics else {}
    if not kept_s:
        return None
    takes_s = plan.offsets / known.offsets_a_second if known.offsets_a_second else 0.0
    bounds: dict[Partition, int] = {}
    for topic, seconds in kept_s.items():
        partitions = [item for item in plan.bounds if item.topic == topic]
        oldest_ms = int((run.epoch_s() + takes_s - seconds) * 1000)
        bounds |= run.source.offsets_at(partitions, max(oldest_ms, 0))
    taken = (item for window in plan.windows for item in window)
    return sum(max(0, min(item.stop, bounds.get(item.partition, 0)) - item.start) for item in taken)


def _counted_twice(run: Run, plan: BackfillPlan) -> int:
    """Count the offsets that went where they would go now, at most; what was let go of is among them."""
    if not plan.request.again or not run.ledger.exists:
        return 0
    covered = run.ledger.state.went.ever_to(Sent.to(run.destination, version=plan.request.version))
    return sum(part.span for window in plan.windows for item in window for part in coverage.present(covered, item))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
