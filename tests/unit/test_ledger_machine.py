"""The ledger as a state machine: whatever interleaves, dies, pauses or is moved, each offset is decided and sent once.

The processes run the real run, ledger, deliveries, staging, resolution and sweep on stand-ins that pause at every
operation. Hypothesis decides who goes on, who dies, who wakes up hours later, what Arize answers, what a person says.
Then everything is brought to its end, and what is in the store is compared with what was in Kafka, by `tests.books`,
which shares nothing with the ledger's own reasoning.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sluice.errors import (
    DeliveryRefused,
    DestinationRefused,
    GroupMoved,
    NothingToResolve,
    RealignNotPossible,
    Transient,
    every_error,
)
from sluice.ingest import ingest
from sluice.offsets import GroupOffset, Partition
from sluice.report import RunReport
from sluice.resolution import realign_to_group, realign_to_ledger, resolve_delivery, resolve_window
from sluice.run import Run
from sluice.sweep import sweep
from tests import parts
from tests.books import Books
from tests.parts import (
    ACCEPTS,
    BUSY,
    DROPS,
    FORBIDS,
    MARKER,
    REFUSES,
    TAKES_AND_DROPS,
    MemoryArize,
    MemoryKafka,
    MemoryStore,
    Said,
    pipeline_file,
)
from tests.simulation import Process, Threads, World, wait_for

A0, A1, B0 = PARTITIONS = [Partition("a", 0), Partition("a", 1), Partition("b", 0)]
FILES = {
    "both": pipeline_file(topics="a, b"),
    "careful": pipeline_file(topics="a, b", on_ambiguous="hold"),
    "mended": pipeline_file(topics="a, b", model="mended"),
    "a0": pipeline_file(partitions="[0]"),
    "a1": pipeline_file(partitions="[1]"),
}
PLACES = [
    "put ledger/flights/entries", "put ledger/flights/entries/000000000000.json done", "list ledger/flights/entries",
    "intent.json", "intent.json done", "send", "send done", "outcome.json", "outcome.json done", "commit",
    "commit done", "put staged", "read", "list staged", "delete", "list ledger/flights/deliveries", "wait",
    "committed?",
]  # fmt: skip
VALUES = [b"good 1", b"good 1", b"good 2", b"bad 1", None, MARKER]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.ingest.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ingest.wait", wait_for)
        patch.setattr("sluice.ledger.log.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ledger.deliveries.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        patch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 3)
        yield


class Drains(RuleBasedStateMachine):
    """Some processes on one pipeline, and what happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.store = MemoryStore(self.world)
        self.kafka = MemoryKafka({"a": 2, "b": 1})
        self.arize = MemoryArize()
        self.books = Books(self.store, self.kafka, self.arize)
        self.kafka.on_commit = self.books.check_commit
        self.expected: set[type[BaseException]] = {Transient}
        self.scratch = Path(tempfile.mkdtemp(prefix="sluice-machine-"))
        self.count = 0

    # ── what comes from outside

    @rule(at=st.sampled_from(PARTITIONS), values=st.lists(st.sampled_from(VALUES), min_size=1, max_size=9))
    def produce(self, at: Partition, values: list[bytes | None]) -> None:
        self.kafka.produce(at, *values)

    @rule(at=st.sampled_from(PARTITIONS), count=st.integers(1, 4))
    def expire(self, at: Partition, count: int) -> None:
        self.kafka.earliest[at] = min(self.kafka.end(at), self.kafka.earliest[at] + count)

    @rule(says=st.lists(st.sampled_from([ACCEPTS, BUSY, DROPS, TAKES_AND_DROPS, REFUSES, FORBIDS]), max_size=4))
    def arize_will_say(self, says: list[Said]) -> None:
        self.arize.script.extend(says)
        self.expected |= {DeliveryRefused, DestinationRefused}

    @rule(most=st.sampled_from([1, 3, 1000]))
    def reads_are_cut(self, most: int) -> None:
        self.kafka.most = most

    @rule(seconds=st.sampled_from([1, 100, 121, 124, 10_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.now_s += seconds

    @rule(at=st.sampled_from(PARTITIONS), offset=st.integers(0, 12))
    def somebody_moves_the_group(self, at: Partition, offset: int) -> None:
        self.kafka.group[at] = GroupOffset(partition=at, offset=offset, metadata="")
        self.expected |= {GroupMoved}

    @rule()
    def the_group_expires(self) -> None:
        self.kafka.group.clear()

    # ── what starts

    @rule(file=st.sampled_from(sorted(FILES)))
    def run_starts(self, file: str) -> None:
        self.start(file, lambda run: ingest(run, run.report(), parallel_windows=2))

    @rule(file=st.sampled_from(["both", "mended"]), verdict=st.sampled_from(["deliver", "redo", "drop"]))
    def person_ends_a_held_window(self, file: str, verdict: Literal["deliver", "redo", "drop"]) -> None:
        def work(run: Run) -> object:
            run.prepare()
            return [resolve_window(run, item.number, verdict, "tried") for item in run.ledger.state.held]

        if self.books.entries:
            self.start(file, work, NothingToResolve)

    @precondition(lambda self: self.books.unknown())
    @rule(verdict=st.sampled_from(["delivered", "resend"]))
    def person_ends_a_delivery(self, verdict: Literal["delivered", "resend"]) -> None:
        number, part = self.books.unknown()[0]

        def work(run: Run) -> object:
            run.prepare()
            return resolve_delivery(run, number, part, verdict, "looked")

        self.start("both", work, NothingToResolve)

    @rule(to=st.sampled_from(["ledger", "group"]))
    def person_realigns(self, to: str) -> None:
        def work(run: Run) -> object:
            run.prepare()
            run.unfinished()
            standing = run.outlook.look(write=False)
            return realign_to_ledger(run, standing) if to == "ledger" else realign_to_group(run, standing, "moved")

        if set(PARTITIONS) <= set(self.books.decided()):
            self.start("both", work, RealignNotPossible)

    @rule()
    def sweep_starts(self) -> None:
        if self.books.entries:
            self.start("both", lambda run: sweep(self.store, run.ledger))

    def start(self, file: str, work: Callable[[Run], object], *may: type[BaseException]) -> Process | None:
        if len(self.world.alive) > 3:
            return None
        self.count += 1
        name = f"{self.count} {file}"
        opened = parts.parts(self.world, self.store, self.kafka, self.arize, self.scratch / name)
        self.expected |= set(may)
        return self.world.start(name, lambda: work(Run(FILES[file], opened, name)))

    # ── who moves

    @precondition(lambda self: self.world.alive)
    @rule(which=st.integers(0, 3), thread=st.integers(0, 2), times=st.integers(1, 40))
    def one_moves(self, which: int, thread: int, times: int) -> None:
        process = self.alive(which)
        for _ in range(times):
            process.move(thread)

    @precondition(lambda self: self.world.alive)
    @rule(which=st.integers(0, 3), place=st.sampled_from(PLACES), times=st.integers(1, 3))
    def one_moves_to(self, which: int, place: str, times: int) -> None:
        process = self.alive(which)
        for _ in range(times):
            while process.move() and not any(place in thread.at for thread in process.threads if not thread.dead):
                pass

    @precondition(lambda self: self.world.alive)
    @rule(which=st.integers(0, 3))
    def one_ends(self, which: int) -> None:
        self.alive(which).finish()

    @precondition(lambda self: self.world.alive)
    @rule(which=st.integers(0, 3))
    def one_is_killed(self, which: int) -> None:
        self.alive(which).kill()

    @precondition(lambda self: self.world.alive)
    @rule(which=st.integers(0, 3), when=st.sampled_from(["before", "after"]))
    def a_write_of_one_fails(self, which: int, when: Literal["before", "after"]) -> None:
        self.store.faults[self.alive(which).name] = when

    def alive(self, which: int) -> Process:
        return self.world.alive[which % len(self.world.alive)]

    # ── what must be true

    @invariant()
    def the_chain_holds(self) -> None:
        self.books.check_chain()

    @invariant()
    def what_is_sent_twice_is_named(self) -> None:
        self.books.check_deliveries()

    @invariant()
    def no_needed_file_is_gone(self) -> None:
        self.books.check_files()

    @invariant()
    def nobody_fails_without_cause(self) -> None:
        anchors = {kind.anchor() for kind in every_error() if issubclass(kind, tuple(self.expected))}
        for process in self.world.processes:
            if process.is_alive or process.is_killed:
                continue
            if process.error is not None:
                assert isinstance(process.error, tuple(self.expected)), repr(process.error)
            elif isinstance(process.result, RunReport) and process.result.state == "failed":
                said = process.result.message
                assert any(f"#{anchor}." in said for anchor in anchors), said

    def teardown(self) -> None:
        try:
            self.bring_to_an_end()
            self.books.check_chain()
            self.books.check_balances()
            self.books.check_deliveries()
            self.books.check_files()
            self.books.check_all_is_delivered()
            self.check_nothing_is_left_to_plan()
            self.check_the_group_follows()
            self.check_what_is_left_after_a_sweep()
        finally:
            for process in self.world.alive:
                process.kill()
            shutil.rmtree(self.scratch)

    def bring_to_an_end(self) -> None:
        for process in self.world.alive:
            process.finish()
        self.nobody_fails_without_cause()
        self.arize.script.clear()
        self.store.faults.clear()
        for _ in range(20):
            self.world.now_s += 1000
            ended = self.run_to_the_end()
            self.nobody_fails_without_cause()
            if isinstance(ended, RunReport) and ended.state == "done":
                return
            self.persons_say_their_word()
        raise AssertionError("it does not come to an end")

    def persons_say_their_word(self) -> None:
        if not self.books.entries:
            self.kafka.group.clear()  # moved before there was a ledger: the person gives it another group
        self.person_realigns("ledger")
        self.person_ends_a_held_window("both", "deliver")
        for _ in self.books.unknown():
            self.person_ends_a_delivery("resend")
            self.world.alive[-1].finish()
        for process in self.world.alive:
            process.finish()

    def run_to_the_end(self) -> object:
        process = self.start("both", lambda run: ingest(run, run.report(), parallel_windows=2))
        assert process is not None
        process.finish()
        return process.error or process.result

    def check_nothing_is_left_to_plan(self) -> None:
        """Planning after everything was delivered yields nothing."""
        before, arrived = len(self.books.entries), len(self.arize.arrived)
        ended = self.run_to_the_end()
        assert isinstance(ended, RunReport)
        assert (ended.state, ended.windows) == ("done", ())
        assert (len(self.books.entries), len(self.arize.arrived)) == (before, arrived)

    def check_the_group_follows(self) -> None:
        """The next records bring the group to every end, wherever it was left."""
        for partition in PARTITIONS:
            self.kafka.produce(partition, b"good 1")
        ended = self.run_to_the_end()
        for partition, ranges in self.books.decided().items():
            stands = ranges[-1].stop, self.kafka.group[partition].offset
            assert stands == (self.kafka.end(partition),) * 2, f"{partition}: {ended}"

    def check_what_is_left_after_a_sweep(self) -> None:
        process = self.start("both", lambda run: sweep(self.store, run.ledger))
        assert process is not None
        process.finish()
        self.books.check_files()
        assert not self.books.unnamed()


def test_every_offset_is_decided_once_and_sent_once_whatever_happens() -> None:
    _search(settings(max_examples=100, stateful_step_count=40, derandomize=True))


@pytest.mark.long
def test_every_offset_is_decided_once_and_sent_once_whatever_happens_in_thousands_of_runs() -> None:
    _search(settings(max_examples=3000, stateful_step_count=80))


def _search(how: settings) -> None:
    every = settings(how, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
    run_state_machine_as_test(Drains, settings=every)
