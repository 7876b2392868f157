"""A backfill of a whole topic by the library alone, whatever is to be sent being accepted at once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from benchmarks.jobs.sluice_parquet import opened
from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request
from sluice.backfill.story import backfill
from sluice.backfill.work import Backfill


def take(order: Order) -> None:
    with opened(Path(order.pipeline), order.servers, Path(order.output)) as run:
        empty = BackfillReport(run=run.report())
        report = backfill(Backfill(run, Request(), reason="measured"), empty, max_parallel=int(order.extra["at_once"]))
    if report.run.state != "done" or report.left:
        raise RuntimeError(f"the backfill ended as {report.run.state}: {report.run.message}")


if __name__ == "__main__":
    run_job(take)
