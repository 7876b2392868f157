"""A person's word: on a held window, on a send without a known outcome, on a group that was moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from sluice.errors import NothingToResolve, RealignNotPossible
from sluice.ledger import OpenEntry, entries
from sluice.ledger.deliveries import Outcome
from sluice.offsets import GroupOffset, OffsetRange, Partition
from sluice.outlook import Standing
from sluice.records import ReadRange, Record, RecordList
from sluice.run import Run
from sluice.steps import step


def resolve_window(run: Run, number: int, verdict: Literal["deliver", "redo", "drop"], reason: str) -> int:
    """End a held window, and return the number of the entry that ends it; the next run delivers what it says.

    Args:
        verdict: `deliver` the good rows; `redo`: take the same records again with the pipeline file as it is now;
            `drop`: let go of them.

    Raises:
        NothingToResolve: the entry is not held.
    """
    held = _held(run, number)
    entry = _redone(run, held, reason) if verdict == "redo" else _ended(run, held, verdict, reason)
    ended_by = run.ledger.append(entry, lambda state: number in {item.number for item in state.held})
    step("window.resolved", entry=number, verdict=verdict, by_entry=ended_by)
    return ended_by


def resolve_delivery(
    run: Run, number: int, part: int, verdict: Literal["delivered", "resend"], reason: str
) -> list[int]:
    """Say what became of the sends of a part whose outcome is not known, and return their numbers.

    Args:
        verdict: `delivered`: Arize has the rows; `resend`: it has not, the next run sends them.

    Raises:
        NothingToResolve: there is no such send, or one may still be under way.
    """
    unknown = [item for item in run.deliveries.of(number, part) if item.outcome is None]
    if not unknown:
        raise NothingToResolve(
            f"Entry {number} part {part} has no send without a known outcome", "See: sluice status FILE"
        )
    if not all(run.deliveries.is_over(number, part, item) for item in unknown):
        longest = max(item.intent.duration_s for item in unknown)
        raise NothingToResolve(
            f"A send of entry {number} part {part} may be under way", f"Try again in {longest:g} seconds"
        )
    for item in unknown:
        kind: Literal["accepted", "released"] = "accepted" if verdict == "delivered" else "released"
        outcome = Outcome(kind=kind, intent=item.intent.id, by="person", reason=reason, written_at=run.now())
        run.deliveries.conclude(number, part, item.number, outcome)
    step("delivery.resolved", entry=number, part=part, verdict=verdict)
    return [item.number for item in unknown]


def realign_to_ledger(run: Run, standing: Standing) -> list[GroupOffset]:
    """Overwrite the group with where the ledger stands, forward or back, and return what was written."""
    return run.mirror.set(standing)


def realign_to_group(run: Run, standing: Standing, reason: str) -> tuple[OffsetRange, ...]:
    """Move the ledger forward to the group by a `skip`, and return what was skipped: a backfill can still take it.

    Raises:
        RealignNotPossible: something is not delivered yet, or the group stands behind the ledger.
    """
    skipped = _skippable(standing)
    skip = entries.Skip(written_at=run.now(), run=run.run_id, ranges=tuple(map(str, skipped)), reason=reason)
    run.ledger.append(skip, lambda state: all(state.position(item.partition).offset == item.start for item in skipped))
    run.mirror.set(replace(standing, state=run.ledger.state))
    return skipped


def _held(run: Run, number: int) -> OpenEntry:
    for item in run.ledger.state.held:
        if item.number == number:
            return item
    held = ", ".join(str(item.number) for item in run.ledger.state.held) or "none"
    raise NothingToResolve(
        f"Entry {number} of {run.pipeline.name} is not held; held: {held}", "See: sluice status FILE"
    )


def _ended(run: Run, held: OpenEntry, purpose: Literal["deliver", "drop"], reason: str) -> entries.Derived:
    origin, delivers = held.entry, purpose == "deliver"
    return entries.Derived(
        written_at=run.now(),
        run=run.run_id,
        origin=held.number,
        purpose=purpose,
        rows="staged" if delivers else "none",
        reason=reason,
        ranges=origin.ranges,
        staged=origin.staged if delivers else None,
        parts=origin.parts if delivers else (),
        destination=origin.destination,
        pipeline_sha256=origin.pipeline_sha256,
    )


def _redone(run: Run, held: OpenEntry, reason: str) -> entries.Derived:
    origin = held.entry
    if origin.raw is None:
        raise NothingToResolve(f"Entry {held.number} kept no raw records", "Use deliver or drop")
    made = run.sealing.entry_from(_read_again(origin.ranges, run.staging.raw_records(origin.raw)))
    return entries.Derived(**made, origin=held.number, purpose="redo", rows="all", reason=reason)


def _read_again(ranges: Sequence[entries.LedgerRange], raw: Mapping[Partition, Sequence[Record]]) -> list[ReadRange]:
    return [
        ReadRange(
            range=item.range,
            records=RecordList([record for record in raw.get(item.range.partition, ()) if record.offset in item.range]),
            expired=item.counted.balance.expired,
            leader_epoch=item.leader_epoch,
        )
        for item in ranges
    ]


def _skippable(standing: Standing) -> tuple[OffsetRange, ...]:
    state = standing.state
    if state.open:
        raise RealignNotPossible(
            f"Entries {', '.join(map(str, state.open))} are not delivered yet",
            "Run the pipeline, or resolve them; then realign",
        )
    for partition, at in standing.committed.items():
        low, high = state.position(partition).offset, standing.bounds[partition].end
        if not low <= at.offset <= high:
            raise RealignNotPossible(
                f"The group stands at {partition} offset {at.offset}, outside {low}..{high}; it only goes forward",
                "Use --to ledger",
            )
    ranges = (OffsetRange(key, state.position(key).offset, at.offset) for key, at in sorted(standing.committed.items()))
    return tuple(item for item in ranges if item.span)
