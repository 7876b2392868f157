"""Where a pipeline stands beside its ledger: the group, Kafka's retention, what waits and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sluice.audit.findings import Finding, Severity
from sluice.audit.mark import AuditMark
from sluice.audit.retention import Forecast, Unread, forecasts
from sluice.clock import epoch_s_of
from sluice.errors import LedgerDamaged, SluiceError
from sluice.ledger.deliveries import Doubt
from sluice.ledger.names import EntryName, name_of, parts_of
from sluice.offsets import OffsetRange, Partition
from sluice.run import Run
from sluice.status import status

# What of the next run's problem says that something is lost or damaged; the others stop it before any harm.
_LOST: Final = ("OffsetsExpired", "TopicRecreated", "EndBelowPosition", "GroupAhead", "LedgerDamaged")
_LONG_S: Final = 86_400.0
_SOON_H: Final = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """What was seen beside the ledger.

    Attributes:
        partitions: as `sluice status` tells them, with `group` (`at` what is delivered, `behind`, `ahead`, `none`) and
            the forecast of retention; none where Kafka could not be asked.
        waiting: what is sealed and not settled, as `sluice status` tells it.
        earliest: the lowest offset that Kafka has of each partition.
    """

    partitions: tuple[Mapping[str, Any], ...] = ()
    waiting: tuple[Mapping[str, Any], ...] = ()
    files: Mapping[str, int | None] = field(default_factory=dict)
    doubts: int = 0
    earliest: Mapping[Partition, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def standing_of(run: Run, mark: AuditMark | None) -> Stands:
    """Look where the pipeline stands. Nothing is written.

    Args:
        mark: of the audit before this one.
    """
    try:
        found = status(run)
    except LedgerDamaged as damage:
        problem = {"error": "LedgerDamaged", "message": damage.what, "next": damage.next_step}
        return Stands(findings=(_problem(problem),))
    hours = _forecasts(run, found["partitions"], mark)
    rows = [_row(item, hours.get(_partition(item))) for item in found["partitions"]]
    findings = [_problem(found["problem"])] if found["problem"] else []
    findings += [*_waits_long(found["waiting"], run.epoch_s()), *_near(rows)]
    return Stands(
        partitions=tuple(rows),
        waiting=tuple(found["waiting"]),
        files=found["files"],
        doubts=len(found["may_be_counted_twice"]),
        earliest={_partition(item): item["earliest"] for item in found["partitions"]},
        findings=tuple(findings),
    )


def doubts_since(doubts: Sequence[Doubt], first: int, again: Sequence[EntryName]) -> Iterator[Finding]:
    """Name what may be counted twice.

    Args:
        first: the first entry that was looked at.
        again: what before that was looked at again: entries and slots.
    """
    claims = {parts_of(name)[0] for name in again}
    for item in doubts:
        if item.entry >= first or item.entry in claims:
            yield Finding(
                severity="warning",
                check="doubt",
                what=f"part {item.part} may be counted twice: it was sent again after a send without a known outcome",
                entry=item.name,
                next_step="Compare in Arize what it holds for the offsets of that entry",
            )


def _forecasts(run: Run, partitions: Sequence[Mapping[str, Any]], mark: AuditMark | None) -> dict[Partition, Forecast]:
    unread = [
        Unread(partition=_partition(item), earliest=item["earliest"], position=item["position"])
        for item in partitions
        if item["position"] < item["end"]
    ]
    before = {OffsetRange.parse(f"{at} 0..0").partition: value for at, value in mark.earliest.items()} if mark else {}
    now_s = run.epoch_s()
    with suppress(SluiceError):  # what cannot be told is left out
        return forecasts(unread, run.source, now_s, before, epoch_s_of(mark.written_at) if mark else now_s)
    return {}


def _row(item: Mapping[str, Any], forecast: Forecast | None) -> dict[str, Any]:
    hours, by = (forecast.hours, forecast.by) if forecast else (None, None)
    return {**item, "group": _group(item), "retention_hours": hours, "retention_by": by}


def _group(item: Mapping[str, Any]) -> str:
    """Say where the consumer group stands beside what is contiguous and delivered."""
    delivered, committed = item["delivered"], item["committed"]
    if committed is None:
        return "none"
    return "at" if committed == delivered else "behind" if committed < delivered else "ahead"


def _problem(problem: Mapping[str, Any]) -> Finding:
    severity: Severity = "error" if problem["error"] in _LOST else "warning"
    what = f"the next run stops: {problem['error']}: {problem['message']}"
    return Finding(severity=severity, check="group", what=what, next_step=problem.get("next", ""))


def _waits_long(waiting: Sequence[Mapping[str, Any]], now_s: float) -> Iterator[Finding]:
    for item in waiting:
        is_long = now_s - epoch_s_of(item["since"]) > _LONG_S
        if item["waits_for"] == "person" or is_long:
            why = item["held"] or "; ".join(part["last"] for part in item["parts"])
            ranges = item["ranges"]
            yield Finding(
                severity="warning",
                check="waiting",
                what=f"{item['rows']:,} rows wait since {item['since']}: {why}",
                entry=name_of(str(item["entry"])),
                range=OffsetRange.parse(ranges[0]) if len(ranges) == 1 else None,
                next_step=item["next"],
            )


def _near(rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for item in rows:
        if item["retention_hours"] is not None and item["retention_hours"] <= _SOON_H:
            yield Finding(
                severity="warning",
                check="retention",
                what=f"in {item['retention_hours']:g} hours Kafka may delete what was not read",
                range=OffsetRange(_partition(item), item["position"], item["end"]),
                next_step="Let runs take more, or the topic keep longer",
            )


def _partition(item: Mapping[str, Any]) -> Partition:
    return Partition(item["topic"], item["partition"])
