"""What a backfill found, and what it did, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sluice.backfill.claiming import Apportioned
from sluice.backfill.request import Ranges, Request
from sluice.errors import SluiceError
from sluice.ledger.names import EntryName
from sluice.offsets import Bounds, OffsetRange, Partition
from sluice.report import RunReport, WindowReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlan:
    """What a backfill would do now.

    Attributes:
        request: what was asked for.
        apportioned: each offset that was asked for: taken, or left out and why.
        windows: of what is taken, in the order in which they would be read; of a very long backfill the first ones.
        claims: open claims of the same request: whoever starts it now helps with these, and claims nothing yet.
        bounds: where the partitions stand.
    """

    request: Request
    apportioned: Apportioned
    windows: Sequence[Ranges]
    claims: tuple[int, ...]
    bounds: Mapping[Partition, Bounds]

    @property
    def offsets(self) -> int:
        """In the windows."""
        return sum(item.span for window in self.windows for item in window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A slot that this run did not bring to its end, and why."""

    name: EntryName
    ranges: str
    error: SluiceError

    def as_dict(self) -> dict[str, Any]:
        return {"slot": str(self.name), "ranges": self.ranges, "error": type(self.error).__name__, **_told(self.error)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """What one run of a backfill did.

    Attributes:
        run: its windows are the slots that it had in hand.
        claims: that it worked on.
        failed: slots that it tried in vain; they stay claimed, and the next start takes them up.
        left: offsets of its claims that nobody has sealed.
    """

    run: RunReport
    claims: tuple[int, ...] = ()
    failed: tuple[Failure, ...] = ()
    left: int = 0

    def with_claims(self, claims: tuple[int, ...]) -> BackfillReport:
        return replace(self, claims=tuple(dict.fromkeys((*self.claims, *claims))))

    def with_window(self, window: WindowReport) -> BackfillReport:
        return replace(self, run=self.run.with_window(window))

    def with_failure(self, failure: Failure) -> BackfillReport:
        return replace(self, failed=(*self.failed, failure))

    def with_failed_files(self, failed: Iterable[tuple[EntryName, SluiceError]]) -> BackfillReport:
        """Return the report with what became of placed files; their windows stay in it, too."""
        ranges = {item.number: item.entry.shown for item in self.run.windows}
        failures = (Failure(name=name, ranges=ranges.get(name, ""), error=error) for name, error in failed)
        known = {item.name for item in self.failed}
        return replace(self, failed=(*self.failed, *(item for item in failures if item.name not in known)))

    def ended_by(self, error: SluiceError) -> BackfillReport:
        return replace(self, run=self.run.ended_by(error))

    @property
    def held(self) -> tuple[WindowReport, ...]:
        """Slots that wait for a person's word on their rejected share."""
        return tuple(item for item in self.run.windows if item.entry.held)

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.run.as_dict(),
            "claims": list(self.claims),
            "failed": [item.as_dict() for item in self.failed],
            "offsets_left": self.left,
        }


def ranges_of(window: Sequence[OffsetRange]) -> str:
    """Ranges in a line: `flights[0] 0..40, flights[1] 0..17`."""
    return ", ".join(map(str, window))


def _told(error: SluiceError) -> dict[str, str]:
    return {"message": str(error), "next": error.next_step}
