"""Plan the windows of a run from one snapshot: pure, and before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.errors import START_ANEW, EndBelowPosition, OffsetsExpired, SluiceError, TopicRecreated
from sluice.offsets import Bounds, OffsetRange, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a partition has to read; what lies below `earliest` is gone and costs a window nothing."""

    range: OffsetRange
    earliest: int

    @property
    def readable(self) -> int:
        return max(0, self.range.stop - max(self.range.start, self.earliest))

    @property
    def retention_margin(self) -> int:
        """Offsets that Kafka still has behind the position; below 0 so many of those to read are gone."""
        return self.range.start - self.earliest

    @property
    def has_margin(self) -> bool:
        """Whether there is something to read of a partition of which Kafka has dropped something before."""
        return self.range.span > 0 and self.earliest > 0

    @property
    def is_near_retention(self) -> bool:
        """Whether more is left to read than Kafka has behind it: half of what Kafka keeps has gone by unread."""
        return self.has_margin and self.retention_margin < self.range.span

    def behind(self, position: int) -> Backlog:
        """What is left of it behind a position; one before its start changes nothing."""
        at = min(max(self.range.start, position), self.range.stop)
        return Backlog(range=self.range.split(at)[1], earliest=self.earliest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The windows of one run, in order, and the snapshot they were made from.

    Attributes:
        backlog: every partition, the caught-up ones with an empty range.
        windows: what this run takes of it; each window's ranges are in the order of partitions and none is empty.
        most: windows that the run may take: one whose read was cut short becomes several. None for any number.
    """

    backlog: tuple[Backlog, ...]
    windows: tuple[tuple[OffsetRange, ...], ...]
    most: int | None = None

    @property
    def ranges(self) -> tuple[OffsetRange, ...]:
        """What the run takes of each partition, the caught-up ones with an empty range."""
        stops = {item.partition: item.stop for window in self.windows for item in window}
        return tuple(
            OffsetRange(item.range.partition, item.range.start, stops.get(item.range.partition, item.range.start))
            for item in self.backlog
        )


def check_bounds(position: int, bounds: Bounds, topic_id: str, *, on_expired: str) -> None:
    """Check that a partition can go on where the ledger stands.

    Args:
        position: the next offset to read.
        topic_id: that the ledger knows.
        on_expired: `fail`, or `record` to count what is gone and go on.

    Raises:
        TopicRecreated, EndBelowPosition, OffsetsExpired: see there.
    """
    problem = _problem(position, bounds, topic_id, on_expired)
    if problem is not None:
        raise problem


def _problem(position: int, bounds: Bounds, topic_id: str, on_expired: str) -> SluiceError | None:
    if bounds.topic_id != topic_id:
        return TopicRecreated(
            f"{bounds.partition} at offset {position}: the topic was deleted and recreated "
            f"(id {bounds.topic_id}, not {topic_id})",
            START_ANEW,
        )
    if bounds.end < position:
        return EndBelowPosition(
            f"{bounds.partition} ends at offset {bounds.end}, below the position {position}", START_ANEW
        )
    if bounds.earliest > position and on_expired == "fail":
        return OffsetsExpired(
            f"{bounds.partition} {position}..{bounds.earliest} is gone: Kafka has it from {bounds.earliest} on",
            "Set policies.on_expired to record, so that the balance counts them as expired; fix the topic's retention",
        )
    return None


def backlog_of(positions: Mapping[Partition, int], bounds: Mapping[Partition, Bounds]) -> tuple[Backlog, ...]:
    """Return what each partition has to read up to the snapshot's end."""
    return tuple(
        Backlog(
            range=OffsetRange(partition, positions[partition], bounds[partition].end),
            earliest=bounds[partition].earliest,
        )
        for partition in sorted(positions)
    )


def plan(backlog: Sequence[Backlog], *, max_records: int, max_windows: int | None = None) -> Plan:
    """Cut a backlog into windows of at most `max_records` readable offsets each.

    Every window takes from all partitions, by their share of what is left: none starves, whatever ends the run early,
    and small ones are packed together. Offsets bound records from above, so a window never holds more records.
    """
    left = list(backlog)
    windows: list[tuple[OffsetRange, ...]] = []
    while any(item.range.span for item in left) and (max_windows is None or len(windows) < max_windows):
        taken, left = _take(left, max_records)
        windows.append(tuple(item for item in taken if item.span))
    return Plan(backlog=tuple(backlog), windows=tuple(windows), most=max_windows)


def _take(left: Sequence[Backlog], cap: int) -> tuple[list[OffsetRange], list[Backlog]]:
    shares = share([item.readable for item in left], cap)
    taken, behind = [], []
    for item, count in zip(left, shares, strict=True):
        # What expired goes with the first window that reaches its partition.
        at = (
            min(item.range.stop, max(item.range.start, item.earliest) + count)
            if count or not item.readable
            else item.range.start
        )
        first, rest = item.range.split(at)
        taken.append(first)
        behind.append(Backlog(range=rest, earliest=item.earliest))
    return taken, behind


def share(wants: Sequence[int], cap: int) -> list[int]:
    """Share a cap by what each one wants: in proportion, at least one each while the cap lasts, the biggest first.

    Who wants most is served first where the cap is smaller than the number of wants: what waits grows, and so comes
    first in the end.
    """
    if sum(wants) <= cap:
        return list(wants)
    shares = [0] * len(wants)
    for index in sorted(range(len(wants)), key=lambda i: -wants[i])[:cap]:
        shares[index] = min(1, wants[index])
    for index, extra in enumerate(
        _in_proportion([want - got for want, got in zip(wants, shares, strict=True)], cap - sum(shares))
    ):
        shares[index] += extra
    return shares


def _in_proportion(wants: Sequence[int], cap: int) -> list[int]:
    whole = sum(wants)
    if not whole or not cap:
        return [0] * len(wants)
    floors = [want * cap // whole for want in wants]
    by_rest = sorted(range(len(wants)), key=lambda i: -(wants[i] * cap % whole))
    for index in by_rest[: cap - sum(floors)]:
        floors[index] += 1
    return floors
