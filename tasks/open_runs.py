"""The runs that are open in this process: only their names cross a task's boundary, never a client or a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.run import Run

_open: dict[str, Run] = {}


@contextmanager
def registered(run: Run) -> Iterator[str]:
    """Keep a run for the tasks of its flow, which know it by its id."""
    _open[run.run_id] = run
    try:
        yield run.run_id
    finally:
        del _open[run.run_id]


def open_run(run_id: str) -> Run:
    return _open[run_id]
