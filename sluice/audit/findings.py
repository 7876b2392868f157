"""What an audit finds, as values: offsets, counts and names of columns, never a value of an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sluice.ledger.names import EntryName, shown
from sluice.offsets import OffsetRange

Severity = Literal["error", "warning"]
Check = Literal[
    "entry",
    "chain",
    "claim",
    "derived",
    "rows",
    "file",
    "delivery",
    "checkpoint",
    "mark",
    "waiting",
    "doubt",
    "expired",
    "group",
    "retention",
    "page",
]

MOST: Final = 500  # kept of each severity; all are counted
BRING_BACK: Final = (
    "Bring it back from a backup or a version: objects of the store never change. Then: sluice audit FILE --full"
)
COMPARE: Final = "Compare the ledger with a backup before the next run. Then: sluice audit FILE --full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: `error`: something is lost, doubled or damaged. `warning`: somebody should look.
        check: what was looked at.
        what: one sentence.
        entry: of which entry or slot.
        range: which offsets.
        next_step: what a person does now; empty where there is nothing to do.
    """

    severity: Severity
    check: Check
    what: str
    entry: EntryName | None = None
    range: OffsetRange | None = None
    next_step: str = ""

    @property
    def where(self) -> str:
        """For people: `entry 12, flights[3] 1200..1700`."""
        entry = f"entry {self.entry}" if self.entry is not None else ""
        return ", ".join(word for word in (entry, str(self.range) if self.range else "") if word)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what

    def as_dict(self) -> dict[str, Any]:
        at = self.range
        return {
            "severity": self.severity,
            "check": self.check,
            "what": self.what,
            "entry": shown(self.entry) if self.entry is not None else None,
            "topic": at.partition.topic if at else None,
            "partition": at.partition.number if at else None,
            "start": at.start if at else None,
            "stop": at.stop if at else None,
            "next": self.next_step,
        }


class Findings:
    """What was found so far: the first ones of each severity, and how many there are."""

    def __init__(self) -> None:
        self.counts: dict[Severity, int] = {"error": 0, "warning": 0}
        self._kept: dict[Severity, list[Finding]] = {"error": [], "warning": []}

    def add(self, findings: Iterable[Finding]) -> bool:
        """Take some more, each once, and return whether an error is among them."""
        has_error = False
        for item in findings:
            has_error |= item.severity == "error"
            if item in self._kept[item.severity]:
                continue
            self.counts[item.severity] += 1
            if len(self._kept[item.severity]) < MOST:
                self._kept[item.severity].append(item)
        return has_error

    @property
    def kept(self) -> tuple[Finding, ...]:
        """Errors first, each in the order in which they were found."""
        return (*self._kept["error"], *self._kept["warning"])
