"""Whether a checkpoint says what the log says: a run believes the newest, and reads only what is behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sluice.audit.findings import Finding
from sluice.ledger import LedgerState, coverage
from sluice.ledger.checkpoints import Checkpoint, as_checkpoint
from sluice.ledger.claims import OpenClaim
from sluice.ledger.coverage import Coverage, Intervals
from sluice.ledger.entries import Window
from sluice.offsets import OffsetRange

_SAME: Final = (
    *("ledger_id", "pipeline", "topics", "starts", "positions"),
    *("derived", "ends", "replayed", "redeemed", "redelivered"),
)
_DELETE: Final = (
    "Delete this checkpoint alone, before the next run: the entries say the same. Then: sluice audit FILE --full"
)


def check_checkpoint(key: str, stored: Checkpoint, state: LedgerState) -> Iterator[Finding]:
    """Compare a checkpoint with the log up to there.

    Less was known then of deliveries and slots than now: it may have as open what is settled by now, but it may leave
    out nothing that is not.

    Args:
        state: of the log before the checkpoint's number, with all that is known now of deliveries and slots.
    """
    folded = as_checkpoint(state)
    if differ := [name for name in _SAME if getattr(stored, name) != getattr(folded, name)]:
        yield _found(key, f"differs from the entries in {', '.join(differ)}")
    for number, item in sorted(state.open.items()):
        if number not in stored.open:
            yield _found(key, f"leaves out entry {number}, which is not delivered")
        # The positions before a derived entry are those of its origin, if that was open to who looked.
        elif isinstance(item.entry, Window) and stored.open[number] != folded.open[number]:
            yield _found(key, f"has other positions before entry {number}")
    for number, claim in sorted(state.claims.items()):
        if missing := [slot for slot in _not_done(claim) if not _has(stored, number, claim, slot)]:
            yield _found(key, f"leaves out slot {number}/{missing[0]}, which is not done")
    covered, backfilled = map(_by_text, (state.covered, state.backfilled))
    if _beyond(stored.covered, covered) or _beyond(stored.backfilled, backfilled):
        yield _found(key, "has offsets as sealed that no entry has")
    if any(_beyond({at: ((item.start, item.stop),)}, backfilled) for at, item in _beyond(covered, stored.covered)):
        yield _found(key, "leaves out offsets that an entry has")


def unreadable(what: str) -> Finding:
    """Tell of a checkpoint that nobody can read."""
    return Finding(severity="error", check="checkpoint", what=what, next_step=_DELETE)


def _found(key: str, what: str) -> Finding:
    return unreadable(f"{key} {what}")


def _not_done(claim: OpenClaim) -> list[int]:
    return sorted({*claim.undecided, *claim.unsettled})


def _has(stored: Checkpoint, number: int, claim: OpenClaim, slot: int) -> bool:
    """Whether a slot is as open in a checkpoint: it, or the one that it is left of."""
    if slot in stored.unsettled.get(number, ()):
        return True
    windows = len(claim.entry.windows)
    return any(other <= slot and other % windows == slot % windows for other in stored.claims.get(number, ()))


def _by_text(covered: Coverage) -> dict[str, Intervals]:
    return {str(partition): intervals for partition, intervals in covered.items()}


def _beyond(inner: Mapping[str, Intervals], outer: Mapping[str, Intervals]) -> list[tuple[str, OffsetRange]]:
    """What of `inner` is not in `outer`, partition by partition."""
    beyond = []
    for at, intervals in inner.items():
        partition = OffsetRange.parse(f"{at} 0..0").partition
        known = {partition: outer.get(at, ())}
        for start, stop in intervals:
            beyond += [(at, item) for item in coverage.missing(known, OffsetRange(partition, start, stop))]
    return beyond
