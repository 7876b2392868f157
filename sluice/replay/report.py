"""What a replay found, and what it did, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.errors import SluiceError
from sluice.ledger.entries import Destination
from sluice.ledger.names import EntryName, shown
from sluice.report import RunReport, WindowReport

SOURCES: Final[Mapping[str, str]] = {
    "staged": "the staged file",
    "kafka": "Kafka",
    "rejected": "what was kept of them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry that was named, and what becomes of it.

    Attributes:
        ranges: its own, for people.
        rows: that go out, or would.
        to: where; None where that was not looked at.
        version: of all rows; None: each its own.
        source: `staged`, `kafka` or `rejected`.
        twice: how many of the rows Arize would count once more.
        entries: those of the ledger that take them out, and are in hand of this run.
        sealed: which of these this run sealed; the others an earlier start did.
        before: entries that had taken them out before this run.
        content_then: the content hash of the rows that were delivered; of actuals, with those that were not sent.
        content_now: of those that go out, before all were given a version; empty where it is not known.
        unlike: counts of where rows from Kafka are not those that were delivered.
        redeemed: counts of rejected records.
        error: why it does not go.
    """

    name: EntryName
    ranges: str = ""
    rows: int = 0
    to: Destination | None = None
    version: str | None = None
    source: str = ""
    twice: int = 0
    entries: tuple[int, ...] = ()
    sealed: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    content_then: str = ""
    content_now: str = ""
    unlike: Mapping[str, Any] | None = None
    redeemed: Mapping[str, int] | None = None
    error: SluiceError | None = None

    @property
    def goes(self) -> bool:
        """Whether rows of it go out by a start now: also those that an earlier start has sealed."""
        return self.error is None and bool(self.rows) and bool(self.source or self.entries)

    def as_dict(self) -> dict[str, Any]:
        return {
            "entry": shown(self.name),
            "ranges": self.ranges,
            "rows": self.rows,
            "space": self.to.space if self.to else None,
            "model": self.to.model if self.to else None,
            "path": self.to.path if self.to else None,
            "version": self.version,
            "source": self.source or None,
            "counted_twice": self.twice,
            "goes_out_as": list(self.entries),
            "went_out_as": list(self.before),
            "content_then": self.content_then or None,
            "content_now": self.content_now or None,
            "differences": dict(self.unlike) if self.unlike is not None else None,
            "rejected": dict(self.redeemed) if self.redeemed is not None else None,
            "problem": self.error.as_dict() if self.error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What one run of a replay did, or would do.

    Attributes:
        run: its windows are the entries that it had in hand.
        is_trial: nothing was written.
    """

    run: RunReport
    items: tuple[Item, ...] = ()
    is_trial: bool = False

    def with_item(self, item: Item) -> ReplayReport:
        return replace(self, items=(*self.items, item))

    def with_window(self, window: WindowReport) -> ReplayReport:
        return replace(self, run=self.run.with_window(window))

    def ended_by(self, error: SluiceError) -> ReplayReport:
        return replace(self, run=self.run.ended_by(error))

    @property
    def to(self) -> Destination | None:
        """Where the rows go; None where that was looked at of no entry."""
        return next((item.to for item in self.items if item.to), None)

    @property
    def problems(self) -> tuple[SluiceError, ...]:
        return tuple(item.error for item in self.items if item.error)

    def ended(self) -> ReplayReport:
        """Say how it ended: by its first problem, unless something else ended it."""
        return self.ended_by(self.problems[0]) if self.problems and self.run.state == "done" else self

    def as_dict(self) -> dict[str, Any]:
        return {**self.run.as_dict(), "dry_run": self.is_trial, "items": [item.as_dict() for item in self.items]}
