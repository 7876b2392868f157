"""A replay at each of its steps: started twice there, or killed there, nothing is lost and nothing goes out twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sluice.ledger.entries import Derived
from sluice.replay.report import ReplayReport
from sluice.report import RunReport
from sluice.sweep import sweep
from tests import parts
from tests.books import Books
from tests.desk import A0, Desk
from tests.parts import pipeline_file
from tests.simulation import Process, Threads

MENDED = pipeline_file(model="mended", share="100%")
ASKED: dict[str, dict[str, Any]] = {
    "from the staged file": {"model": "another"},
    "from kafka, as another version": {"model": "another", "source": "kafka", "version": "9"},
    "to be counted twice": {"count_twice": True},
    "of rejected records": {"what": "rejected", "file": MENDED},
    "as a file": {"model": "another", "path": "object_store"},
}
QUICK = ("from kafka, as another version", "of rejected records", "as a file")
# A window of three rows and a rejected record.
ROWS = [("a", 0, offset) for offset in (0, 1, 2)]
BAD = [("a", 0, 3)]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.ledger.log.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ledger.deliveries.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path_factory.mktemp("delivered"))
        desk.kafka.produce(A0, b"good 1", b"good 2", b"good 1", b"bad 1")
        assert desk.run().state == "done"
        yield desk


class Story:
    """A desk with one delivered entry, and a replay of it."""

    def __init__(self, delivered: Desk, scratch: Path, asked: dict[str, Any]) -> None:
        self.desk = Desk(scratch)
        self.desk.kafka.logs, self.desk.kafka.group = delivered.kafka.logs, dict(delivered.kafka.group)
        self.desk.store.take_over(delivered.store)
        self.books = Books(self.desk.store, self.desk.kafka, self.desk.arize)
        self.asked = asked

    def start(self) -> Process:
        return self.desk.world.start("replay", lambda: self.desk.replay(entries=[1], **self.asked))

    def check(self) -> None:
        """Each row went out once, or as often as somebody said that it may have; and once it is in the ledger."""
        wanted = BAD if "file" in self.asked else ROWS
        arrived = sorted(
            place for places in (*(places for _, places in self.desk.arrived), *self.files()) for place in places
        )
        assert set(arrived) == set(wanted)
        assert arrived == wanted or self.desk.person().deliveries.doubts()
        (once_more,) = [entry for entry in self.books.entries if isinstance(entry, Derived)]
        assert sum(part.rows for part in once_more.parts) == len(wanted)
        self.books.check_chain()
        self.books.check_files()
        assert not self.desk.person().ledger.state.open

    def files(self) -> Iterator[list[tuple[str, int, int]]]:
        """Where the rows of each file are from that a job took, as often as it did."""
        imports = self.desk.imports
        for _, key in imports.imported:
            data = imports.store.objects[key.removeprefix(imports.prefix)]
            yield list(pl.read_parquet(io.BytesIO(data), columns=["topic", "partition", "offset"]).iter_rows())


def steps(story: Story) -> int:
    """How many steps a replay takes that nobody disturbs."""
    process, count = story.start(), 0
    while process.move():
        count += 1
    assert done(process)
    return count


def done(process: Process) -> bool:
    assert isinstance(process.result, ReplayReport)
    return process.result.run.state == "done"


def started_again(story: Story) -> None:
    process = story.start()
    process.finish()
    assert done(process)


def finished_by_a_run(story: Story) -> None:
    """A run finishes what was sealed, a sweep takes what was not, and another start does that."""
    process = story.desk.world.start("run", story.desk.run)
    process.finish()
    assert isinstance(process.result, RunReport)
    assert process.result.state == "done"
    sweep(story.desk.store, story.desk.person().ledger)
    started_again(story)


@pytest.mark.parametrize("asked", [ASKED[name] for name in QUICK], ids=QUICK)
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "asleep"])
def test_what_stops_at_any_step_is_brought_to_its_end_once(
    delivered: Desk, tmp_path: Path, asked: dict[str, Any], *, is_killed: bool
) -> None:
    for at in range(steps(Story(delivered, tmp_path / "all", asked))):
        then = finished_by_a_run if at % 4 == 0 else started_again
        stop_at(at, Story(delivered, tmp_path / str(at), asked), then, is_killed=is_killed)


@pytest.mark.long
@pytest.mark.parametrize("then", [started_again, finished_by_a_run])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "asleep"])
def test_what_stops_at_any_step_is_brought_to_its_end_once_whatever_it_was_and_by_whomever(
    delivered: Desk, tmp_path: Path, asked: dict[str, Any], then: Callable[[Story], None], *, is_killed: bool
) -> None:
    for at in range(steps(Story(delivered, tmp_path / "all", asked))):
        stop_at(at, Story(delivered, tmp_path / str(at), asked), then, is_killed=is_killed)


def stop_at(at: int, story: Story, then: Callable[[Story], None], *, is_killed: bool) -> None:
    process = story.start()
    for _ in range(at):
        process.move()
    if is_killed:
        process.kill()
    then(story)
    process.finish()
    assert is_killed or done(process), f"at step {at}"
    story.check()
