"""The plan of a backfill whose ledger is there already; nothing is read, nothing is written."""

from __future__ import annotations

from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.sluice_parquet import opened
from sluice.backfill.request import Request
from sluice.backfill.work import Backfill


def plan(order: Order) -> None:
    with opened(Path(order.pipeline), order.servers, Path(order.extra["store"])) as run:
        found = Backfill(run, Request(), reason="").plan(write=False)
    if not found.apportioned.left_out.get("delivered"):
        raise RuntimeError("the ledger holds nothing")


if __name__ == "__main__":
    run_job(plan)
