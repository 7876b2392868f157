"""What a run did, as values: for the command line's JSON, for artifacts, for the run's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sluice.errors import SluiceError
from sluice.ledger.entries import LedgerRange, Sealed
from sluice.ledger.names import EntryName, shown
from sluice.offsets import Balance, OffsetRange, Partition, total
from sluice.pipeline import ColumnType
from sluice.planning import Backlog, Plan
from sluice.receipts import Receipt

State = Literal["done", "held", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Where the group stands after a commit, and when that was."""

    at: str
    offsets: Mapping[Partition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownField:
    """A field that is neither mapped, dropped, hashed nor looked at.

    Attributes:
        path: in the event, dotted.
        type: as it would be declared; a number is a float unless a person says int.
        line: what to add to the pipeline file, behind the key where it goes.
    """

    path: str
    type: ColumnType
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """One entry that a run sealed or finished, and the receipts of its parts so far.

    Attributes:
        sealed_here: False where an earlier run had sealed it.
        committed_at: when this run saw the group at or behind its end; empty where it did not.
        unknown: fields of its events that the pipeline file does not know, where this run read it.
    """

    number: EntryName
    entry: Sealed
    sealed_here: bool
    receipts: tuple[Receipt, ...] = ()
    committed_at: str = ""
    unknown: tuple[UnknownField, ...] = ()
    holds_up_nothing: bool = False

    @property
    def accepted(self) -> int:
        """Rows that the destination took, in this run or before."""
        return sum(receipt.rows for receipt in self.receipts)

    @property
    def dropped(self) -> int:
        """Staged rows that a person let go of."""
        return sum(receipt.dropped for receipt in self.receipts)

    @property
    def is_settled(self) -> bool:
        """Whether each of its parts was accepted, or placed where nobody may ask, or let go by a person."""
        return not self.entry.held and not self.is_pending and len(self.receipts) == len(self.entry.parts)

    @property
    def is_pending(self) -> bool:
        """Whether its file is in its place, and Arize has not said yet what became of it."""
        return any(receipt.is_pending for receipt in self.receipts)

    @property
    def placed(self) -> int:
        """Rows of a file that is in its place, where nobody may ask Arize about it."""
        return sum(receipt.placed for receipt in self.receipts)

    @property
    def status(self) -> str:
        if self.entry.held:
            return "held"
        if self.committed_at:
            return "committed"
        if self.is_pending:
            return "pending"
        return "delivered" if self.is_settled else "sealed"

    def is_committed(self, offsets: Mapping[Partition, int]) -> bool:
        """Whether the group, standing at these offsets, has all of it behind it."""
        return all(offsets.get(item.range.partition, -1) >= item.stop for item in self.entry.ranges)

    def as_dict(self) -> dict[str, Any]:
        return {
            "entry": shown(self.number),
            "status": self.status,
            "held": self.entry.held,
            "committed_at": self.committed_at or None,
            "sealed_here": self.sealed_here,
            "ranges": [range_as_dict(item) for item in self.entry.ranges],
            "staged": self.entry.staged.key if self.entry.staged else None,
            "rows_accepted": self.accepted,
            "rows_placed": self.placed,
            "rows_dropped": self.dropped,
            "receipts": [
                {
                    "part": item.part,
                    "delivery": item.delivery,
                    "rows": item.rows,
                    "placed": item.placed,
                    "pending": item.is_pending,
                    "dropped": item.dropped,
                    "sent_here": item.sent,
                    "unknown_sends": item.unknown,
                }
                for item in self.receipts
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run of a pipeline.

    Attributes:
        planned: what the run meant to take of each partition, before anything was read.
        backlog: what each partition had to read when the run planned last; empty where it came to no plan.
        message: why it is held or failed, with the next step; empty where it is done.
        error: the name of the error that it is held or failed by.
        see: the runbook's heading on it.
        exit_code: of a command that shows it: 0 done, 1 failed, 2 wrong use or a wrong file, 3 held.
        notes: what people should hear, and what stops nothing.
    """

    pipeline: str
    run_id: str
    started_at: str
    state: State = "done"
    message: str = ""
    error: str = ""
    see: str = ""
    exit_code: int = 0
    planned: tuple[OffsetRange, ...] = ()
    backlog: tuple[Backlog, ...] = ()
    windows: tuple[WindowReport, ...] = ()
    notes: tuple[str, ...] = ()

    def ended_by(self, error: SluiceError) -> RunReport:
        return replace(
            self,
            state=error.state,
            message=str(error),
            error=type(error).__name__,
            see=error.see,
            exit_code=error.exit_code,
        )

    def with_note(self, note: str) -> RunReport:
        return replace(self, notes=(*self.notes, note))

    def with_plan(self, plan: Plan) -> RunReport:
        return replace(self, planned=self.planned or plan.ranges, backlog=plan.backlog or self.backlog)

    def with_window(self, window: WindowReport) -> RunReport:
        return replace(self, windows=(*self.windows, window))

    def with_receipt(self, receipt: Receipt) -> RunReport:
        return replace(
            self,
            windows=tuple(
                replace(item, receipts=(*(known for known in item.receipts if known.part != receipt.part), receipt))
                if item.number == receipt.entry
                else item
                for item in self.windows
            ),
        )

    def with_commit(self, committed: Committed) -> RunReport:
        return replace(
            self,
            windows=tuple(
                replace(item, committed_at=committed.at)
                if not item.committed_at and item.is_committed(committed.offsets)
                else item
                for item in self.windows
            ),
        )

    @property
    def balance(self) -> Balance:
        return total(item.entry.balance for item in self.windows)

    @property
    def taken(self) -> tuple[OffsetRange, ...]:
        """What the run had in hand of each partition, from its first window to its last."""
        spans: dict[Partition, OffsetRange] = {}
        for item in (found.range for window in self.windows for found in window.entry.ranges):
            so_far = spans.get(item.partition, item)
            spans[item.partition] = OffsetRange(
                item.partition, min(so_far.start, item.start), max(so_far.stop, item.stop)
            )
        return tuple(spans.values())

    @property
    def left(self) -> tuple[Backlog, ...]:
        """What each partition still has to read behind the run's windows, the caught-up ones with an empty range."""
        reached = {item.partition: item.stop for item in self.taken}
        return tuple(item.behind(reached.get(item.range.partition, 0)) for item in self.backlog)

    @property
    def retention_margin(self) -> int | None:
        """The least number of offsets that Kafka still has behind what is left to read of a partition.

        None where nothing is left, or the run came to no plan. A partition of which Kafka never dropped anything does
        not count: what its retention will hold is not known.
        """
        return min((item.retention_margin for item in self.left if item.has_margin), default=None)

    @property
    def is_near_retention(self) -> bool:
        """Whether a partition has more left to read than Kafka has behind it."""
        return any(item.is_near_retention for item in self.left)

    @property
    def unknown(self) -> tuple[UnknownField, ...]:
        """The fields that the pipeline file does not know, each once."""
        return tuple({field.path: field for item in self.windows for field in item.unknown}.values())

    @property
    def rows_accepted(self) -> int:
        return sum(item.accepted for item in self.windows)

    def as_dict(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "run_id": self.run_id,
            "started_at": self.started_at,
            "state": self.state,
            "message": self.message,
            "error": self.error or None,
            "see": self.see or None,
            "exit_code": self.exit_code,
            "planned": [str(item) for item in self.planned],
            "windows": [item.as_dict() for item in self.windows],
            "notes": list(self.notes),
            "left_to_read": sum(item.range.span for item in self.left) if self.backlog else None,
            "retention_margin": self.retention_margin,
            "unknown_fields": [asdict(field) for field in self.unknown],
            "totals": {
                "offsets": self.balance.total,
                **self.balance.as_dict(),
                "rows_accepted": self.rows_accepted,
                "rows_placed": sum(item.placed for item in self.windows),
                "files_pending": sum(item.is_pending for item in self.windows),
                "rows_dropped": sum(item.dropped for item in self.windows),
            },
        }


def range_as_dict(item: LedgerRange) -> dict[str, Any]:
    """Where a range is, and its balance, each class of it: an entry of an older Sluice may have fewer."""
    balance = item.counted.balance.as_dict()
    return {"topic": item.topic, "partition": item.partition, "start": item.start, "stop": item.stop, **balance}


def summary(name: str, ranges: Sequence[OffsetRange], rows: int, state: State) -> str:
    """Say in a line what a run did: `flights 1200..101200 → 100,000 rows`; several partitions are counted."""
    taken = [item for item in ranges if item.span]
    match taken:
        case []:
            where = "nothing new"
        case [only]:
            where = f"{only.start}..{only.stop}"
        case _:
            where = f"{sum(item.span for item in taken):,} offsets of {len(taken)} partitions"
    ending = "" if state == "done" else f", {state}"
    return f"{name} {where} → {rows:,} rows{ending}"
