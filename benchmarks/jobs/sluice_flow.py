"""Sluice from Kafka to Arize as a Prefect flow run: the same verbs as tasks, with artifacts, on a server that is up.

In: the flow run from its creation to its final state. Out: a worker, and the start of the process that it makes.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.sluice_sdk import require_done, stores
from flows.ingest import ingest
from flows.running import last_report


def drain(order: Order) -> None:
    os.environ.update(stores(order))
    ingest(Path(order.pipeline).stem, return_state=True)
    report = last_report()
    if report is None:
        raise RuntimeError("the flow run never began")
    require_done(report)


if __name__ == "__main__":
    run_job(drain)
