"""The bar of a run: what it says, and when there is one."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from sluice.ingest import Planned, ingest
from sluice.offsets import OffsetRange
from sluice.planning import Plan
from sluice.report import WindowReport
from tasks.progress import PlannedProgress, Progress, progress_of
from tasks.telling import Telling
from tests import parts
from tests.desk import A0, Desk


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """What is shown, in order: percent and words; a bar begins at 0."""
    shown: list[tuple[float, str]] = []

    def create(percent: float, *, key: str, description: str) -> uuid.UUID:
        shown.append((percent, f"{key}: {description}"))
        return uuid.uuid4()

    def update(_: uuid.UUID, percent: float, *, description: str) -> None:
        shown.append((percent, description.split(",", maxsplit=1)[0]))

    monkeypatch.setattr("tasks.progress.create_progress_artifact", create)
    monkeypatch.setattr("tasks.progress.update_progress_artifact", update)
    return shown


def planned(windows: int, most: int | None = None) -> Planned:
    ranges = tuple((OffsetRange(A0, 10 * at, 10 * at + 10),) for at in range(windows))
    return Planned(plan=Plan(backlog=(), windows=ranges, most=most), unfinished=(), problem=None)


def test_it_says_how_much_is_done_how_fast_and_how_long_it_takes() -> None:
    assert progress_of(200, 150, 10.0) == (25.0, "50 of 200 offsets, 5 a second, about 30 s left")
    assert progress_of(200, 0, 10.0) == (100.0, "200 of 200 offsets, 20 a second")
    assert progress_of(0, 0, 0.0) == (100.0, "0 of 0 offsets, 0 a second")


@pytest.mark.parametrize(
    ("windows", "most", "has_one"), [(2, None, False), (3, None, True), (9, 2, False), (9, 3, True)]
)
def test_a_run_of_a_window_or_two_has_no_bar(
    bars: list[tuple[float, str]], windows: int, most: int | None, has_one: bool
) -> None:
    progress = PlannedProgress("flights")
    progress.planned(planned(windows, most))
    progress.bar.rest()
    assert bool(bars) == has_one


@pytest.mark.parametrize(("every_s", "most"), [(0.0, 12), (1e9, 1)])
def test_a_run_that_drains_many_windows_fills_its_bar_and_tells_prefect_no_more_often_than_it_must(
    bars: list[tuple[float, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: float, most: int
) -> None:
    monkeypatch.setattr("tasks.progress._EVERY_S", every_s)
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, *[b"good 1"] * 12)
    run = desk.open()
    told: list[WindowReport] = []
    report = ingest(Telling(run, told.append, PlannedProgress("flights")), run.report(), parallel_windows=1)
    begun, *steps = bars
    assert begun == (0.0, "progress-flights: 0 offsets done")
    assert len(told) == len(report.windows) >= 3
    assert 1 <= len(steps) <= most
    assert [percent for percent, _ in steps] == sorted(percent for percent, _ in steps)
    assert steps[-1] == (100.0, "12 of 12 offsets")


def test_what_a_later_look_finds_is_added_to_the_bar(bars: list[tuple[float, str]]) -> None:
    bar = Progress("backfill-progress-flights")
    bar.begin(0)
    bar.begin(100)
    bar.begin(100)
    bar.update(50)
    bar.rest()
    assert len(bars) == 2
    assert bars[-1] == (75.0, "150 of 200 offsets")
    assert bar.so_far(50) == "150 of 200 offsets taken"


def test_a_prefect_that_takes_no_bar_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("no server")

    monkeypatch.setattr("tasks.progress.create_progress_artifact", refuses)
    bar = Progress("backfill-progress-flights")
    with disable_run_logger():
        bar.begin(100)
        bar.update(50)
        bar.rest()


def test_a_prefect_that_does_not_answer_keeps_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr("tasks.progress.create_progress_artifact", lambda *_, **__: answers.wait())
    bar = Progress("progress-flights")
    bar.begin(100)
    for left in (75, 50, 0):
        bar.update(left)
    answers.set()
    bar.rest()
