"""When Kafka will delete what was not read: by how fast it deleted since the last audit, or by the topic's setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sluice.connections import Source
from sluice.offsets import Partition

_HOURS: Final = (1, 6, 24, 72)
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What a partition has behind the ledger's position.

    Attributes:
        earliest: the lowest offset that Kafka still has.
        position: the ledger's, next to read; below the end.
    """

    partition: Partition
    earliest: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """In how many hours Kafka will begin to delete what was not read, at the earliest; `by` what that is known."""

    hours: float
    by: Literal["rate", "time"]


def forecasts(
    unread: Sequence[Unread],
    source: Source,
    now_s: float,
    before: Mapping[Partition, int],
    before_s: float,
) -> dict[Partition, Forecast]:
    """Say for each partition when Kafka comes to the ledger's position, if nothing is read until then.

    By the rate at which its lowest offset has moved since an earlier look. Where that is not known, by the records'
    age: Kafka may delete what is older than `retention.ms`. It deletes whole segments, so both come early.

    Args:
        before: the lowest offsets of then.
        before_s: when that was.

    Returns:
        nothing for partitions of which it is not known, or more than three days off by age.
    """
    found = {}
    for item in unread:
        moved = item.earliest - before.get(item.partition, item.earliest)
        if moved > 0 and now_s > before_s:
            seconds = (item.position - item.earliest) * (now_s - before_s) / moved
            found[item.partition] = Forecast(hours=round(max(seconds, 0.0) / _HOUR_S, 1), by="rate")
    return found | _by_time([item for item in unread if item.partition not in found], source, now_s)


def _by_time(unread: Sequence[Unread], source: Source, now_s: float) -> dict[Partition, Forecast]:
    found: dict[Partition, Forecast] = {}
    kept_s = source.retention_s(sorted({item.partition.topic for item in unread})) if unread else {}
    for topic, seconds in kept_s.items():
        of_topic = [item for item in unread if item.partition.topic == topic]
        for hours in _HOURS:
            left = [item for item in of_topic if item.partition not in found]
            oldest_ms = int((now_s + hours * _HOUR_S - seconds) * 1000)
            kept = source.offsets_at([item.partition for item in left], max(oldest_ms, 0)) if left else {}
            for item in left:
                if kept[item.partition] > item.position:
                    found[item.partition] = Forecast(hours=float(hours), by="time")
    return found
