"""Where actuals are that no prediction joins: offsets, as ranges that a person can read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sluice.offsets import OffsetRange, Partition

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Offsets as ranges without a gap, the widest of them; a record that is there several times counts once.

    Attributes:
        ranges: in the order of topic, partition and offset.
        more_ranges, more_offsets: how much is not in `ranges`.
    """

    ranges: tuple[OffsetRange, ...] = ()
    more_ranges: int = 0
    more_offsets: int = 0

    @property
    def offsets(self) -> int:
        return sum(item.span for item in self.ranges) + self.more_offsets

    def as_dict(self) -> dict[str, Any]:
        return {
            "ranges": [str(item) for item in self.ranges],
            "more_ranges": self.more_ranges,
            "more_offsets": self.more_offsets,
        }


def places_of(partitions: Sequence[Partition], partition: Array, offset: Array, most: int) -> Places:
    """Merge places into ranges, and name so many of them.

    Args:
        partition: of each place, its number in `partitions`.
    """
    order = np.lexsort((offset, partition))
    partition, offset = partition[order], offset[order]
    # A place that is there again goes on where the one before it stands; a gap, or another partition, begins a range.
    begins = np.append(True, (np.diff(offset) > 1) | (partition[1:] != partition[:-1]))[: len(offset)]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(offset))[: len(first)] - 1
    starts, stops = offset[first], offset[last] + 1
    widest = np.argsort(starts - stops, kind="stable")[:most]
    rest = int((stops - starts).sum() - (stops - starts)[widest].sum())
    ranges = (
        OffsetRange(partitions[partition[first[index]]], int(starts[index]), int(stops[index])) for index in widest
    )
    return Places(ranges=tuple(sorted(ranges)), more_ranges=len(first) - len(widest), more_offsets=rest)
