"""Whether a derived entry takes from its origin what it says, and nothing that another one took. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sluice.audit.findings import COMPARE, Finding
from sluice.audit.rows import only_range, rows_of, sent_rows, unlike
from sluice.ledger import LedgerState
from sluice.ledger.entries import Derived, Sealed

_TWICE: Final = "Arize may count these rows twice: compare what it holds for these offsets"
ENDS_A_HELD_ENTRY: Final = ("deliver", "redo", "drop")
SAME_ROWS: Final = ("deliver", "redeliver")


def check_derived(
    state: LedgerState, entry: Derived, origin: Sealed | None, is_dropped: Callable[[int], bool]
) -> Iterator[Finding]:
    """Check the derived entry that takes the next number of a ledger that stands here.

    Args:
        origin: None where there is none, or it cannot be read.
        is_dropped: whether a person let go of the rows of an entry.
    """
    number, name = state.next_number, entry.origin_name
    if origin is None or entry.origin >= number:
        yield _found(number, entry, f"its origin, entry {name}, is no window before it", COMPARE)
        return
    if [item.range for item in entry.ranges] != [item.range for item in origin.ranges]:
        yield _found(number, entry, f"its offsets are not those of its origin, entry {name}", COMPARE)
    yield from _check_taken(state, entry, origin, is_dropped)
    yield from _check_rows(number, entry, origin)


def _check_taken(
    state: LedgerState, entry: Derived, origin: Sealed, is_dropped: Callable[[int], bool]
) -> Iterator[Finding]:
    number, name = state.next_number, entry.origin_name
    if not entry.is_once_more and not _waits(state, entry, origin):
        yield _found(number, entry, f"it ends entry {name} ({entry.purpose}), which waits for nothing")
    if entry.purpose == "replay":
        before = state.once_more.replays_of(name).get(entry.target or "")
        if before is not None:
            yield _found(number, entry, f"entry {before} has taken the rows of entry {name} to the same place")
    if entry.purpose == "rejected":
        rejected, redeemed = origin.balance.rejected, state.once_more.redeemed_of(name)
        taken = sum(redeemed.values()) + rows_of(entry.staged)
        if taken > rejected:
            taken -= sum(rows for earlier, rows in redeemed.items() if is_dropped(state.once_more.goes_on_as(earlier)))
        if taken > rejected:
            words = f"{taken:,} of the {rejected:,} rejected records of entry {name} went out by now"
            yield _found(number, entry, words)


def _check_rows(number: int, entry: Derived, origin: Sealed) -> Iterator[Finding]:
    """Check that rows are those of the origin: all that are staged, under its mask, or a file of those that were sent.

    A replay that takes differences from Kafka says so by another balance.
    """
    rows, theirs = rows_of(entry.staged), _rows_taken(entry, origin)
    if theirs is not None and rows != theirs:
        in_origin = f"{theirs:,} in its origin, entry {entry.origin_name}"
        yield unlike(number, entry, f"{rows:,} rows in its staged file", in_origin)
    if entry.purpose not in SAME_ROWS:
        return
    same_span = [item.range for item in entry.ranges] == [item.range for item in origin.ranges]
    wrong = {
        "staged file": entry.staged != origin.staged,
        "mask": entry.unsent != origin.unsent,
        "balance": same_span and entry.ranges != origin.ranges,
    }
    for what in (what for what, is_wrong in wrong.items() if is_wrong):
        yield _found(number, entry, f"its {what} is not that of its origin, entry {entry.origin_name}", COMPARE)


def _rows_taken(entry: Derived, origin: Sealed) -> int | None:
    """Count the rows that an entry's file must have by its origin; None where that does not say."""
    if entry.purpose in SAME_ROWS:
        return rows_of(origin.staged)
    return sent_rows(origin) if entry.purpose == "replay" and entry.ranges == origin.ranges else None


def _waits(state: LedgerState, entry: Derived, origin: Sealed) -> bool:
    """Whether there is something to end: a held entry or, for a file, one that is not settled."""
    if entry.purpose != "redeliver" and not origin.held:
        return False
    if entry.slot is None:
        return entry.origin in state.open
    claim = state.claims.get(entry.origin)
    return claim is not None and entry.slot in claim.unsettled


def _found(number: int, entry: Derived, what: str, then: str = _TWICE) -> Finding:
    at = only_range(entry)
    return Finding(severity="error", check="derived", what=what, entry=number, range=at, next_step=then)
