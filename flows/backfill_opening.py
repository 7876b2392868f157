"""From what a person asks for to an opened backfill: for the flow and for the command. It knows no Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sluice.backfill.aim import aimed
from sluice.backfill.request import Request
from sluice.backfill.work import Backfill
from sluice.checking import pipeline_called
from sluice.clock import Clock, SystemClock
from sluice.opening import PaceOf, machine_pace, opened_run
from sluice.pacing import OwnPace, unpaced
from sluice.run import Run
from sluice.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a backfill is to be carried out.

    Attributes:
        reason: why, in a person's words; kept in the ledger.
        newest_first: which windows go first.
        stop_at_failure: begin no other window once one has failed or is held.
        max_parallel: windows at once, in this process.
        rows_per_second: that this process sends at most; None: as many as the space takes.
    """

    reason: str
    newest_first: bool
    stop_at_failure: bool
    max_parallel: int
    rows_per_second: float | None


@contextmanager
def opened_backfill(
    pipeline: str,
    request: Request,
    terms: Terms,
    settings: Settings,
    run_id: str,
    *,
    pace_of: PaceOf = machine_pace,
    clock: Clock | None = None,
) -> Iterator[tuple[Run, Backfill]]:
    """Open what a backfill needs, and close it behind.

    Args:
        pipeline: its file, or the name of one.
        pace_of: the pace that all runs of an Arize space keep together.
        clock: that rows wait by, where `rows_per_second` are given; None: the system's.

    Raises:
        SluiceError: there is no such pipeline, something is not set, or the request contradicts itself.
    """
    loaded = aimed(pipeline_called(pipeline, settings), request, max_parallel=terms.max_parallel)
    pace = OwnPace(terms.rows_per_second, clock or SystemClock()) if terms.rows_per_second else unpaced
    with opened_run(loaded, settings, run_id, None, pace_of) as run:
        yield run, Backfill(run, request, reason=terms.reason, newest_first=terms.newest_first, pace=pace)
