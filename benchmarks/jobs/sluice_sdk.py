"""Sluice from Kafka to Arize by the library alone: a whole run, ledger and commit and all."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from benchmarks.jobs.order import Order, run_job
from sluice.ingest import ingest
from sluice.opening import opened_run
from sluice.pipeline import load_pipeline
from sluice.report import RunReport
from sluice.settings import Settings

import_module("sluice.windows")  # the library imports it with its first window; imports do not count, here or in peers


def drain(order: Order) -> None:
    ingested(order)


def ingested(order: Order) -> RunReport:
    """Run the pipeline once, to its end."""
    loaded = load_pipeline(Path(order.pipeline))
    with opened_run(loaded, Settings.from_environment({**os.environ, **stores(order)}), "benchmark") as run:
        report = ingest(run, run.report(), parallel_windows=run.pipeline.limits.parallel_windows)
    require_done(report)
    return report


def stores(order: Order) -> dict[str, str]:
    """Return the variables by which Sluice finds broker, store and file; Arize's are there."""
    return {
        "SLUICE_KAFKA_BOOTSTRAP_SERVERS": order.servers,
        "SLUICE_STORE": order.output,
        "SLUICE_PIPELINES": str(Path(order.pipeline).parent),
    }


def require_done(report: RunReport) -> None:
    if report.state != "done":
        raise RuntimeError(f"the run ended as {report.state}: {report.message}")


if __name__ == "__main__":
    run_job(drain)
