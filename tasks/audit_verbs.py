"""The tasks of an audit. Each opens nothing and decides nothing: it calls one verb of the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import task

from sluice.audit.findings import Finding
from sluice.audit.report import AuditReport, Swept, Walked
from sluice.audit.standing import Stands
from sluice.audit.work import Audit
from sluice.run import Run
from tasks.audit_journal import compare_page
from tasks.audit_pages import publish_audit
from tasks.open_runs import open_run, registered
from tasks.verbs import PLAIN, RETRIED

_audits: dict[str, Audit] = {}


@task(**RETRIED, task_run_name="walk the ledger")
def walk_ledger(run_id: str) -> Walked:
    """Read the ledger again: what is new, or all of it."""
    return _audits[run_id].walk()


@task(**PLAIN, task_run_name="look beside the ledger")
def look_beside(run_id: str) -> Stands:
    """See where group and Kafka stand, and what waits."""
    return _audits[run_id].stand()


@task(**PLAIN, task_run_name="compare the ledger page")
def compare_ledger_page(run_id: str) -> tuple[Finding, ...]:
    """Compare what Prefect shows of the ledger with it."""
    return compare_page(open_run(run_id))


@task(**PLAIN, task_run_name="sweep")
def sweep_files(run_id: str, report: AuditReport) -> Swept | None:
    """Let go of files that nobody needs, or count them."""
    return _audits[run_id].sweep(report)


@task(**PLAIN, task_run_name="record")
def record_audit(run_id: str, report: AuditReport) -> None:
    """Publish what was found."""
    _audits[run_id].record(report)
    publish_audit(report)


class AuditVerbs:
    """The verbs of an audit, those that take a while as Prefect's tasks."""

    def __init__(self, run: Run, audit: Audit) -> None:
        self._run_id = run.run_id
        self._audit = audit

    def walk(self) -> Walked:
        return walk_ledger(self._run_id)

    def stand(self) -> Stands:
        return look_beside(self._run_id)

    def compare(self) -> tuple[Finding, ...]:
        return compare_ledger_page(self._run_id)

    def sweep(self, report: AuditReport) -> Swept | None:
        return sweep_files(self._run_id, report) if self._audit.looks_for_needless else None

    def mark(self, report: AuditReport) -> None:
        self._audit.mark(report)

    def record(self, report: AuditReport) -> None:
        record_audit(self._run_id, report)


@contextmanager
def audit_verbs(run: Run, audit: Audit) -> Iterator[AuditVerbs]:
    """Keep an audit for the tasks of its flow, which know it by its run's id."""
    _audits[run.run_id] = audit
    with registered(run):
        try:
            yield AuditVerbs(run, audit)
        finally:
            del _audits[run.run_id]
