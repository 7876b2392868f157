"""What an audit found, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.audit.findings import MOST, Finding, Findings, Severity
from sluice.audit.standing import Stands
from sluice.audit.totals import Totals
from sluice.errors import AuditFailed, SluiceError
from sluice.ledger.names import EntryName, shown
from sluice.report import RunReport
from sluice.words import counted

_NONE: Mapping[Severity, int] = {"error": 0, "warning": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What was seen of a ledger.

    Attributes:
        ledger_id: None where there is no ledger yet, or no genesis.
        since: when the audit was by whose mark this one went; empty where all of the ledger was walked.
        first, stop: the entries that were walked, `[first, stop)`.
        again: entries and slots before `first` that were looked at again.
        looked: how many sealed entries and slots were looked at.
        checkpoints: how many were compared with the log.
        totals: since the genesis; None where that cannot be told.
        findings: the first of each severity; `counts` counts all.
    """

    ledger_id: str | None
    stop: int
    since: str = ""
    first: int = 0
    again: tuple[EntryName, ...] = ()
    looked: int = 0
    checkpoints: int = 0
    totals: Totals | None = None
    findings: tuple[Finding, ...] = ()
    counts: Mapping[Severity, int] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Files that nobody needs: how many there were, and whether they were let go of."""

    files: int
    is_trial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """One audit of a ledger.

    Attributes:
        run: how it ended; it has no windows.
        findings: the first of each severity, errors first; `counts` counts all.
        stands: what was seen beside the ledger; None where the audit did not come to that.
        swept: None where nobody asked for it.
    """

    run: RunReport
    walked: Walked | None = None
    findings: tuple[Finding, ...] = ()
    counts: Mapping[Severity, int] = field(default_factory=lambda: _NONE)
    stands: Stands | None = None
    swept: Swept | None = None

    def with_walk(self, walked: Walked) -> AuditReport:
        return replace(self, walked=walked)._with(walked.findings, walked.counts)

    def with_stands(self, stands: Stands) -> AuditReport:
        return replace(self, stands=stands).with_findings(stands.findings)

    def with_findings(self, findings: Iterable[Finding]) -> AuditReport:
        found = Findings()
        found.add(findings)
        return self._with(found.kept, found.counts)

    def _with(self, findings: Iterable[Finding], counts: Mapping[Severity, int]) -> AuditReport:
        every = (*self.findings, *findings)
        kept = [[item for item in every if item.severity == severity][:MOST] for severity in _NONE]
        return replace(
            self,
            findings=tuple(item for of_severity in kept for item in of_severity),
            counts={severity: count + counts[severity] for severity, count in self.counts.items()},
        )

    def ended_by(self, error: SluiceError) -> AuditReport:
        return replace(self, run=self.run.ended_by(error))

    def ended(self) -> AuditReport:
        """Say how it ended: failed where anything is lost, doubled or damaged, unless something else ended it."""
        if self.run.state != "done" or not self.counts["error"]:
            return self
        first = self.findings[0]
        words = f"The audit of {self.run.pipeline} found {counted(self.counts['error'], 'error')}"
        return self.ended_by(AuditFailed(f"{words}; the first: {first}", first.next_step))

    @property
    def verdict(self) -> str:
        """One line for people."""
        if self.walked is None:
            return "not audited"
        if not self.walked.stop:
            return "no ledger yet: nothing to audit"
        told = [counted(self.counts[severity], severity) for severity in _NONE if self.counts[severity]]
        new = self.walked.stop - self.walked.first
        every = f"{self.walked.stop:,} {'entry' if self.walked.stop == 1 else 'entries'}"
        entries = f"{new:,} of {every} new" if self.walked.since else every
        return f"{entries}: {', '.join(told) or 'nothing is lost, doubled or damaged'}"

    def as_dict(self) -> dict[str, Any]:
        run, walked, stands = self.run, self.walked, self.stands
        totals = walked.totals.as_dict() if walked and walked.totals else None
        return {
            "pipeline": run.pipeline,
            "run_id": run.run_id,
            "started_at": run.started_at,
            "state": run.state,
            "message": run.message,
            "error": run.error or None,
            "see": run.see or None,
            "exit_code": run.exit_code,
            "verdict": self.verdict,
            "ledger": walked.ledger_id if walked else None,
            "entries": walked.stop if walked else 0,
            "audited_from": walked.first if walked else 0,
            "audited_before": (walked.since or None) if walked else None,
            "looked_at_again": [shown(name) for name in walked.again] if walked else [],
            "sealed_looked_at": walked.looked if walked else 0,
            "checkpoints_compared": walked.checkpoints if walked else 0,
            "totals": totals,
            "errors": self.counts["error"],
            "warnings": self.counts["warning"],
            "findings": [item.as_dict() for item in self.findings],
            "partitions": [dict(item) for item in stands.partitions] if stands else [],
            "waiting": [dict(item) for item in stands.waiting] if stands else [],
            "files": dict(stands.files) if stands else {},
            "may_be_counted_twice": stands.doubts if stands else 0,
            "files_nobody_needs": self.swept.files if self.swept else None,
            "files_swept": self.swept.files if self.swept and not self.swept.is_trial else 0,
            "notes": list(run.notes),
        }
