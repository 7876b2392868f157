"""Where each offset of a partition stands: in the ledger and how, or in no entry and why. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from sluice.ledger import LedgerState, coverage, entries
from sluice.ledger.coverage import Coverage, Intervals
from sluice.offsets import Bounds, OffsetRange, Partition

Kind = Literal["ingested", "backfilled", "dropped", "waiting", "missing", "gone", "unread"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What ledger and broker know of one partition. Intervals are half-open, sorted and merged.

    Attributes:
        start: the first offset that genesis or a pin named.
        position: the ledger's, next to read.
        earliest, end: the broker's.
        covered: in an entry.
        backfilled: of those, in a slot of a claim.
        dropped: of those, held, and let go of by a person.
        waiting: of those, sealed and not known to be delivered.
    """

    partition: Partition
    start: int
    position: int
    earliest: int
    end: int
    covered: Intervals = ()
    backfilled: Intervals = ()
    dropped: Intervals = ()
    waiting: Intervals = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring offsets `[start, stop)` of one kind.

    Attributes:
        kind: `ingested` and `backfilled` are delivered, by a window or by a slot of a claim; `dropped` was held, and
            let go of; `waiting` is sealed; `missing` is in no entry and still on the broker, below the position; `gone`
            is in no entry and no longer there; `unread` lies behind the position.
    """

    kind: Kind
    start: int
    stop: int

    @property
    def span(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetMap:
    """All offsets of a partition that ledger or broker know, lowest first: without gap or overlap."""

    partition: Partition
    stretches: tuple[Stretch, ...]

    @property
    def start(self) -> int:
        return self.stretches[0].start if self.stretches else 0

    @property
    def stop(self) -> int:
        return self.stretches[-1].stop if self.stretches else 0

    @property
    def counts(self) -> dict[Kind, int]:
        """The number of offsets of each kind."""
        found = dict.fromkeys(KINDS, 0)
        for item in self.stretches:
            found[item.kind] += item.span
        return found

    def ranges(self, kind: Kind) -> tuple[OffsetRange, ...]:
        return tuple(OffsetRange(self.partition, item.start, item.stop) for item in self.stretches if item.kind == kind)


def offset_maps(
    state: LedgerState,
    bounds: Mapping[Partition, Bounds],
    partitions: Iterable[Partition],
    slots: Iterable[entries.Sealed] = (),
) -> tuple[OffsetMap, ...]:
    """Map partitions as a ledger and one snapshot of the broker know them.

    Args:
        slots: of claims, that wait for delivery.
    """
    waiting = _waiting(state, slots)
    return tuple(
        map_of(
            Known(
                partition=partition,
                start=state.starts.get(partition, 0),
                position=state.position(partition).offset,
                earliest=bounds[partition].earliest,
                end=bounds[partition].end,
                covered=state.covered.get(partition, ()),
                backfilled=state.backfilled.get(partition, ()),
                dropped=state.dropped.get(partition, ()),
                waiting=waiting.get(partition, ()),
            )
        )
        for partition in partitions
    )


def map_of(known: Known) -> OffsetMap:
    """Map one partition, from the lowest offset that anybody knows to the end."""
    inside = (known.covered, known.backfilled, known.dropped, known.waiting)
    cuts = {known.start, known.position, known.earliest, known.end}
    cuts.update(edge for intervals in inside for interval in intervals for edge in interval)
    pieces = [(_kind(known, start), start, stop) for start, stop in pairwise(sorted(cuts))]
    return OffsetMap(partition=known.partition, stretches=_joined(pieces))


def _kind(known: Known, offset: int) -> Kind:
    if _holds(known.waiting, offset):
        return "waiting"
    if _holds(known.dropped, offset):
        return "dropped"
    if _holds(known.backfilled, offset):
        return "backfilled"
    if _holds(known.covered, offset):
        return "ingested"
    if offset < known.earliest:
        return "gone"
    return "missing" if offset < known.position else "unread"


def _holds(intervals: Intervals, offset: int) -> bool:
    at = bisect_right(intervals, offset, key=lambda interval: interval[0])
    return at > 0 and offset < intervals[at - 1][1]


def _joined(pieces: Sequence[tuple[Kind, int, int]]) -> tuple[Stretch, ...]:
    joined: list[Stretch] = []
    for kind, start, stop in pieces:
        if joined and joined[-1].kind == kind:
            joined[-1] = Stretch(kind=kind, start=joined[-1].start, stop=stop)
        else:
            joined.append(Stretch(kind=kind, start=start, stop=stop))
    return tuple(joined)


def _waiting(state: LedgerState, slots: Iterable[entries.Sealed]) -> Coverage:
    opened = (item.entry for item in state.open.values())
    first = (entry for entry in opened if not (isinstance(entry, entries.Derived) and entry.is_once_more))
    return coverage.add({}, [item.range for entry in (*first, *slots) for item in entry.ranges])
