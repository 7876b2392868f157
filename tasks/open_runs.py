"""What is open in this process: only names cross a task's boundary, never a client or a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.backfill.work import Backfill
from sluice.run import Run

_runs: dict[str, Run] = {}
_backfills: dict[str, Backfill] = {}


@contextmanager
def registered(run: Run, backfill: Backfill | None = None) -> Iterator[str]:
    """Keep a run, and the backfill that it does, for the tasks of its flow, which know it by its id."""
    _runs[run.run_id] = run
    if backfill is not None:
        _backfills[run.run_id] = backfill
    try:
        yield run.run_id
    finally:
        del _runs[run.run_id]
        _backfills.pop(run.run_id, None)


def open_run(run_id: str) -> Run:
    return _runs[run_id]


def open_backfill(run_id: str) -> Backfill:
    return _backfills[run_id]
