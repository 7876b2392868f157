"""Audit: read a pipeline's ledger again, and say what is lost, doubled or damaged. It mends nothing."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.running import final_state
from sluice.audit.report import AuditReport
from sluice.audit.story import audit as look
from sluice.audit.work import Audit
from sluice.checking import pipeline_called
from sluice.clock import timestamp
from sluice.errors import SluiceError
from sluice.opening import opened_run
from sluice.report import RunReport
from sluice.settings import Settings
from tasks.audit_verbs import audit_verbs
from tasks.blocks import find_block
from tasks.emitting import tell_of_audit, tell_of_run


@flow(name="audit", flow_run_name="audit {pipeline}", persist_result=False, retries=0)
def audit(pipeline: str, *, full: bool = False, deep: bool = False, sweep: bool = False) -> State[Any]:
    """Say what of a pipeline is lost, doubled or damaged, and what somebody should look at.

    It looks at what came since the last audit, and mends nothing. A run that finds something lost, doubled or damaged
    fails; one that finds what somebody should look at completes, and says so.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        full: Look at all of the ledger, and count the files that nobody needs.
        deep: Read each file that is looked at, too, and count its rows.
        sweep: Let go of the files that nobody needs, unless something is lost, doubled or damaged.
    """
    # Prefect hands the lines of its extra loggers on, and leaves their level at the root's, which lets no step through.
    logging.getLogger("sluice").setLevel(logging.INFO)
    report = AuditReport(run=RunReport(pipeline=pipeline, run_id=str(flow_run.id), started_at=timestamp(time.time())))
    try:
        settings = Settings.from_environment(os.environ, find_block)
        with (
            opened_run(pipeline_called(pipeline, settings), settings, report.run.run_id) as run,
            audit_verbs(run, Audit(run, full=full, deep=deep, sweep=sweep)) as verbs,
        ):
            report = look(verbs, AuditReport(run=run.report()))
    except SluiceError as error:
        report = report.ended_by(error)
    except Exception as error:
        tell_of_run(replace(report.run, state="failed", error=type(error).__name__))
        raise
    tell_of_audit(report)
    tell_of_run(report.run)
    if report.run.state != "done":
        return final_state(report.run)
    first = f". The first: {report.findings[0]}" if report.findings else ""
    return Completed(message=report.verdict + first, data=report.as_dict())
