"""Run the joiner when it is due, and keep what it joined through kill -9.

One Arrow file of pairs for each run that joined any, and a journal with a line for each run. The file is synced and in
place before its line is written, so a run without its line is made again, and its file is written over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from deployments.local.arize.joiner import matching, runs
from deployments.local.arize.joiner.rows import rows_of
from deployments.local.arize.joiner.runs import Run
from deployments.local.arize.journal import Journal, sync
from deployments.local.arize.store import Call, Store
from deployments.local.arize.wire import actual

_NONE = matching.JOINED.to_frame()


class Joiner:
    """The joiner of all models; it shares the store and the clock of its server."""

    def __init__(self, directory: Path, store: Store, clock: Callable[[], float]) -> None:
        self._joined = directory / "joined"
        self._joined.mkdir(parents=True, exist_ok=True)
        self._store = store
        self._clock = clock
        self._lock = threading.RLock()
        self._journal = Journal(directory / "joiner.jsonl")
        self._runs = [Run(**line) for line in self._journal.replay()]

    def runs(self) -> list[Run]:
        """Make the runs that are due, and give all in their order."""
        with self._lock:
            for at in runs.due(self._since(), self._clock()):
                self._run(at, received_before=runs.day_of(at), window_days=runs.WINDOW_DAYS, told=False)
            return list(self._runs)

    def run_now(self, window_days: float) -> None:
        """Look at all that was received so far and that no run has looked at."""
        with self._lock:
            self.runs()
            self._run(self._clock(), received_before=float("inf"), window_days=window_days, told=True)

    def joined(self, model: str | None = None) -> pl.DataFrame:
        """Give what is joined, a row for each pair of a prediction and an actual: `matching.JOINED`, and joined_at."""
        pairs = [self._pairs(run) for run in self.runs() if run.joined]
        kept = [call.number for call in self._calls(model)]
        is_kept = pl.col("prediction_call").is_in(kept) & pl.col("actual_call").is_in(kept)
        return pl.concat([_NONE.with_columns(joined_at=pl.lit(0.0)), *pairs]).filter(is_kept)

    def summary(self) -> dict[str, Any] | None:
        """Count the rows of each model, as `matching.counted` has it; None before there is anything to join."""
        made, calls = self.runs(), self._calls()
        if not made and not any(actual(call.columns) for call in calls):
            return None
        joined, looked_at, models = self.joined(), _looked_at(made), []
        for space, model in sorted({(call.space, call.model) for call in calls}):
            rows = rows_of(self._store, [call for call in calls if (call.space, call.model) == (space, model)])
            counts = matching.counted(rows, joined.filter(space=space, model=model), looked_at)
            models.append({"space": space, "model": model, **counts})
        return {"runs": len(made), "last_run": made[-1].shown() if made else None, "models": models}

    def days(self, model: str) -> list[dict[str, Any]]:
        """Count a model's predictions by their day, as `matching.days` has it."""
        return matching.days(rows_of(self._store, self._calls(model)), self.joined(model))

    def clear(self) -> None:
        """Forget every run; what is still there is looked at anew."""
        with self._lock:
            self._journal.clear()
            for run in self._runs:
                self._file(run).unlink(missing_ok=True)
            self._runs.clear()

    def close(self) -> None:
        with self._lock:
            self._journal.close()

    def _calls(self, model: str | None = None) -> list[Call]:
        return [call for call in self._store.calls if call.kept and model in (None, call.model)]

    def _since(self) -> float:
        """Give the time up to which every hour had its run: before anything was received there was none to have."""
        if self._runs:
            return self._runs[-1].at
        return min((call.received_at for call in self._calls()), default=self._clock())

    def _run(self, at: float, *, received_before: float, window_days: float, told: bool) -> None:
        seen, calls = _looked_at(self._runs), self._calls()
        new = [call for call in calls if call.number not in seen and call.received_at < received_before]
        mine = [call for call in new if actual(call.columns)]
        window_s = window_days * runs.DAY_S
        pairs = self._match(mine, calls, window_s) if mine else _NONE
        run = Run(
            number=len(self._runs),
            at=at,
            told=told,
            window_days=window_days,
            calls=[call.number for call in mine],
            joined=pairs.height,
        )
        if run.joined:
            pairs.write_ipc(self._file(run))
            sync(self._file(run), self._joined)
        self._journal.write(asdict(run), durable=True)
        self._runs.append(run)

    def _match(self, mine: list[Call], calls: list[Call], window_s: float) -> pl.DataFrame:
        models = {(call.space, call.model) for call in mine}
        earliest = min(call.received_at for call in mine) - window_s
        theirs = (call for call in calls if (call.space, call.model) in models and call.received_at >= earliest)
        return matching.match(rows_of(self._store, theirs), {call.number for call in mine}, window_s)

    def _pairs(self, run: Run) -> pl.DataFrame:
        return pl.read_ipc(self._file(run)).with_columns(joined_at=pl.lit(run.at))

    def _file(self, run: Run) -> Path:
        return self._joined / f"{run.number:08d}.arrow"


def _looked_at(made: Iterable[Run]) -> set[int]:
    return {number for run in made for number in run.calls}
