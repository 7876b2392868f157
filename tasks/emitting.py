"""Events, handed to Prefect. One that cannot be emitted fails no run."""

from __future__ import annotations

from prefect.context import FlowRunContext
from prefect.events import emit_event

from sluice.audit.report import AuditReport
from sluice.ground_truth.report import CoverageReport
from sluice.report import RunReport, WindowReport
from tasks.audit_events import event_of_audit
from tasks.coverage_events import event_of_coverage
from tasks.events import Event, event_of_run, events_of_window
from tasks.links import run_link
from tasks.never_failing import never_failing


@never_failing
def tell_of_window(pipeline: str, window: WindowReport) -> None:
    """Tell of a window that is delivered, or held."""
    for event in events_of_window(pipeline, window):
        _emit(event)


@never_failing
def tell_of_run(report: RunReport) -> None:
    """Tell that a run is over, also one that had nothing to do, failed, is held or was cancelled."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    flow = context.flow.name if context and context.flow else "unknown"
    url = run_link(run.id) if run else None
    _emit(event_of_run(report, flow=flow, url=url, scheduled=bool(run and run.auto_scheduled)))


@never_failing
def tell_of_audit(report: AuditReport) -> None:
    """Tell what an audit found, if it found anything."""
    event = event_of_audit(report, url=_own_link())
    if event is not None:
        _emit(event)


@never_failing
def tell_of_coverage(report: CoverageReport) -> None:
    """Tell which days have less truth than the pipeline file asks for, if any."""
    event = event_of_coverage(report, url=_own_link())
    if event is not None:
        _emit(event)


def _own_link() -> str | None:
    """The page of this flow run."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run_link(run.id) if run else None


def _emit(event: Event) -> None:
    """Send an event. Prefect attaches the flow run, its flow, deployment and tags."""
    emit_event(event.name, event.resource, payload=dict(event.payload), id=event.id)
