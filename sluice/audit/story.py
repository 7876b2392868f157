"""The story of an audit: walk the ledger, look what is beside it, sweep if told so, leave a mark, tell.

The verbs are handed in, so that one story serves the flow, whose verbs are Prefect's tasks, and the bare library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from sluice.audit.findings import Finding
from sluice.audit.report import AuditReport, Swept, Walked
from sluice.audit.standing import Stands
from sluice.errors import SluiceError


class Verbs(Protocol):
    """What an audit can do; each hands over one small value."""

    def walk(self) -> Walked: ...
    def stand(self) -> Stands: ...
    def compare(self) -> tuple[Finding, ...]: ...
    def sweep(self, report: AuditReport) -> Swept | None: ...
    def mark(self, report: AuditReport) -> None: ...
    def record(self, report: AuditReport) -> None: ...


def audit(verbs: Verbs, report: AuditReport) -> AuditReport:
    """Audit a ledger once, and return what was found.

    Args:
        report: of an audit that has done nothing yet.
    """
    try:
        report = report.with_walk(verbs.walk())
        if report.walked is not None and report.walked.ledger_id is not None:
            report = report.with_stands(verbs.stand())
            report = report.with_findings(verbs.compare())
            report = replace(report, swept=verbs.sweep(report))
            verbs.mark(report)
    except SluiceError as error:
        report = report.ended_by(error)
    report = report.ended()
    verbs.record(report)
    return report
