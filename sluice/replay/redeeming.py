"""Rejected records of an entry, tried by the pipeline file of today: those that pass, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sluice.errors import NothingToReplay
from sluice.mapping import PLACE
from sluice.offsets import Partition
from sluice.records import ReadRange, Record, RecordList
from sluice.replay.origin import Origin
from sluice.run import Run

Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What became of the rejected records of an entry.

    Attributes:
        rejected: of the entry, by its balance.
        before: of these, went out by earlier entries.
        frame: rows of those that pass now, and went out by none.
    """

    rejected: int
    before: int
    frame: pl.DataFrame

    @property
    def passing(self) -> int:
        return self.frame.height

    @property
    def still(self) -> int:
        """How many stay rejected."""
        return self.rejected - self.before - self.passing

    def as_dict(self) -> dict[str, Any]:
        told = {"rejected": self.rejected, "redeemed_before": self.before, "redeemed": self.passing}
        return {**told, "still_rejected": self.still}


def redemption_of(run: Run, origin: Origin, known: Collection[int], *, now_s: float) -> Redemption | None:
    """Try the rejected records of an entry once more; None where it has none.

    Args:
        known: the entries that took some of them already.
        now_s: the clock: times are judged by it.

    Raises:
        NothingToReplay: the records were not kept.
        StagedFileDamaged: what was kept is gone, or which of them went out.
    """
    file = origin.maker.rejected
    if file is None:
        return None
    raw = run.staging.raw_records(file)
    run.staging.discard(file)
    if any(record.value is None for records in raw.values() for record in records):
        raise NothingToReplay(
            f"Of the rejected records of entry {origin.name} only the offsets were kept",
            "Kafka may have them: a backfill that takes these offsets again maps them by today's file",
        )
    taken = {place for number in known for place in _places(run, number)}
    mapped = run.sealing.map_as(run.pipeline, list(_left(origin, raw, taken)), now_s=now_s)
    return Redemption(rejected=file.rows, before=len(taken), frame=mapped.frame)


def _left(origin: Origin, raw: Mapping[Partition, list[Record]], taken: Collection[Place]) -> Iterator[ReadRange]:
    for item in origin.maker.ranges:
        at = item.range.partition
        records = [one for one in raw.get(at, ()) if (at.topic, at.number, one.offset) not in taken]
        yield ReadRange(range=item.range, records=RecordList(records))


def _places(run: Run, number: int) -> list[Place]:
    """Where the rows of an earlier entry are from."""
    staged = run.ledger.sealed(number).staged
    if staged is None:
        return []
    frame = pl.read_parquet(run.staging.local_copy(staged), columns=list(PLACE))
    run.staging.discard(staged)
    return list(frame.iter_rows())
