"""Ingest: finish what was sealed, then drain each partition up to where it ends now, window by window."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.running import run_and_tell
from sluice.connections import RunOptions


@flow(name="ingest", flow_run_name="{pipeline}", persist_result=False, retries=0)
def ingest(
    pipeline: str, max_windows: Annotated[int, Field(ge=1)] | None = None, until: datetime | None = None
) -> State[Any]:
    """Move a pipeline's new offsets from Kafka to Arize: once, in bounded windows, and prove it.

    Every window is read, staged, sealed in the ledger, uploaded, and only then committed. A run that dies is finished
    by the next one. A run that ends as **Held** waits for a person: its message says what to do.

    Args:
        pipeline: The pipeline's name: that of its file in deployments/pipelines.
        max_windows: The largest number of windows that this run takes; None: as the pipeline file says.
        until: Only records from before this moment (Kafka's timestamp); None: all that there are.
    """
    return run_and_tell(pipeline, RunOptions(max_windows=max_windows, until=until))
