"""The event of an audit that found something. Offsets, counts and entries' numbers; never a value."""

from __future__ import annotations

from typing import Final

from sluice.audit.report import AuditReport
from tasks.events import Event

_TOLD: Final = 20


def event_of_audit(report: AuditReport, *, url: str | None) -> Event | None:
    """Return what there is to tell of an audit; None where it found nothing.

    Args:
        url: of its run's page in Prefect's UI, where one is known.
    """
    if not report.findings:
        return None
    found = report.as_dict()
    names = ("run_id", "verdict", "errors", "warnings", "entries", "audited_from")
    payload = {name: found[name] for name in names}
    payload |= {"findings": found["findings"][:_TOLD], "url": url}
    return Event(
        name="sluice.audit.found",
        pipeline=report.run.pipeline,
        payload=payload,
        labels={"sluice.severity": report.findings[0].severity},
    )
