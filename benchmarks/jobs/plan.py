"""The plan of a run whose ledger is there already: opened, loaded, checked, planned; nothing is read."""

from __future__ import annotations

from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.sluice_parquet import opened


def plan(order: Order) -> None:
    with opened(Path(order.pipeline), order.servers, Path(order.extra["store"])) as run:
        if not run.plan().plan.windows:
            raise RuntimeError("nothing was left to plan")


if __name__ == "__main__":
    run_job(plan)
