"""Where a pipeline stands, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.delivery import waits_for_a_word, words_on
from sluice.errors import GroupAhead, SluiceError
from sluice.ledger import OpenEntry
from sluice.ledger.deliveries import Delivery, PartName
from sluice.ledger.log import ways_out
from sluice.offsets import Partition
from sluice.outlook import Standing
from sluice.run import Run


def status(run: Run) -> dict[str, Any]:
    """Describe ledger, group, lag, retention margin, and what is not delivered, and why. Nothing is written.

    `problem` is what the next run would stop at. Where Kafka itself cannot be asked, `partitions` is empty.
    `lag` is what the group has before it, up to the last stable offset; `in_open_transactions` lies behind that and
    cannot be read yet: where it grows, a producer left a transaction open. `retention_margin`, in offsets, is what
    Kafka still has behind the ledger's position: below 0 that much is gone.
    """
    run.ledger.load()
    run.unfinished()
    standing, problem = _standing(run)
    state = run.ledger.state if run.ledger.exists else None
    return {
        "pipeline": run.pipeline.name,
        "ledger": {"id": state.ledger_id, "entries": state.next_number} if state else None,
        "group": run.pipeline.source.kafka.group,
        "problem": problem.as_dict() if problem else None,
        "partitions": [_partition(standing, item) for item in standing.partitions] if standing else [],
        "waiting": [_waiting(run, item, problem) for item in state.open.values()] if state else [],
        "may_be_counted_twice": [{"entry": item.entry, "part": item.part} for item in run.deliveries.doubts()],
    }


def _standing(run: Run) -> tuple[Standing | None, SluiceError | None]:
    """Return where everything stands, as far as Kafka can be asked, and the first problem that a run would meet."""
    standing, problems = None, []
    try:
        run.check_delivered()
    except SluiceError as problem:
        problems.append(problem)
    try:
        standing = run.outlook.look(write=False)
        run.outlook.check(standing)
    except SluiceError as problem:
        problems.append(problem)
    return standing, next(iter(problems), None)


def _partition(standing: Standing, partition: Partition) -> dict[str, Any]:
    bounds, at = standing.bounds[partition], standing.committed.get(partition)
    position = standing.state.position(partition).offset
    delivered = standing.state.committable([partition])[partition].offset
    return {
        "topic": partition.topic,
        "partition": partition.number,
        "position": position,
        "committed": at.offset if at else None,
        "end": bounds.end,
        "in_open_transactions": bounds.high_watermark - bounds.end,
        "lag": bounds.end - (at.offset if at else delivered),
        "earliest": bounds.earliest,
        "retention_margin": position - bounds.earliest,
    }


def _waiting(run: Run, item: OpenEntry, problem: SluiceError | None) -> dict[str, Any]:
    names = [PartName.of(item.number, item.entry, part) for part in range(len(item.entry.parts))]
    parts = [run.deliveries.of(name) for name in names]
    return {
        "entry": item.number,
        "ranges": [str(found.range) for found in item.entry.ranges],
        "rows": sum(part.rows for part in item.entry.parts),
        "held": item.entry.held,
        "next": problem.next_step
        if isinstance(problem, GroupAhead)
        else _next(item, parts, run.pipeline.policies.on_ambiguous),
        "parts": [_part(known) for known in parts],
    }


def _next(item: OpenEntry, parts: Sequence[tuple[Delivery, ...]], on_ambiguous: str) -> str:
    if item.entry.held:
        return f"sluice rejected FILE --entry {item.number}; then {ways_out(item.number)}"
    for part, known in enumerate(parts):
        if waits_for_a_word(known, on_ambiguous):
            return f"look in Arize; then {words_on(item.number, part)}"
    if any(known and known[-1].outcome and known[-1].outcome.kind == "refused" for known in parts):
        return "fix what Arize names; the next run sends it again"
    return "the next run delivers it"


def _part(deliveries: tuple[Delivery, ...]) -> dict[str, Any]:
    last = deliveries[-1] if deliveries else None
    if last is None:
        return {"deliveries": 0, "last": "not sent yet"}
    if last.outcome is None:
        why = last.note.reason if last.note else "its sender died, or is still sending"
        return {"deliveries": len(deliveries), "last": f"no known outcome: {why}"}
    if last.intent.word == "readdress":
        return {"deliveries": len(deliveries), "last": f"not sent yet; goes to {last.intent.space}"}
    return {"deliveries": len(deliveries), "last": f"{last.outcome.kind}: {last.outcome.reason}".rstrip(": ")}
