"""Records as a source hands them over: bytes with their coordinates, one batch a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sluice.offsets import OffsetRange, Partition

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, raw. `repr()` shows coordinates only: its bytes are somebody's data."""

    partition: Partition
    offset: int
    timestamp_ms: int | None
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A record that could not be decoded, mapped or validated, with the reason: words and column names, no value."""

    record: Record
    reason: str


class Records(Protocol):
    """The records of one range in offset order, column by column, so that no good one becomes a Python object."""

    def __len__(self) -> int: ...

    def values(self) -> list[bytes | None]:
        """The values; None is a tombstone."""

    def offsets(self) -> list[int]: ...

    def timestamps_ms(self) -> list[int | None]: ...

    def keys(self) -> list[bytes | None]: ...

    def headers(self) -> list[Headers]: ...

    def record(self, index: int) -> Record:
        """One record whole, for those that are rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRange:
    """What was read of a range, which may be shorter than what was planned.

    Attributes:
        range: the offsets that were read, by the reader's position.
        records: what was handed over; fewer than the span where offsets are invisible or expired.
        expired: offsets of the range that Kafka had dropped before they were read.
        leader_epoch: of the last record, None where there was none.
    """

    range: OffsetRange
    records: Records
    expired: int = 0
    leader_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class RecordList:
    """Records held as a sequence of `Record`: the raw bytes of a held window, or a test's."""

    items: Sequence[Record]

    def __len__(self) -> int:
        return len(self.items)

    def values(self) -> list[bytes | None]:
        return [item.value for item in self.items]

    def offsets(self) -> list[int]:
        return [item.offset for item in self.items]

    def timestamps_ms(self) -> list[int | None]:
        return [item.timestamp_ms for item in self.items]

    def keys(self) -> list[bytes | None]:
        return [item.key for item in self.items]

    def headers(self) -> list[Headers]:
        return [item.headers for item in self.items]

    def record(self, index: int) -> Record:
        return self.items[index]
