"""Say what was written to a topic, so that a proof can compare it with what arrived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionProduced:
    """What a partition holds; every offset below its end is one of the five."""

    partition: int
    good: int = 0
    tombstones: int = 0
    broken: int = 0
    aborted: int = 0
    markers: int = 0
    end_offset: int = 0

    def plus(self, counts: Counter[tuple[int, str]]) -> PartitionProduced:
        mine = Counter({role: count for (partition, role), count in counts.items() if partition == self.partition})
        return PartitionProduced(
            partition=self.partition,
            good=self.good + mine["good"],
            tombstones=self.tombstones + mine["tombstone"],
            broken=self.broken + mine["broken"],
            aborted=self.aborted + mine["aborted"],
            markers=self.markers + mine["marker"],
            end_offset=self.end_offset + mine.total(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What a topic holds.

    departures is how many of the data set it is about. Of a topic of departures they are the good records, and versions
    counts them by model version; of a topic of arrivals versions is empty, and arrivals counts by `arrivals.Kind`: the
    good records, and the departures without any. complete is false while they are being written.
    """

    topic: str
    reference: date
    seed: int
    departures: int
    versions: dict[str, int]
    partitions: tuple[PartitionProduced, ...]
    complete: bool
    arrivals: dict[str, int] = field(default_factory=dict)

    @property
    def ends(self) -> list[int]:
        return [partition.end_offset for partition in self.partitions]

    def total(self, role: str) -> int:
        """Sum one of good, tombstones, broken, aborted, markers, end_offset over the partitions."""
        return sum(getattr(partition, role) for partition in self.partitions)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".part")
        written.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n")
        written.replace(path)

    def plus(
        self,
        departures: int,
        counts: Counter[tuple[int, str]],
        *,
        versions: Mapping[str, int] | None = None,
        arrivals: Mapping[str, int] | None = None,
    ) -> Produced:
        """Add departures, records and markers by partition and role, and what they are."""
        return replace(
            self,
            departures=self.departures + departures,
            versions=_sum(self.versions, versions),
            arrivals=_sum(self.arrivals, arrivals),
            partitions=tuple(partition.plus(counts) for partition in self.partitions),
            complete=True,
        )

    @classmethod
    def load(cls, path: Path) -> Produced:
        read = json.loads(path.read_text())
        partitions = tuple(PartitionProduced(**partition) for partition in read.pop("partitions"))
        return cls(**{**read, "reference": date.fromisoformat(read["reference"]), "partitions": partitions})


def _sum(counts: Mapping[str, int], more: Mapping[str, int] | None) -> dict[str, int]:
    return dict(sorted((Counter(counts) + Counter(more or {})).items()))
