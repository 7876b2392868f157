"""Offsets and their algebra: partitions, half-open ranges, bounds, and the balance of a range."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of a topic; `str()` is `flights[3]`."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


@dataclass(frozen=True, slots=True, order=True)
class OffsetRange:
    """The offsets `[start, stop)` of one partition.

    Half-open: `start` is the first offset in it, `stop` the next one to read. A group's committed offset and a
    ledger's position are such a "next to read" too, and that is said only here.
    """

    partition: Partition
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"an offset range needs 0 <= start <= stop, not {self.start}..{self.stop}")

    def __str__(self) -> str:
        return f"{self.partition} {self.start}..{self.stop}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote.

        Raises:
            ValueError: the text is no range.
        """
        match = re.fullmatch(r"(.+)\[(\d+)\] (\d+)\.\.(\d+)", text)
        if match is None:
            raise ValueError(f"not an offset range: {text!r}")
        topic, number, start, stop = match.groups()
        return cls(Partition(topic, int(number)), int(start), int(stop))

    @property
    def span(self) -> int:
        """The number of offsets, which is not the number of records: markers and compaction leave gaps."""
        return self.stop - self.start

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.stop

    def is_adjacent_to(self, other: OffsetRange) -> bool:
        """Whether `other` goes on exactly where this range stops."""
        return self.partition == other.partition and self.stop == other.start

    def overlaps(self, other: OffsetRange) -> bool:
        return self.partition == other.partition and max(self.start, other.start) < min(self.stop, other.stop)

    def split(self, at: int) -> tuple[OffsetRange, OffsetRange]:
        """Cut in two at an offset of `start..stop`; either half may be empty."""
        return OffsetRange(self.partition, self.start, at), OffsetRange(self.partition, at, self.stop)


def remainder(window: Sequence[OffsetRange], read: Collection[OffsetRange]) -> tuple[OffsetRange, ...]:
    """Return what a read that was cut short left of its window."""
    stops = {item.partition: item.stop for item in read}
    left = (item.split(stops.get(item.partition, item.start))[1] for item in window)
    return tuple(item for item in left if item.span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a partition stands, taken in one snapshot.

    Attributes:
        earliest: the lowest offset that the broker still has.
        end: the last stable offset, one past the last readable one.
        high_watermark: the end with the open transactions, which nobody is handed yet.
        topic_id: Kafka's id of the topic: another one after it was deleted and recreated.
    """

    partition: Partition
    earliest: int
    end: int
    high_watermark: int
    topic_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOffset:
    """What a consumer group has committed for a partition: the next offset to read, and the metadata beside it."""

    partition: Partition
    offset: int
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What became of each offset of a range; every offset is in exactly one class.

    Attributes:
        staged: rows that go out.
        tombstones: records with a null value.
        rejected: records that could not be decoded, mapped or validated.
        repeated: actuals that say what an earlier one of the same id said, and are not sent again.
        filtered: records that the pipeline file leaves out.
        invisible: offsets that no reader is ever handed: transaction markers, aborted records, compacted ones.
        expired: offsets that Kafka dropped before they were read.
    """

    staged: int = 0
    tombstones: int = 0
    rejected: int = 0
    repeated: int = 0
    filtered: int = 0
    invisible: int = 0
    expired: int = 0

    def __post_init__(self) -> None:
        if min(self.as_dict().values()) < 0:
            raise ValueError(f"a balance has no negative class: {self}")

    def __add__(self, other: Balance) -> Balance:
        theirs = other.as_dict()
        return Balance(**{name: count + theirs[name] for name, count in self.as_dict().items()})

    @property
    def total(self) -> int:
        return sum(self.as_dict().values())

    @property
    def records(self) -> int:
        """Offsets of which a reader was handed a record."""
        return self.total - self.invisible - self.expired

    @property
    def rejected_share(self) -> float:
        """Of the records that were to become rows, the share that was rejected; 0 where there were none."""
        records = self.staged + self.repeated + self.rejected
        return self.rejected / records if records else 0.0

    def as_dict(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def arithmetic(self) -> str:
        """One line of arithmetic: `1,700 = 1,690 staged + 9 tombstones + 1 rejected`; empty classes are left out."""
        terms = [f"{count:,} {name}" for name, count in self.as_dict().items() if count]
        return f"{self.total:,} = {' + '.join(terms) or '0'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRange:
    """A range with its balance, and the leader epoch of its last record (None where it had none)."""

    range: OffsetRange
    balance: Balance
    leader_epoch: int | None = None

    def __post_init__(self) -> None:
        if self.balance.total != self.range.span:
            raise ValueError(f"{self.range} has {self.range.span} offsets, its balance counts {self.balance.total}")


def total(balances: Iterable[Balance]) -> Balance:
    return sum(balances, Balance())
