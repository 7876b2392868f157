"""What a person asks a backfill for, and which offsets that is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice.connections import Source
from sluice.errors import WrongUse
from sluice.offsets import Bounds, OffsetRange, Partition

Ranges = tuple[OffsetRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A range of time, offsets, or, with neither, whatever the ledger misses.

    Attributes:
        since: the first record is the first one that is not before this moment, by Kafka's timestamp.
        until: the end is at the first record that is not before this moment.
        offsets: partition by partition; goes with neither moment.
        partitions: only these; empty: all that the pipeline reads.
        again: why offsets that are in the ledger already are to be taken again; empty: they are not.
        model, version: that the rows go to, in place of what the pipeline file says.
    """

    since: datetime | None = None
    until: datetime | None = None
    offsets: Ranges = ()
    partitions: tuple[Partition, ...] = ()
    again: str = ""
    model: str | None = None
    version: str | None = None

    @property
    def id(self) -> str:
        """The same for whoever asks for the same; another reason for `again` is another request."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    @property
    def has_time(self) -> bool:
        return self.since is not None or self.until is not None

    def as_dict(self) -> dict[str, Any]:
        return {
            "since": _text(self.since),
            "until": _text(self.until),
            "offsets": sorted(map(str, self.offsets)),
            "partitions": sorted(map(str, self.partitions)),
            "again": self.again,
            "model": self.model,
            "version": self.version,
        }

    def check(self) -> None:
        """Check what can be told without Kafka.

        Raises:
            WrongUse: it contradicts itself.
        """
        if self.again and not self.again.strip():
            raise WrongUse("Why offsets are taken again is kept in the ledger", "Give the reason")
        if self.offsets and self.has_time:
            raise WrongUse("A backfill takes offsets or a range of time, not both", "Leave one of them out")
        if any(moment is not None and moment.tzinfo is None for moment in (self.since, self.until)):
            raise WrongUse("A time without a time zone is another moment on another machine", "Add Z, or +01:00")
        if self.since and self.until and self.since >= self.until:
            raise WrongUse(f"The range of time is upside down: {self.since} is not before {self.until}", "Swap them")
        for one, other in zip(sorted(self.offsets), sorted(self.offsets)[1:], strict=False):
            if one.overlaps(other):
                raise WrongUse(f"{one} and {other} overlap", "Name each offset once")

    def wanted(
        self, partitions: Sequence[Partition], bounds: Mapping[Partition, Bounds], source: Source
    ) -> tuple[OffsetRange, ...]:
        """Return the offsets that are asked for, resolved once: the same times may be other offsets tomorrow.

        Args:
            partitions: that the pipeline reads.
            bounds: of these.

        Raises:
            WrongUse: a partition that there is not, or an offset behind a partition's end.
        """
        for partition in (*self.partitions, *(item.partition for item in self.offsets)):
            if partition not in partitions:
                known = ", ".join(map(str, sorted(partitions)))
                raise WrongUse(f"The pipeline reads no partition {partition}", f"Name one of: {known}")
        for item in self.offsets:
            if self.partitions and item.partition not in self.partitions:
                raise WrongUse(
                    f"{item} is of a partition that is not chosen", "Name its partition, too, or no partition"
                )
        chosen = [item for item in partitions if not self.partitions or item in self.partitions]
        if self.offsets:
            return tuple(_within(item, bounds[item.partition]) for item in self.offsets)
        first = self._offsets_at(self.since, chosen, source)
        last = self._offsets_at(self.until, chosen, source)
        ranges = ((at, first.get(at, 0), min(last.get(at, bounds[at].end), bounds[at].end)) for at in chosen)
        return tuple(OffsetRange(at, min(start, stop), stop) for at, start, stop in ranges)

    def _offsets_at(
        self, moment: datetime | None, partitions: Sequence[Partition], source: Source
    ) -> dict[Partition, int]:
        return source.offsets_at(partitions, int(moment.timestamp() * 1000)) if moment else {}


def _within(item: OffsetRange, bounds: Bounds) -> OffsetRange:
    if item.stop > bounds.end:
        raise WrongUse(f"{item} goes beyond the end of the partition, {bounds.end}", f"Stop at {bounds.end} at most")
    return item


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
