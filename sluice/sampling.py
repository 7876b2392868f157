"""A bounded sample of a topic's records, from the newest or the oldest end of each partition; no group is moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from sluice.clock import Clock
from sluice.offsets import Bounds, OffsetRange, Partition
from sluice.records import ReadRange, Record, RecordList

End = Literal["newest", "oldest"]
MAX_BYTES: Final = 16 << 20  # of keys and values; as Python objects they may take thirty times as much
MAX_SECONDS: Final = 30.0
_TASTE: Final = 2  # offsets of each partition, one perhaps a marker: first of all, so that no limit leaves one out
_FURTHER: Final = 8  # times as many offsets where the last ones held too few records
_ROUNDS: Final = 6


class Tap(Protocol):
    """What a sample needs of a source."""

    def snapshot(self, topics: Sequence[str], partitions: Collection[int] | None = None) -> dict[Partition, Bounds]:
        """Where every partition stands, or the numbered ones of each topic."""

    def read(self, ranges: Sequence[OffsetRange], *, max_bytes: int, max_seconds: float) -> list[ReadRange]:
        """Read ranges, one of a partition, cut where a limit ends them; what expired meanwhile is no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Records of some partitions, in the order of topic, partition and offset.

    Attributes:
        read: ranges that hold records, at most so many of each partition as were wanted; tombstones are records.
        is_cut: a limit ended it before all that was wanted had come.
    """

    read: tuple[ReadRange, ...]
    is_cut: bool

    @property
    def records(self) -> list[Record]:
        return [item.records.record(at) for item in self.read for at in range(len(item.records))]


class Sampler:
    """Takes samples within one budget of bytes and seconds."""

    def __init__(self, tap: Tap, clock: Clock, *, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> None:
        self._tap = tap
        self._clock = clock
        self._bytes = max_bytes
        self._until = clock.elapsed_s() + max_seconds

    def take(self, spans: Sequence[OffsetRange], count: int, end: End) -> Sample:
        """Take about `count` records from one end of the spans, one of a partition, shared fairly.

        Transaction markers, aborted and compacted records leave offsets without a record: then it looks further. What
        one partition does not have, the others give.
        """
        hunts = [_Hunt(span, end) for span in sorted(spans)]
        is_cut = False
        while (hungry := _hungry(hunts, count)) and not is_cut:
            is_cut = self._round(hungry)
        return Sample(read=tuple(item for hunt in hunts for item in hunt.found()), is_cut=is_cut)

    def _round(self, hunts: Sequence[_Hunt]) -> bool:
        """Read the next offsets of each; return whether a limit ended that."""
        left_s = self._until - self._clock.elapsed_s()
        if left_s <= 0 or self._bytes <= 0:
            return True
        ranges = [hunt.next_range() for hunt in hunts]
        read = self._tap.read(ranges, max_bytes=self._bytes, max_seconds=left_s)
        for hunt, item in zip(hunts, read, strict=True):
            self._bytes -= sum(map(_weight, item.records.keys(), item.records.values()))
            hunt.take(item)
        return any(item.range.stop < wanted.stop for item, wanted in zip(read, ranges, strict=True))


def shares(spans: Mapping[Partition, int], count: int) -> dict[Partition, int]:
    """Share a number of records among partitions: equally, and what a short one leaves goes to the others."""
    found: dict[Partition, int] = {}
    left = count
    by_size = sorted(spans, key=lambda partition: (spans[partition], partition))
    for place, partition in enumerate(by_size):
        found[partition] = min(spans[partition], -(-left // (len(by_size) - place)))
        left -= found[partition]
    return found


def _hungry(hunts: Sequence[_Hunt], count: int) -> list[_Hunt]:
    """Share what is wanted anew, by what there may be still; return those that have too few and look further."""
    wanted = shares({hunt.partition: hunt.most for hunt in hunts}, count)
    for hunt in hunts:
        hunt.wanted = wanted[hunt.partition]
    return [hunt for hunt in hunts if hunt.is_hungry]


class _Hunt:
    """One partition: how many records are wanted, what was found, and what is left to look at."""

    def __init__(self, span: OffsetRange, end: End) -> None:
        self.partition = span.partition
        self.wanted = 0
        self._left = span
        self._end = end
        self._rounds = 0
        self._pieces: list[ReadRange] = []

    @property
    def most(self) -> int:
        """How many records there may be: those found, and as many as offsets were not looked at."""
        return self._found + self._left.span

    @property
    def is_hungry(self) -> bool:
        return self._found < min(self.wanted, self.most) and self._rounds <= _ROUNDS

    @property
    def _found(self) -> int:
        return sum(len(item.records) for item in self._pieces)

    def next_range(self) -> OffsetRange:
        size = self.wanted * _FURTHER ** (self._rounds - 1) if self._rounds else _TASTE
        size = min(size, self._left.span)
        self._rounds += 1
        if self._end == "newest":
            self._left, taken = self._left.split(self._left.stop - size)
        else:
            taken, self._left = self._left.split(self._left.start + size)
        return taken

    def take(self, item: ReadRange) -> None:
        self._pieces.append(item)

    def found(self) -> list[ReadRange]:
        """Return the pieces in the order of offsets, cut to what was wanted, and none without a record."""
        left, found = self.wanted, list[ReadRange]()
        for item in self._pieces:
            if records := [item.records.record(at) for at in self._chosen(len(item.records), left)]:
                left -= len(records)
                found.append(_narrowed(item, records))
        return sorted(found, key=lambda item: item.range)

    def _chosen(self, count: int, left: int) -> range:
        return range(max(0, count - left), count) if self._end == "newest" else range(min(count, left))


def _weight(key: bytes | None, value: bytes | None) -> int:
    return len(key or b"") + len(value or b"")


def _narrowed(item: ReadRange, records: Sequence[Record]) -> ReadRange:
    span = OffsetRange(item.range.partition, records[0].offset, records[-1].offset + 1)
    return replace(item, range=span, records=RecordList(records), expired=0)
