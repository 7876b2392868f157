"""What a file is that Arize did not take, in a person's words, with the ways on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sluice.errors import ImportFailed
from sluice.ledger.deliveries import Delivery, Outcome, PartName, is_refiled, word_on_part
from sluice.ledger.names import EntryName

_AGAIN: Final = ("failed", "canceled")


def failure_of(name: PartName, known: Sequence[Delivery]) -> ImportFailed | None:
    """Return why the rows of a file wait for a person; None where they do not.

    Args:
        known: the deliveries of its part, none of which is its end.
    """
    if is_refiled(known):
        return ImportFailed(
            f"{name}: its rows were to go out as another file, and that was not finished",
            f"Then: {redelivery(name.entry)}",
        )
    last = known[-1].outcome if known else None
    return _failed(name, last) if last is not None and last.kind == "refused" else None


def redelivery(entry: EntryName) -> str:
    """The command by which the rows of an entry go out once more, as another file."""
    return f"sluice resolve FILE --entry {entry} redeliver --reason …"


def _failed(name: PartName, outcome: Outcome) -> ImportFailed:
    ways = word_on_part(name.entry, name.part, "delivered|drop")
    if outcome.file in _AGAIN:
        ways = f"{redelivery(name.entry)}, or: {word_on_part(name.entry, name.part, 'drop')}"
    return ImportFailed(
        f"{name}: Arize did not take its file: {outcome.file} {outcome.reason}".rstrip(), f"Then: {ways}"
    )
