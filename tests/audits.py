"""Audits of what is at a desk, and damage done to its ledger by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sluice.audit.findings import Finding
from sluice.audit.report import AuditReport
from sluice.audit.story import audit
from sluice.audit.work import Audit
from sluice.pipeline import LoadedPipeline
from tests.desk import Desk
from tests.parts import pipeline_file

FILE = pipeline_file(share="100%")


def audited(desk: Desk, file: LoadedPipeline = FILE, **how: bool) -> AuditReport:
    """Audit what is at a desk."""
    run = desk.open(file)
    return audit(Audit(run, **how), AuditReport(run=run.report()))


def errors(report: AuditReport) -> list[Finding]:
    return [item for item in report.findings if item.severity == "error"]


def told(report: AuditReport) -> list[tuple[str, str | None, str | None]]:
    """Check, entry and offsets of each error; whatever has one fails."""
    assert (report.run.state, report.run.error) == (("failed", "AuditFailed") if errors(report) else ("done", ""))
    return [
        (item.check, str(item.entry) if item.entry is not None else None, str(item.range) if item.range else None)
        for item in errors(report)
    ]


def the_one(report: AuditReport, severity: str = "error") -> Finding:
    (found,) = [item for item in report.findings if item.severity == severity]
    return found


def stored(desk: Desk, key: str) -> Any:
    return json.loads(desk.store.objects[key])


def change(desk: Desk, key: str, work: Callable[[Any], object]) -> None:
    found = stored(desk, key)
    work(found)
    desk.store.objects[key] = json.dumps(found).encode()


def put(desk: Desk, key: str, found: Any) -> None:
    desk.store.put_once(key, json.dumps(found).encode())
