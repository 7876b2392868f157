"""What is open in this process: only names cross a task's boundary, never a client or a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.backfill.work import Backfill
from sluice.replay.work import Replay
from sluice.run import Run

_runs: dict[str, Run] = {}
_backfills: dict[str, Backfill] = {}
_replays: dict[str, Replay] = {}


@contextmanager
def registered(run: Run, backfill: Backfill | None = None, replay: Replay | None = None) -> Iterator[str]:
    """Keep a run, and the backfill or replay that it does, for the tasks of its flow, which know it by its id."""
    _runs[run.run_id] = run
    if backfill is not None:
        _backfills[run.run_id] = backfill
    if replay is not None:
        _replays[run.run_id] = replay
    try:
        yield run.run_id
    finally:
        del _runs[run.run_id]
        _backfills.pop(run.run_id, None)
        _replays.pop(run.run_id, None)


def open_run(run_id: str) -> Run:
    return _runs[run_id]


def open_backfill(run_id: str) -> Backfill:
    return _backfills[run_id]


def open_replay(run_id: str) -> Replay:
    return _replays[run_id]
