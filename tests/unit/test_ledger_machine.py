"""The ledger as a state machine: whatever interleaves, dies, pauses or is moved, each offset is decided and sent once.

The processes run the real run, ledger, deliveries, staging, resolution and sweep on stand-ins that pause at every
operation. Hypothesis decides who goes on, who dies, who wakes up hours later, what Arize answers, what a person says.
Then everything is brought to its end, and what is in the store is compared with what was in Kafka, by `tests.books`,
which shares nothing with the ledger's own reasoning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request
from sluice.backfill.story import backfill
from sluice.backfill.work import Backfill
from sluice.errors import (
    CountsTwice,
    DeliveryRefused,
    DestinationRefused,
    GroupMoved,
    NothingToReplay,
    NothingToResolve,
    OffsetsExpired,
    RealignNotPossible,
)
from sluice.ingest import ingest
from sluice.ledger.entries import Derived
from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import GroupOffset, Partition
from sluice.pipeline import LoadedPipeline
from sluice.realignment import realign_to_group, realign_to_ledger
from sluice.replay.report import ReplayReport
from sluice.replay.request import Request as ReplayRequest
from sluice.replay.story import replay
from sluice.replay.work import Replay
from sluice.report import RunReport
from sluice.resolution import readdress, resolve_delivery, resolve_window
from sluice.run import Run
from sluice.sweep import sweep
from tests import parts
from tests.books import Books
from tests.machines import Processes
from tests.parts import (
    ACCEPTS,
    BUSY,
    DROPS,
    FORBIDS,
    MARKER,
    REFUSES,
    TAKES_AND_DROPS,
    MemoryKafka,
    Said,
    pipeline_file,
)
from tests.simulation import Process, Threads, wait_for

A0, A1, B0 = PARTITIONS = [Partition("a", 0), Partition("a", 1), Partition("b", 0)]
FILES = {
    "both": pipeline_file(topics="a, b"),
    "careful": pipeline_file(topics="a, b", on_ambiguous="hold"),
    "mended": pipeline_file(topics="a, b", model="mended"),
    "lax": pipeline_file(topics="a, b", share="100%"),
    "a0": pipeline_file(partitions="[0]"),
    "a1": pipeline_file(partitions="[1]"),
    "late": pipeline_file(topics="a, b", start="latest"),
}
REQUESTS = {"backfill": Request(), "backfill of a0": Request(partitions=(A0,))}
REPLAYS: dict[str, dict[str, Any]] = {
    "replay": {"model": "another"},
    "replay from kafka": {"model": "another", "source": "kafka"},
    "replay as version 7": {"version": "7"},
    "replay and count twice": {"count_twice": True, "reason": "lost"},
    "redeem": {"what": "rejected"},
}
PLACES = [
    "put staged", "put staged/flights/0000", "put ledger/flights/entries", "entries/000000000000.json done",
    "list ledger/flights/entries", "list ledger/flights/deliveries", "intent.json", "intent.json done", "send",
    "send done", "outcome.json", "outcome.json done", "put ledger/flights/slots/",
    "slots/000000000001/00000000.json done", "read", "commit", "commit done", "committed?", "wait",
]  # fmt: skip
VALUES = [b"good 1", b"good 1", b"good 2", b"bad 1", None, MARKER]
records = st.lists(st.sampled_from(VALUES), min_size=3, max_size=9)
answers = st.sampled_from(
    [[TAKES_AND_DROPS] * 9, [DROPS, ACCEPTS, TAKES_AND_DROPS], [BUSY, TAKES_AND_DROPS], [REFUSES], [FORBIDS]]
)
outside = st.sampled_from([
    "records come", "records come", "time passes", "arize answers", "arize answers", "a write fails",
    "records expire", "reads are cut", "the group is lost", "the group is moved",
])  # fmt: skip
works = st.sampled_from(
    [
        *FILES,
        "both",
        "late",
        "sweep",
        "sweep",
        "redo",
        *REQUESTS,
        "backfill",
        "collecting",
        "cancel",
        *REPLAYS,
        *REPLAYS,
    ]
)
Verdict = Literal["deliver", "redo", "drop"]
OF_A_SEAL = ["put staged/flights/0000", "put ledger/flights/entries", "send"]
OF_REPLAYS = {NothingToReplay, CountsTwice, OffsetsExpired}
small = st.integers(1, 4)
places = st.sampled_from(PLACES)
then = st.sampled_from(["wait", "wait", "die", "end"])
moves = st.lists(st.tuples(small, places | st.just("time"), then), min_size=4, max_size=14)
verdicts = st.sampled_from(["deliver", "redo", "drop"])


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.ingest.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ingest.wait", wait_for)
        patch.setattr("sluice.backfill.story.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.backfill.story.wait", wait_for)
        patch.setattr("sluice.ledger.log.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.ledger.deliveries.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.audit.walk.ThreadPoolExecutor", Threads)
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        patch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 3)
        yield


def resolve_all(run: Run, verdict: Verdict) -> list[int]:
    run.require_ledger()
    slots = [SlotName(n, slot) for n, claim in run.ledger.state.claims.items() for slot in sorted(claim.unsettled)]
    held: list[EntryName] = [item.number for item in run.ledger.state.held]
    held += [name for name in slots if run.ledger.sealed(name).held]
    return [resolve_window(run, name, verdict, "tried") for name in held]


def backfilled(run: Run, request: Request, *, stops: bool) -> BackfillReport:
    empty = BackfillReport(run=run.report())
    return backfill(Backfill(run, request, reason="tried"), empty, max_parallel=2, stop_at_failure=stops)


def cancelled(run: Run) -> int:
    run.require_ledger()
    return Backfill(run, Request(), reason="").cancel(
        [n for n, item in run.ledger.state.claims.items() if item.undecided]
    )


def replayed(run: Run, names: list[EntryName], asked: dict[str, Any]) -> ReplayReport:
    run.require_ledger()
    request = ReplayRequest(entries=tuple(names), **{"reason": "tried", **asked})
    return replay(Replay(run, request), ReplayReport(run=run.report()))


class Drains(Processes):
    """Some processes on one pipeline, and what happens to them."""

    def __init__(self) -> None:
        super().__init__(MemoryKafka({"a": 2, "b": 1}))
        self.books = Books(self.store, self.kafka, self.arize)
        self.kafka.on_commit = self.books.check_commit
        self.arize.on_send = self.on_send
        self.expected |= {NothingToResolve, RealignNotPossible, *OF_REPLAYS}
        self.seen = (0, 0, 0)
        self.spaces: list[str] = []

    def on_send(self, space: str, left_s: float) -> None:
        self.spaces.append(space)
        self.books.check_send(self.world.now_s, space, left_s)

    # ── what comes from outside

    @initialize(values=st.lists(st.sampled_from(VALUES), min_size=8, max_size=12))
    def there_are_records_at_first(self, values: list[bytes | None]) -> None:
        for at in PARTITIONS:
            self.kafka.produce(at, *values)

    @rule(what=outside, at=st.sampled_from(PARTITIONS), n=small, says=answers, values=records)
    def something_happens(self, what: str, at: Partition, n: int, says: list[Said], values: list[bytes | None]) -> None:
        match what:
            case "records come":
                self.kafka.produce(at, *values)
            case "time passes":
                self.world.now_s += 124
            case "arize answers":
                self.arize.script.extend(says)
                self.expected |= {DeliveryRefused, DestinationRefused}
            case "a write fails":
                self.store.faults |= {process.name: ("before", "after")[n % 2] for process in self.world.alive[:n]}
            case "records expire":
                self.kafka.earliest[at] = min(self.kafka.end(at), self.kafka.earliest[at] + n)
            case "reads are cut":
                self.kafka.most = n
            case "the group is lost":
                self.kafka.group.clear()
            case "the group is moved":
                self.kafka.group[at] = GroupOffset(partition=at, offset=n, metadata="")
                self.expected |= {GroupMoved}

    # ── what starts, and how far it gets at first

    @rule(file=st.sampled_from(sorted(FILES)), place=places, times=small, then=then)
    def run_starts(self, file: str, place: str, times: int, then: str) -> None:
        self.go(self.start(file, lambda run: ingest(run, run.report(), parallel_windows=2)), place, times, then)

    @rule(works=st.lists(works, min_size=2, max_size=3), moves=moves)
    def some_interleave(self, works: list[str], moves: list[tuple[int, str, str]]) -> None:
        for work in works:
            self.start_a(work)
        for which, place, then in moves:
            if place == "time":
                self.world.now_s += 124
            elif self.world.alive:
                self.go(self.alive(which), place, 1, then)

    @rule(work=works, place=places, times=small, then=then)
    def one_starts(self, work: str, place: str, times: int, then: str) -> None:
        self.go(self.start_a(work), place, times, then)

    @precondition(lambda self: self.books.entries)
    @rule(work=st.sampled_from(sorted(REPLAYS)), place=st.sampled_from(OF_A_SEAL), times=small, then=then)
    def sweep_comes_between_a_replay(self, work: str, place: str, times: int, then: str) -> None:
        process = self.start_a(work)
        self.go(process, place, times, "wait")
        self.start_a("sweep").finish()
        self.go(process, "", 0, then)

    @precondition(lambda self: self.books.held())
    @rule(file=st.sampled_from(["both", "mended"]), verdict=verdicts, place=places, then=then)
    def person_ends_a_held_window(self, file: str, verdict: Verdict, place: str = "", then: str = "end") -> None:
        self.go(self.start(file, lambda run: resolve_all(run, verdict)), place, 1, then)

    @precondition(lambda self: self.books.unknown())
    @rule(verdict=st.sampled_from(["delivered", "resend"]), place=places, then=then)
    def person_ends_a_delivery(
        self, verdict: Literal["delivered", "resend"], place: str = "", then: str = "end"
    ) -> None:
        number, part = self.books.unknown()[0]

        def work(run: Run) -> object:
            run.require_ledger()
            return resolve_delivery(run, number, part, verdict, "looked")

        self.go(self.start("both", work), place, 1, then)

    @precondition(lambda self: self.books.refused())
    @rule(space=st.sampled_from(["space", "another", "a third"]), place=places, then=then)
    def person_readdresses(self, space: str, place: str = "", then: str = "end") -> None:
        number, _ = self.books.refused()[0]
        self.arize.space = space

        def work(run: Run) -> object:
            run.require_ledger()
            return readdress(run, number, "the space was wrong")

        self.go(self.start("both", work), place, 1, then)

    @precondition(lambda self: self.books.waiting())
    @rule(verdict=st.sampled_from(["delivered", "drop"]), place=places, then=then)
    def person_settles_a_part(self, verdict: Literal["delivered", "drop"], place: str = "", then: str = "end") -> None:
        number, part = self.books.waiting()[-1]

        def work(run: Run) -> object:
            run.require_ledger()
            return resolve_delivery(run, number, part, verdict, "looked")

        self.go(self.start("both", work), place, 1, then)

    @precondition(lambda self: GroupMoved in self.expected)
    @rule(to=st.sampled_from(["ledger", "group"]), then=then)
    def person_realigns(self, to: str, then: str = "end") -> None:
        def work(run: Run) -> object:
            run.prepare()
            run.unfinished()
            standing = run.outlook.look(write=False)
            return realign_to_ledger(run, standing) if to == "ledger" else realign_to_group(run, standing, "moved")

        if set(PARTITIONS) <= set(self.books.decided()):
            self.go(self.start("both", work), "commit", 1, then)

    def start_a(self, work: str) -> Process:
        match work:
            case _ if work in REPLAYS and self.books.entries:
                return self.start_replay(work)
            case "sweep" if self.books.entries:
                return self.start("both", lambda run: sweep(self.store, run.ledger))
            case "redo" if self.books.held():
                return self.start("mended", lambda run: resolve_all(run, "redo"))
            case "cancel" if self.books.entries:
                return self.start("both", cancelled)
            case "backfill" | "backfill of a0" | "collecting":
                request, stops = REQUESTS.get(work, Request()), work != "collecting"
                return self.start("both", lambda run: backfilled(run, request, stops=stops))
            case _:
                file = work if work in FILES else "both"
                return self.start(file, lambda run: ingest(run, run.report(), parallel_windows=2))

    def start_replay(self, work: str) -> Process:
        """Replay the last entries that there are, delivered or not."""
        asked, sealed = REPLAYS[work], self.books.sealed
        names = [name for name, item in sealed.items() if not isinstance(item, Derived) or item.purpose != "replay"][
            -3:
        ]
        file = "mended" if work == "redeem" else "both"
        aimed = ReplayRequest(entries=(0,), **{"reason": "tried", **asked}).aimed(FILES[file])
        return self.start_file(aimed, lambda run: replayed(run, names or [0], asked))

    def start(self, file: str, work: Callable[[Run], object]) -> Process:
        return self.start_file(FILES[file], work)

    def start_file(self, file: LoadedPipeline, work: Callable[[Run], object]) -> Process:
        return self.begin(lambda name, opened: work(Run(file, opened, name)))

    # ── who moves

    @precondition(lambda self: self.world.alive)
    @rule(which=small, place=places, times=small, then=then)
    def one_goes_on(self, which: int, place: str, times: int, then: str) -> None:
        self.go(self.alive(which), place, times, then)

    @precondition(lambda self: self.world.alive)
    @rule(which=small, thread=st.integers(0, 2), times=st.integers(1, 40))
    def one_takes_some_steps(self, which: int, thread: int, times: int) -> None:
        for _ in range(times):
            self.alive(which).move(thread)
            if not self.world.alive:
                return

    # ── what must be true

    @invariant()
    def the_books_are_right(self) -> None:
        seen = len(self.store.writes), len(self.store.objects), len(self.arize.arrived)
        if seen != self.seen:
            self.seen = seen
            self.books.check_chain()
            self.books.check_slots()
            self.books.check_held()
            self.books.check_deliveries()
            self.books.check_files()

    def teardown(self) -> None:
        try:
            self.check_an_audit_finds_nothing(FILES["both"])
            self.bring_to_an_end()
            self.check_an_audit_finds_nothing(FILES["both"], full=self.count % 2 == 0)
            self.books.check_chain()
            self.books.check_slots()
            self.books.check_balances()
            self.books.check_deliveries()
            self.books.check_files()
            self.books.check_all_is_delivered()
            self.books.check_nothing_is_missing()
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
            if isinstance(ended, RunReport) and ended.state == "done" and self.backfills_come_to_an_end():
                return
            self.persons_say_their_word()
        raise AssertionError("it does not come to an end")

    def backfills_come_to_an_end(self) -> bool:
        """Run each backfill until nothing is left of it; an ingest brings what persons ended of their slots."""
        for work in REQUESTS:
            process = self.start_a(work)
            process.finish()
            self.nobody_fails_without_cause()
            if process.error is not None or not isinstance(process.result, BackfillReport):
                return False
            if process.result.run.state != "done" or process.result.left:
                return False
        return not self.books.waiting() and not self.books.held()

    def persons_say_their_word(self) -> None:
        if not self.books.entries:
            self.kafka.group.clear()  # moved before there was a ledger: the person gives it another group
        self.person_realigns("ledger")
        if self.books.held():
            self.person_ends_a_held_window("both", "deliver")
        for _ in self.books.unknown():
            self.person_ends_a_delivery("resend")

    def run_to_the_end(self) -> object:
        process = self.start_a("both")
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
        self.start_a("sweep").finish()
        self.books.check_files()
        assert not self.books.unnamed()


@pytest.fixture
def drains() -> Iterator[Drains]:
    machine = Drains()
    yield machine
    machine.teardown()


@pytest.mark.parametrize("place", ["committed?", "put ledger/flights/entries/000000000000.json", "snapshot", "read"])
def test_of_two_first_runs_each_knows_the_others_work_for_its_own(drains: Drains, place: str) -> None:
    drains.kafka.produce(A0, *[b"good 1"] * 3)
    one = drains.start_a("both")
    drains.go(one, place, 1, "wait")
    drains.kafka.produce(A0, *[b"good 1"] * 5)
    drains.start_a("both").finish()
    one.finish()
    assert [isinstance(each.result, RunReport) and each.result.state for each in drains.world.processes] == ["done"] * 2


def test_a_run_with_nothing_new_mends_a_group_that_a_dead_one_left_behind(drains: Drains) -> None:
    drains.kafka.produce(A0, b"good 1")
    drains.go(drains.start_a("both"), "outcome.json done", 1, "die")
    drains.start_a("both").finish()
    assert drains.kafka.group[A0].offset == 1


def test_a_group_that_another_consumer_left_is_taken_up_where_it_stands(drains: Drains) -> None:
    drains.kafka.produce(A0, b"good 1")
    drains.kafka.group[A0] = GroupOffset(partition=A0, offset=0, metadata="theirs")
    assert isinstance(ended := drains.run_to_the_end(), RunReport)
    assert (ended.state, drains.kafka.group[A0].offset) == ("done", 1)


@pytest.mark.parametrize(("verdict", "times"), [("deliver", 1), ("drop", 0)])
def test_a_run_by_another_file_sends_nothing_of_a_window_that_was_held_and_ended(
    drains: Drains, verdict: Verdict, times: int
) -> None:
    drains.kafka.produce(A0, b"good 1", b"bad 1", b"bad 1", b"bad 1")
    sleeper = drains.start_a("lax")
    drains.go(sleeper, "put staged", 1, "wait")
    drains.start_a("both").finish()
    drains.person_ends_a_held_window("both", verdict)
    drains.run_to_the_end()
    sleeper.finish()
    assert len(drains.arize.arrived) == times


def test_a_read_is_asked_for_behind_the_leader_epoch_that_the_ledger_knows(drains: Drains) -> None:
    drains.kafka.produce(A0, b"good 1")
    drains.kafka.epoch = 5
    drains.run_to_the_end()
    drains.kafka.produce(A0, b"good 1")
    drains.kafka.epoch = 6
    drains.run_to_the_end()
    assert [asked.get(A0) for asked in drains.kafka.asked] == [None, 5]


@pytest.mark.parametrize("then", ["end", "die"])
@pytest.mark.parametrize("place", ["intent.json", "send"])
def test_what_was_refused_goes_where_a_person_says_even_by_a_run_that_slept(
    drains: Drains, place: str, then: str
) -> None:
    drains.kafka.produce(A0, b"good 1")
    drains.arize.script.extend([FORBIDS, FORBIDS])
    drains.expected |= {DestinationRefused}
    drains.start_a("both").finish()
    sleeper = drains.start_a("both")
    drains.go(sleeper, place, 1, "wait")
    drains.person_readdresses("another", "intent.json done", then)
    sleeper.finish()
    if not drains.world.alive and drains.books.refused():  # it was in the middle of its send when the person spoke
        drains.person_readdresses("another")
    assert isinstance(ended := drains.run_to_the_end(), RunReport)
    assert (ended.state, drains.spaces[-1]) == ("done", "another")


def test_every_offset_is_decided_once_and_sent_once_whatever_happens() -> None:
    _search(settings(max_examples=70, stateful_step_count=20, derandomize=True))


@pytest.mark.long
def test_every_offset_is_decided_once_and_sent_once_whatever_happens_in_thousands_of_runs() -> None:
    _search(settings(max_examples=3000, stateful_step_count=40))


def _search(how: settings) -> None:
    every = settings(how, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
    run_state_machine_as_test(Drains, settings=every)
