"""Where a pipeline stands, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from sluice.clock import timestamp
from sluice.delivery import waits_for_a_word, words_on
from sluice.errors import GroupAhead, SluiceError
from sluice.importing.failures import failure_of
from sluice.ledger.claims import OpenClaim
from sluice.ledger.deliveries import Delivery, PartName
from sluice.ledger.entries import Sealed
from sluice.ledger.log import next_step_of
from sluice.ledger.names import EntryName, SlotName, shown
from sluice.offsets import Partition
from sluice.outlook import Standing
from sluice.run import Run

WaitsFor = Literal["person", "run"]
_PERSON: Final = "person"


def status(run: Run) -> dict[str, Any]:
    """Describe ledger, group, lag, retention margin, and what is not delivered, and why. Nothing is written.

    `problem` is what the next run would stop at. Where Kafka itself cannot be asked, `partitions` is empty.
    `lag` is what the group has before it, up to the last stable offset; `in_open_transactions` lies behind that and
    cannot be read yet: where it grows, a producer left a transaction open. `retention_margin`, in offsets, is what
    Kafka still has behind the ledger's position: below 0 that much is gone.
    """
    run.ledger.load()
    run.unfinished()
    run.learn_claims()
    standing, problem = _standing(run)
    state = run.ledger.state if run.ledger.exists else None
    return {
        "pipeline": run.pipeline.name,
        "ledger": {"id": state.ledger_id, "entries": state.next_number} if state else None,
        "group": run.pipeline.source.kafka.group,
        "problem": problem.as_dict() if problem else None,
        "partitions": [_partition(standing, item) for item in standing.partitions] if standing else [],
        "predictions": _predictions(run),
        "waiting": [_waiting(run, name, entry, problem) for name, entry in _sealed(run).items()],
        "backfills": [_backfill(number, claim) for number, claim in sorted(state.claims.items())] if state else [],
        "files": file_counts(run),
        "redeemed": sum(sum(taken.values()) for taken in state.once_more.redeemed.values()) if state else 0,
        "may_be_counted_twice": [{"entry": shown(item.name), "part": item.part} for item in run.deliveries.doubts()],
    }


def _predictions(run: Run) -> dict[str, str | None] | None:
    """Of actuals, the pipeline of their predictions; if they wait for it, up to which moment it is delivered."""
    if run.predictions is None:
        return None
    try:
        until = run.delivered_until()
    except SluiceError:  # Kafka, mostly: `problem` says it of the pipeline's own
        until = None
    return {"pipeline": run.predictions.name, "delivered_until": timestamp(until.timestamp()) if until else None}


def file_counts(run: Run) -> dict[str, int | None]:
    """Count the files of the import path: those that wait, and what became of those of the generation of today.

    `complete` is Arize's own count; None where nobody may ask, or Arize does not answer. Then `placed` counts the files
    that are in their place, by the ledger.
    """
    ends = {name: run.deliveries.of(PartName.of(name, entry, 0)) for name, entry in _files(run).items()}
    refused = [known for known in ends.values() if known and known[-1].outcome is not None]
    found: dict[str, int | None] = {
        "placed": 0,
        "pending": len(ends) - len(refused),
        "complete": 0,
        "failed": len(refused),
    }
    newest = run.outbound.importing.newest() if run.pipeline.arize.path == "object_store" else None
    if newest is None:
        return found
    try:
        job = run.outbound.importing.job_of(*newest)
    except SluiceError:
        job = None
    if job is not None:
        return found | {"complete": job.counts.get("complete", 0)}
    settled = run.deliveries.settled_since(newest[1].entry) - len(ends)
    return found | {"placed": max(settled, 0), "complete": None}


def _sealed(run: Run) -> dict[EntryName, Sealed]:
    """What is sealed and not known to be settled: entries, then slots of claims."""
    if not run.ledger.exists:
        return {}
    found: dict[EntryName, Sealed] = {number: item.entry for number, item in run.ledger.state.open.items()}
    return found | {name: run.ledger.sealed(name) for name in run.ledger.slots_waiting}


def _files(run: Run) -> dict[EntryName, Sealed]:
    sealed = _sealed(run).items()
    return {name: entry for name, entry in sealed if entry.destination.path == "object_store" and not entry.held}


def _backfill(number: int, claim: OpenClaim) -> dict[str, Any]:
    """A claim that is not over: what nobody has sealed of it, and what waits."""
    return {
        "claim": number,
        "reason": claim.entry.reason,
        "windows_left": len(claim.undecided),
        "offsets_left": claim.left,
        "slots_waiting": len(claim.unsettled),
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
        "delivered": delivered,
        "committed": at.offset if at else None,
        "end": bounds.end,
        "in_open_transactions": bounds.high_watermark - bounds.end,
        "lag": bounds.end - (at.offset if at else delivered),
        "earliest": bounds.earliest,
        "retention_margin": position - bounds.earliest,
    }


def _waiting(run: Run, name: EntryName, entry: Sealed, problem: SluiceError | None) -> dict[str, Any]:
    names = [PartName.of(name, entry, part) for part in range(len(entry.parts))]
    parts = [run.deliveries.of(name) for name in names]
    if isinstance(problem, GroupAhead):
        waits_for, then = _PERSON, problem.next_step
    else:
        waits_for, then = _next(name, entry, parts, run.pipeline.policies.on_ambiguous)
    return {
        "entry": shown(name),
        "since": entry.written_at,
        "ranges": [str(found.range) for found in entry.ranges],
        "rows": sum(part.rows for part in entry.parts),
        "held": entry.held,
        "waits_for": waits_for,
        "next": then,
        "parts": [_part(known) for known in parts],
    }


def _next(
    name: EntryName, entry: Sealed, parts: Sequence[tuple[Delivery, ...]], on_ambiguous: str
) -> tuple[WaitsFor, str]:
    """Say for whom an entry waits, and what comes next."""
    if entry.held:
        return _PERSON, next_step_of(name, entry)
    for part, known in enumerate(parts):
        if waits_for_a_word(known, on_ambiguous):
            return _PERSON, f"look in Arize; then {words_on(name, part)}"
    run = "start of the backfill" if isinstance(name, SlotName) else "run"
    if entry.destination.path == "object_store":
        return _next_of_file(PartName.of(name, entry, 0), parts[0], run)
    if any(known and known[-1].outcome and known[-1].outcome.kind == "refused" for known in parts):
        return _PERSON, f"fix what Arize names; the next {run} sends it again"
    return "run", f"the next {run} delivers it"


def _next_of_file(name: PartName, known: tuple[Delivery, ...], run: str) -> tuple[WaitsFor, str]:
    if failure := failure_of(name, known):
        return _PERSON, failure.next_step
    return "run", f"the next {run} asks Arize for it" if known else f"the next {run} places it"


def _part(deliveries: tuple[Delivery, ...]) -> dict[str, Any]:
    last = deliveries[-1] if deliveries else None
    if last is None:
        return {"deliveries": 0, "last": "not sent yet"}
    if last.outcome is None and last.intent.placed:
        return {"deliveries": len(deliveries), "last": "placed: Arize has not said yet"}
    if last.outcome is None:
        why = last.note.reason if last.note else "its sender died, or is still sending"
        return {"deliveries": len(deliveries), "last": f"no known outcome: {why}"}
    if last.intent.word == "readdress":
        return {"deliveries": len(deliveries), "last": f"not sent yet; goes to {last.intent.space}"}
    return {"deliveries": len(deliveries), "last": f"{last.outcome.kind}: {last.outcome.reason}".rstrip(": ")}
