"""A person's word: on a held window, on a send without a known outcome, on the space of what was refused."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

from sluice.delivery import words_on
from sluice.errors import NothingToResolve
from sluice.ledger import entries
from sluice.ledger.deliveries import Delivery, Intent, Outcome, PartName, Word, end_of, outcome_of_word, space_of
from sluice.ledger.names import EntryName, parts_of, shown
from sluice.offsets import Partition
from sluice.records import ReadRange, Record, RecordList
from sluice.run import Run
from sluice.steps import step

_LOOK = "See: sluice status FILE"


def resolve_window(run: Run, name: EntryName, verdict: Literal["deliver", "redo", "drop"], reason: str) -> int:
    """End a held window, and return the number of the entry that ends it; the next run delivers what it says.

    Args:
        verdict: `deliver` the good rows; `redo`: take the same records again with the pipeline file as it is now;
            `drop`: let go of them.

    Raises:
        NothingToResolve: the entry is not held.
    """
    held = _held(run, name)
    entry = _redone(run, name, held, reason) if verdict == "redo" else _ended(run, name, held, verdict, reason)
    ended_by = run.ledger.append(entry, lambda _: run.ledger.waiting(name) is not None)
    step("window.resolved", entry=shown(name), verdict=verdict, by_entry=ended_by, ranges=held.shown)
    return ended_by


def resolve_delivery(
    run: Run, entry: EntryName, part: int, verdict: Literal["delivered", "resend", "drop"], reason: str
) -> list[int]:
    """Say what became of the sends of a part, or what is to become of it, and return the deliveries that it holds for.

    Args:
        verdict: `delivered`: Arize has the rows; of several sends without a known outcome one is taken for accepted,
            and of the others it stays unknown whether they are counted too. `resend`: it has not, the next run sends
            them. `drop`: let go of the rows, which it has not.

    Raises:
        NothingToResolve: there is nothing to say it of, or a send may be under way, or another word came first.
    """
    name = _waiting(run, entry, part)
    known = run.deliveries.of(name)
    _check_open(name, known)
    unknown = [item for item in known if item.is_unknown]
    _check_over(run, name, unknown)
    if unknown and verdict != "drop":
        held = _conclude(run, name, unknown, "accepted" if verdict == "delivered" else "released", reason)
    elif verdict == "resend":
        raise NothingToResolve(f"{name} has no send without a known outcome", _LOOK)
    else:
        _check_known(name, unknown)
        held = [_say(run, name, len(known), verdict, reason)]
    step("delivery.resolved", **name.fields(held[0]), verdict=verdict)
    return held


def readdress(run: Run, number: EntryName, reason: str) -> list[int]:
    """Let the parts of an entry that Arize has not go to the space of today's settings, and return these parts.

    Raises:
        NothingToResolve: nothing of the entry waits, or it goes to that space, or a send has no known outcome.
    """
    space = run.destination.space
    entry = _open(run, number)
    if entry.destination.path == "object_store":
        raise NothingToResolve(f"Entry {number} goes out as a file, to the import job of one space", _LOOK)
    aimed = [part for part in range(len(entry.parts)) if _aim(run, PartName.of(number, entry, part), space, reason)]
    if not aimed:
        raise NothingToResolve(
            f"Entry {number} goes to {space} already, or Arize has it", "Fix ARIZE_SPACE_ID, then say it again"
        )
    return aimed


def _aim(run: Run, name: PartName, space: str, reason: str) -> bool:
    """Say where a part goes; False where there is nothing to say."""
    known = run.deliveries.of(name)
    if end_of(known) or space == (space_of(known) or run.ledger.sealed(name.entry).destination.space):
        return False
    unknown = [item for item in known if item.is_unknown]
    _check_over(run, name, unknown)
    _check_known(name, unknown)
    _say(run, name, len(known), "readdress", reason, space=space)
    return True


def _say(run: Run, name: PartName, number: int, word: Word, reason: str, *, space: str | None = None) -> int:
    """Take the next delivery's number for a word, so that each send is before it or behind it."""
    said = Intent(
        entry_id=name.entry_id,
        run=run.run_id,
        duration_s=0,
        word=word,
        space=space,
        reason=reason,
        written_at=run.now(),
    )
    if not run.deliveries.intend(name, number, said):
        raise NothingToResolve(f"A run was sending {name}", "Try again")
    step("delivery.said", **name.fields(number), word=word)
    if outcome := outcome_of_word(said):
        run.deliveries.conclude(name, number, outcome)
    return number


def _conclude(
    run: Run, name: PartName, unknown: Sequence[Delivery], kind: Literal["accepted", "released"], reason: str
) -> list[int]:
    """End each send without a known outcome, or the first of them where Arize has the rows."""
    held: list[int] = []
    for item in unknown:
        outcome = Outcome(
            kind=kind,
            entry_id=name.entry_id,
            intent=item.intent.id,
            by="person",
            reason=reason,
            written_at=run.now(),
        )
        if run.deliveries.conclude(name, item.number, outcome).kind == kind:
            held.append(item.number)
        if held and kind == "accepted":
            break
    if not held:
        raise NothingToResolve(f"Another word on {name} came first", _LOOK)
    return held


def _waiting(run: Run, number: EntryName, part: int) -> PartName:
    entry = _open(run, number)
    if part not in range(len(entry.parts)):
        raise NothingToResolve(f"Entry {number} has no part {part}; parts: 0 to {len(entry.parts) - 1}", _LOOK)
    return PartName.of(number, entry, part)


def _open(run: Run, number: EntryName) -> entries.Sealed:
    entry = run.ledger.waiting(number)
    if entry is None or entry.held:
        raise NothingToResolve(f"Entry {number} of {run.pipeline.name} waits for no send", _LOOK)
    return entry


def _check_open(name: PartName, known: Sequence[Delivery]) -> None:
    if end := end_of(known):
        why = "its rows were dropped" if end.is_dropped else "Arize has it"
        raise NothingToResolve(f"Nothing to say of {name}: {why} already", _LOOK)


def _check_over(run: Run, name: PartName, unknown: Sequence[Delivery]) -> None:
    if not all(run.deliveries.is_over(name, item) for item in unknown):
        longest = max(item.intent.duration_s for item in unknown)
        raise NothingToResolve(f"A send of {name} may be under way", f"Try again in {longest:g} seconds")


def _check_known(name: PartName, unknown: Sequence[Delivery]) -> None:
    if unknown:
        raise NothingToResolve(f"Whether Arize took {name} is not known", f"First: {words_on(name.entry, name.part)}")


def _held(run: Run, number: EntryName) -> entries.Sealed:
    entry = run.ledger.waiting(number)
    if entry is not None and entry.held:
        return entry
    slots = (name for name in run.ledger.slots_waiting if run.ledger.sealed(name).held)
    held = ", ".join(map(str, (*(item.number for item in run.ledger.state.held), *slots))) or "none"
    raise NothingToResolve(f"Entry {number} of {run.pipeline.name} is not held; held: {held}", _LOOK)


def _ended(
    run: Run, name: EntryName, origin: entries.Sealed, purpose: Literal["deliver", "drop"], reason: str
) -> entries.Derived:
    delivers, entry_id, (number, slot) = purpose == "deliver", uuid.uuid4().hex, parts_of(name)
    is_file = delivers and origin.destination.path == "object_store"
    again = run.aimed(model=origin.destination.model)  # by the job that there is now
    return entries.Derived(
        id=entry_id,
        written_at=run.now(),
        run=run.run_id,
        origin=number,
        slot=slot,
        purpose=purpose,
        rows="staged" if delivers else "none",
        reason=reason,
        ranges=origin.ranges,
        staged=origin.staged if delivers else None,
        parts=origin.parts if delivers else (),
        unsent=origin.unsent if delivers else None,
        destination=again.sealing.file_destination(entry_id, origin) if is_file else origin.destination,
        pipeline_sha256=origin.pipeline_sha256,
    )


def _redone(run: Run, name: EntryName, origin: entries.Sealed, reason: str) -> entries.Derived:
    number, slot = parts_of(name)
    if origin.raw is None:
        raise NothingToResolve(f"Entry {name} kept no raw records", "Use deliver or drop")
    if found := run.ledger.claim_of(origin):
        run = run.aimed(model=found[1].model, version=found[1].version)
    made = run.sealing.entry_from(_read_again(origin.ranges, run.staging.raw_records(origin.raw)))
    return entries.Derived(**made, origin=number, slot=slot, purpose="redo", rows="all", reason=reason)


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
