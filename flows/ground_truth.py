"""Ground truth: catch up a pipeline of actuals from wherever it stands, and tell how many predictions have theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.running import run_and_tell
from sluice.connections import RunOptions
from tasks.coverage_verbs import WithCoverage


@flow(name="ground_truth", flow_run_name="{pipeline}", persist_result=False, retries=0)
def ground_truth(
    pipeline: str,
    max_windows: Annotated[int, Field(ge=1)] | None = None,
    until: datetime | None = None,
    days: Annotated[int, Field(ge=1)] | None = None,
) -> State[Any]:
    """Move a pipeline's new actuals from Kafka to Arize, and say how many predictions have their truth by now.

    However long it was away, it drains what came meanwhile in bounded windows, in order, as an ingest does; a run that
    dies is finished by the next one. Behind that, actuals are matched with the predictions that were delivered, as far
    back as Arize joins them: the page of **coverage** tells which days lack theirs, and what will soon be too late.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        max_windows: The largest number of windows that this run takes; None: as the pipeline file says.
        until: Only actuals from before this moment (Kafka's timestamp); None: all that there are.
        days: How far back coverage looks, in days; None: as far as Arize joins (policies.join_window_days), and at
            least a week behind coverage.after_days.
    """
    return run_and_tell(pipeline, RunOptions(max_windows=max_windows, until=until), WithCoverage(days))
