"""A person's word on a file that Arize did not take, or of which nobody can tell any more whether it did."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

from sluice.errors import ImportFailed, ImportJobGone, NothingToResolve
from sluice.importing.failures import redelivery
from sluice.ledger import entries
from sluice.ledger.deliveries import Delivery, Intent, PartName, end_of, is_refiled, outcome_of_word
from sluice.ledger.names import EntryName, parts_of, shown
from sluice.run import Run
from sluice.steps import step

Word = Literal["redeliver", "resend", "delivered", "drop"]
Standing = Literal["failed", "canceled", "skipped", "gone", "pending", "not placed"]

# What may be said of a file, by what Arize says of it.
WORDS: Final[dict[Standing, tuple[Word, ...]]] = {
    "failed": ("redeliver", "drop"),
    "canceled": ("redeliver", "drop"),
    "skipped": ("delivered", "drop"),
    "gone": ("delivered", "resend", "drop"),
    "pending": (),
    "not placed": (),
}
_LOOK: Final = "See: sluice status FILE"


def is_filed(run: Run, number: EntryName) -> bool:
    """Whether an entry goes out as a file."""
    entry = run.ledger.waiting(number)
    return entry is not None and entry.destination.path == "object_store" and not entry.held


def resolve_file(run: Run, number: EntryName, word: Word, reason: str) -> EntryName:
    """Take a person's word on the file of an entry, after asking Arize once more.

    Args:
        word: `redeliver`: the rows go out as another file, for Arize says that it did not take this one. `resend`: the
            same, where its job is gone and the person has looked. `delivered`: Arize has the rows. `drop`: let go of
            them.

    Returns:
        the number of the entry that takes the rows out again; the entry's own where none does.

    Raises:
        NothingToResolve: that may not be said of the file as it stands.
    """
    entry = run.ledger.waiting(number)
    if entry is None or not is_filed(run, number):
        raise NothingToResolve(f"Entry {number} has no file that waits", _LOOK)
    name = PartName.of(number, entry, 0)
    standing = _standing(run, name, entry)
    allowed = WORDS[standing]
    if word not in allowed:
        said = f"allowed: {', '.join(allowed)}" if allowed else "the next run goes on with it"
        raise NothingToResolve(f"The file of entry {number} is {standing}: nothing to {word}", said)
    known = run.deliveries.of(name)
    _check_open(name, known)
    if word in ("delivered", "drop"):
        if is_refiled(known):
            raise NothingToResolve(f"The rows of entry {number} go out as another file", f"First: {redelivery(number)}")
        _say(run, name, len(known), word, reason)
        return number
    return _refile(run, name, known, entry, reason)


def _standing(run: Run, name: PartName, entry: entries.Sealed) -> Standing:
    """How the file stands, by what Arize says now; what it said is written down."""
    known = run.deliveries.of(name)
    _check_open(name, known)
    if not known:
        return "not placed"
    before = next((item.outcome for item in reversed(known) if item.outcome and item.outcome.file), None)
    try:
        said = run.outbound.settling.ask(name, entry)
    except ImportJobGone:
        return before.file if before and before.file and before.file != "complete" else "gone"
    if said is not None and said.kind == "accepted":
        run.outbound.placing.conclude(name, entry.parts[name.part].rows, said)
        raise NothingToResolve(f"Nothing to say of {name}: Arize has taken its file", "The next run goes on")
    if said is not None and before is None:
        with suppress(ImportFailed):  # it is written down, and stays on record
            run.outbound.placing.conclude(name, entry.parts[name.part].rows, said)
    told = said or before
    return told.file if told and told.file and told.file != "complete" else "pending"


def _refile(run: Run, name: PartName, known: Sequence[Delivery], origin: entries.Sealed, reason: str) -> int:
    """Seal an entry that takes the rows out under another name, which ends the one before."""
    entry_id, (origin_entry, slot) = uuid.uuid4().hex, parts_of(name.entry)
    again = run.aimed(model=origin.destination.model)  # by the job that there is now
    derived = entries.Derived(
        id=entry_id,
        written_at=run.now(),
        run=run.run_id,
        origin=origin_entry,
        slot=slot,
        purpose="redeliver",
        rows="staged",
        reason=reason,
        ranges=origin.ranges,
        staged=origin.staged,
        parts=origin.parts,
        unsent=origin.unsent,
        destination=again.sealing.file_destination(entry_id, origin),
        pipeline_sha256=origin.pipeline_sha256,
    )
    if not is_refiled(known):  # otherwise by a command that got no further, or is about to
        _say(run, name, len(known), "redeliver", reason)
    ended_by = run.ledger.append(
        derived, lambda _: run.ledger.waiting(name.entry) is not None and end_of(run.deliveries.of(name)) is None
    )
    step("file.redelivered", entry=shown(name.entry), by_entry=ended_by, ranges=origin.shown)
    return ended_by


def _say(run: Run, name: PartName, number: int, word: Literal["delivered", "drop", "redeliver"], reason: str) -> None:
    """Take the next number for a word on the file: of two words at once the first holds."""
    said = Intent(entry_id=name.entry_id, run=run.run_id, duration_s=0, word=word, reason=reason, written_at=run.now())
    if not run.deliveries.intend(name, number, said):
        raise NothingToResolve(f"Another word on {name} came first, or a run was at work on it", _LOOK)
    step("delivery.said", **name.fields(number), word=word)
    if outcome := outcome_of_word(said):
        run.deliveries.conclude(name, number, outcome)


def _check_open(name: PartName, known: Sequence[Delivery]) -> None:
    if end_of(known):
        raise NothingToResolve(f"Nothing to say of {name}: it is settled", _LOOK)
