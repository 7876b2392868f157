"""What a backfill takes: the offsets that were asked for, less those that are not its own to take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Final, Literal

from sluice.backfill.request import Ranges, Request
from sluice.ledger import LedgerState, coverage
from sluice.ledger.entries import Claim, ClaimWindow
from sluice.offsets import Bounds, OffsetRange, Partition
from sluice.planning import Backlog, plan

Why = Literal["ingest", "claimed", "delivered", "gone"]
# What is looked at first holds: each offset is left out for one reason.
REASONS: Final[Mapping[Why, str]] = {
    "ingest": "at or behind the ledger's position: the next run takes it",
    "claimed": "in hand of another backfill",
    "delivered": "in the ledger already",
    "gone": "deleted by Kafka before it was read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Apportioned:
    """Each offset that was asked for: taken, or left out for one reason.

    Attributes:
        taken: in order of partition and offset; ranges of one partition do not touch.
        left_out: what is not taken, by reason; only those that there are.
    """

    taken: Ranges
    left_out: Mapping[Why, Ranges]


def apportion(
    wanted: Iterable[OffsetRange],
    state: LedgerState,
    bounds: Mapping[Partition, Bounds],
    *,
    again: str | None = None,
    expired: bool = False,
) -> Apportioned:
    """Say of each wanted offset whether a backfill may take it.

    Args:
        wanted: no offset twice.
        state: of the ledger, with the slots of its open claims.
        again: a request that takes what is in the ledger already, less what it took before, and what came since.
        expired: takes what Kafka has deleted, too, to count it.
    """
    left: list[OffsetRange] = [item for item in wanted if item.span]
    in_hand = coverage.add({}, (item for claim in state.claims.values() for item in claim.in_hand))
    cuts: dict[Why, coverage.Coverage] = {
        "ingest": {at: ((state.position(at).offset, bound.end),) for at, bound in bounds.items()},
        "claimed": in_hand,
        "delivered": state.covered if again is None else state.went.closed_to(again, bounds),
        "gone": {} if expired else {at: ((0, bound.earliest),) for at, bound in bounds.items()},
    }
    left_out: dict[Why, Ranges] = {}
    for why, covered in cuts.items():
        inside = [part for item in left for part in coverage.present(covered, item)]
        left = [part for item in left for part in coverage.missing(covered, item)]
        if inside:
            left_out[why] = tuple(sorted(inside))
    return Apportioned(taken=tuple(sorted(left)), left_out=left_out)


def windows_of(
    taken: Sequence[OffsetRange], bounds: Mapping[Partition, Bounds], *, max_records: int, newest_first: bool = False
) -> tuple[Ranges, ...]:
    """Cut what is taken into windows of at most so many readable offsets; no window has a partition twice."""
    by_partition = [list(its) for _, its in groupby(sorted(taken), key=lambda item: item.partition)]
    rounds = ([item for item in row if item is not None] for row in zip_longest(*by_partition))
    windows = [
        window
        for row in rounds
        for window in plan(
            [Backlog(range=item, earliest=bounds[item.partition].earliest) for item in row], max_records=max_records
        ).windows
    ]
    return tuple(reversed(windows) if newest_first else windows)


def claim_of(request: Request, windows: Sequence[Ranges], *, reason: str, written_at: str, run: str) -> Claim:
    return Claim(
        written_at=written_at,
        run=run,
        request=request.id,
        reason=reason,
        windows=tuple(ClaimWindow(ranges=tuple(map(str, window))) for window in windows),
        again=bool(request.again),
        model=request.model,
        version=request.version,
    )


def open_claims(state: LedgerState, request: Request) -> tuple[int, ...]:
    """The open claims that were made for the same request."""
    return tuple(number for number, claim in sorted(state.claims.items()) if claim.entry.request == request.id)
