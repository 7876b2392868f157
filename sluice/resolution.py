"""A person's word: on a held window, on a send without a known outcome, on the space of what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sluice.errors import NothingToResolve
from sluice.ledger import OpenEntry, entries
from sluice.ledger.deliveries import Delivery, Intent, Outcome, space_of, word_on_space
from sluice.offsets import Partition
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
    step("window.resolved", entry=number, verdict=verdict, by_entry=ended_by, ranges=held.entry.shown)
    return ended_by


def resolve_delivery(
    run: Run, number: int, part: int, verdict: Literal["delivered", "resend"], reason: str
) -> list[int]:
    """Say what became of the sends of a part whose outcome is not known, and return the numbers of those it holds for.

    Args:
        verdict: `delivered`: Arize has the rows; one send is taken for accepted, and of the others it stays unknown
            whether they are counted too. `resend`: it has not, the next run sends them.

    Raises:
        NothingToResolve: there is no such send, or one may still be under way, or another word came first.
    """
    known = run.deliveries.of(number, part)
    if any(item.outcome and item.outcome.kind == "accepted" for item in known):
        raise NothingToResolve(f"Arize has entry {number} part {part} already", "See: sluice status FILE")
    unknown = [item for item in known if item.is_unknown]
    if not unknown:
        raise NothingToResolve(
            f"Entry {number} part {part} has no send without a known outcome", "See: sluice status FILE"
        )
    _check_over(run, number, part, unknown)
    kind: Literal["accepted", "released"] = "accepted" if verdict == "delivered" else "released"
    held: list[int] = []
    for item in unknown:
        outcome = Outcome(kind=kind, intent=item.intent.id, by="person", reason=reason, written_at=run.now())
        if run.deliveries.conclude(number, part, item.number, outcome).kind == kind:
            held.append(item.number)
        if held and verdict == "delivered":
            break
    if not held:
        raise NothingToResolve(f"Another word on entry {number} part {part} came first", "See: sluice status FILE")
    step("delivery.resolved", entry=number, part=part, verdict=verdict, ranges=run.ledger.sealed(number).shown)
    return held


def readdress(run: Run, number: int, reason: str) -> list[int]:
    """Let the parts of an entry that Arize refused go to the space of today's settings, and return these parts.

    Raises:
        NothingToResolve: nothing of the entry waits, or it goes to that space, or a send has no known outcome.
    """
    item = run.ledger.state.open.get(number)
    if item is None or item.entry.held:
        raise NothingToResolve(f"Entry {number} of {run.pipeline.name} waits for no send", "See: sluice status FILE")
    space = run.destination.space
    aimed = [part for part in range(len(item.entry.parts)) if _aim(run, item, part, space, reason)]
    if not aimed:
        raise NothingToResolve(
            f"Entry {number} goes to {space} already, or Arize has it", "Fix ARIZE_SPACE_ID, then say it again"
        )
    return aimed


def _aim(run: Run, item: OpenEntry, part: int, space: str, reason: str) -> bool:
    """Take the next delivery's number for the word on the space; False where there is nothing to say."""
    known = run.deliveries.of(item.number, part)
    if any(found.outcome and found.outcome.kind == "accepted" for found in known):
        return False
    if space == (space_of(known) or item.entry.destination.space):
        return False
    unknown = [found for found in known if found.is_unknown]
    _check_over(run, item.number, part, unknown)
    if unknown:
        raise NothingToResolve(
            f"Whether Arize took entry {item.number} part {part} is not known",
            f"First: sluice resolve FILE --entry {item.number} --part {part} delivered|resend --reason …",
        )
    word = Intent(run=run.run_id, duration_s=0, space=space, reason=reason, written_at=run.now())
    if not run.deliveries.intend(item.number, part, len(known), word):
        raise NothingToResolve(f"Entry {item.number} part {part} was being sent", "Try again")
    step("delivery.readdressed", entry=item.number, part=part, ranges=item.entry.shown)
    run.deliveries.conclude(item.number, part, len(known), word_on_space(word, run.now()))
    return True


def _check_over(run: Run, number: int, part: int, unknown: Sequence[Delivery]) -> None:
    if not all(run.deliveries.is_over(number, part, item) for item in unknown):
        longest = max(item.intent.duration_s for item in unknown)
        raise NothingToResolve(
            f"A send of entry {number} part {part} may be under way", f"Try again in {longest:g} seconds"
        )


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
