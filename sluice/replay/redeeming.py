"""Rejected records of an entry, tried by the pipeline file of today: those that pass, each once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sluice.errors import NothingToReplay
from sluice.ledger import coverage
from sluice.ledger.coverage import Coverage
from sluice.ledger.names import parts_of
from sluice.ledger.went import Sent
from sluice.mapping import PLACE
from sluice.offsets import OffsetRange, Partition
from sluice.records import ReadRange, Record, RecordList
from sluice.replay.origin import Origin, is_dropped
from sluice.run import Run

Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What became of the rejected records of an entry.

    Attributes:
        rejected: of the entry, by its balance.
        before: of these, went out by earlier entries.
        taken_again: of these, are in windows of a later backfill, which decided on them itself.
        frame: rows of those that pass now, and went out by none.
    """

    rejected: int
    before: int
    taken_again: int
    frame: pl.DataFrame

    @property
    def passing(self) -> int:
        return self.frame.height

    @property
    def still(self) -> int:
        """How many stay rejected."""
        return self.rejected - self.before - self.taken_again - self.passing

    def as_dict(self) -> dict[str, Any]:
        told = {"rejected": self.rejected, "redeemed_before": self.before, "taken_again": self.taken_again}
        return {**told, "redeemed": self.passing, "still_rejected": self.still}


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
    left = {at: [record for record in records if _place(record) not in taken] for at, records in raw.items()}
    elsewhere = _taken_again(run, origin)
    mine = {at: [one for one in records if not _is_in(elsewhere, one)] for at, records in left.items()}
    read = [ReadRange(range=at.range, records=RecordList(_of(at.range, mine))) for at in origin.maker.ranges]
    mapped = run.sealing.map_as(run.pipeline, read, now_s=now_s)
    return Redemption(
        rejected=file.rows,
        before=len(taken),
        taken_again=sum(map(len, left.values())) - sum(map(len, mine.values())),
        frame=mapped.frame,
    )


def _of(wanted: OffsetRange, records: Mapping[Partition, list[Record]]) -> list[Record]:
    return [record for record in records.get(wanted.partition, ()) if record.offset in wanted]


def _taken_again(run: Run, origin: Origin) -> Coverage:
    """What later backfills took again to where the records would go: they are delivered there, or rejected there."""
    number, claim = origin.claim or (None, None)
    to = Sent.to(run.destination, version=claim.version if claim else None)
    return run.ledger.state.went.again_to(to, behind=parts_of(origin.maker_name)[0], but=number)


def _is_in(covered: Coverage, record: Record) -> bool:
    return bool(coverage.present(covered, OffsetRange(record.partition, record.offset, record.offset + 1)))


def _place(record: Record) -> Place:
    return record.partition.topic, record.partition.number, record.offset


def _places(run: Run, number: int) -> list[Place]:
    """Where the rows of an earlier entry are from; nothing where a person let go of them."""
    staged = run.ledger.sealed(number).staged
    if staged is None or is_dropped(run, number):
        return []
    frame = pl.read_parquet(run.staging.local_copy(staged), columns=list(PLACE))
    run.staging.discard(staged)
    return list(frame.iter_rows())
