"""A run of a pipeline: what it checks first, what it leaves behind, and what the next one makes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait as futures_wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.cli_text import run_text
from sluice.connections import RunOptions
from sluice.errors import NothingToResolve, RealignNotPossible, SourceUnavailable, StoreUnavailable
from sluice.importing.settling import Settled
from sluice.ingest import Planned, Ranges, Staged, ingest
from sluice.ledger import Ledger
from sluice.ledger.entries import Pin, Window
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName
from sluice.offsets import Bounds, GroupOffset, OffsetRange, Partition
from sluice.planning import Plan
from sluice.realignment import realign_to_ledger
from sluice.receipts import Receipt
from sluice.report import Committed, RunReport
from sluice.resolution import resolve_delivery, resolve_window
from tests import parts
from tests.desk import A0, A1, B0, Desk
from tests.parts import REFUSES, MemoryKafka, pipeline_file, window

KEYS = Keys("flights")
LATER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    return Desk(tmp_path)


def committed(desk: Desk) -> dict[Partition, int]:
    return {item: at.offset for item, at in desk.kafka.group.items()}


# ── before anything is read


def test_the_first_run_tries_the_store_out_and_keeps_the_pipeline_file(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    assert "probe/conditional-write" in desk.store.objects
    (key,) = [key for key in desk.store.objects if "/files/" in key]
    assert desk.store.objects[key] == pipeline_file().text
    assert desk.last().pipeline_sha256 in key


def test_a_partition_that_is_not_there_stops_the_run_before_a_ledger_is_begun(desk: Desk) -> None:
    assert desk.run(file=pipeline_file(partitions="[7]")).error == "TopicMissing"
    assert not [key for key in desk.store.objects if key.startswith("ledger/flights/entries/")]


@pytest.mark.parametrize(("group", "taken"), [({A0: 2}, [2, 3]), ({}, [0, 1, 2, 3])])
def test_a_pipeline_that_starts_at_its_group_takes_what_lies_behind_it(
    desk: Desk, group: dict[Partition, int], taken: list[int]
) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.kafka.group = {item: GroupOffset(partition=item, offset=at, metadata="") for item, at in group.items()}
    assert desk.run(file=pipeline_file(start="group")).state == "done"
    assert [offset for _, places in desk.arrived for _, _, offset in places] == taken


@pytest.mark.parametrize(("found", "taken"), [(2, 2), (99, 4), (-5, 0)])
def test_until_is_bounded_by_where_the_ledger_and_the_partition_end(desk: Desk, found: int, taken: int) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.kafka.offsets_at = lambda partitions, timestamp_ms: dict.fromkeys(partitions, found)  # type: ignore[method-assign]
    report = desk.run(options=RunOptions(until=LATER))
    assert report.rows_accepted == taken
    assert {item.partition: item.stop for item in report.planned} == {A0: taken, A1: 0}


@pytest.mark.parametrize(
    ("offset", "earliest", "error", "says"),
    [(5, 0, "GroupMoved", r"a[0] offset 5, behind the end 4"), (1, 3, "OffsetsExpired", "a[0] 1..3 is gone")],
)
def test_a_group_that_no_ledger_can_begin_at_stops_the_run_before_one_is_begun(
    desk: Desk, offset: int, earliest: int, error: str, says: str
) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.kafka.earliest[A0] = earliest
    desk.kafka.group[A0] = GroupOffset(partition=A0, offset=offset, metadata="")
    report = desk.run(file=pipeline_file(start="group", on_expired="fail"))
    assert report.error == error
    assert says in report.message
    assert not [key for key in desk.store.objects if key.startswith("ledger/flights/entries/")]


@pytest.mark.parametrize("topics", ["a", "a, b"])
def test_a_group_that_another_first_run_drives_on_meanwhile_is_no_problem(desk: Desk, topics: str) -> None:
    """The bounds were asked before the group: a ledger is begun, or a topic taken up, by who is first."""
    desk.kafka.produce(A0, b"good 1")
    if topics != "a":
        desk.run(file=pipeline_file(start="group"))
    slow, snapshot = desk.open(pipeline_file(topics=topics, start="group")), desk.kafka.snapshot
    others = iter([pipeline_file(topics=topics, start="group")])

    def overtaken(topics: Sequence[str]) -> dict[Partition, Bounds]:
        found = snapshot(topics)
        for other in others:
            desk.kafka.produce(A0, b"good 1")
            desk.kafka.produce(B0, b"good 1")
            assert desk.run(file=other).state == "done"
        return found

    desk.kafka.snapshot = overtaken  # type: ignore[method-assign]
    report = ingest(slow, slow.report(), parallel_windows=1)
    assert (report.state, report.windows) == ("done", ())


def test_a_moment_behind_the_last_record_is_where_new_ones_come(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    first = desk.kafka.offsets_at

    def late(partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        desk.kafka.produce(A0, b"good 1")
        return first(partitions, timestamp_ms)

    desk.kafka.offsets_at = late  # type: ignore[method-assign]
    assert desk.run(file=pipeline_file(start="2999-01-01T00:00:00Z")).state == "done"
    assert desk.person().ledger.state.starts[A0] == 2


def test_a_topic_that_is_added_is_pinned_once_though_two_runs_meet_it(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    both = pipeline_file(topics="a, b")
    slow = desk.person(both)
    desk.run(file=both)
    slow.outlook.look(write=True)
    assert [isinstance(entry, Pin) for entry in desk.entries].count(True) == 1


def test_of_the_topics_that_are_added_a_run_takes_up_what_another_one_left(desk: Desk) -> None:
    desk.kafka = MemoryKafka({"a": 2, "b": 1, "c": 1})
    desk.run()
    slow = desk.person(pipeline_file(topics="a, b, c"))
    desk.run(file=pipeline_file(topics="a, b"))
    assert slow.outlook.look(write=True).state == slow.ledger.state
    pinned = [[topic.topic for topic in entry.topics] for entry in desk.entries if isinstance(entry, Pin)]
    assert pinned == [["b"], ["c"]]


# ── while it reads


def test_a_topic_that_is_recreated_while_it_is_read_seals_nothing(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.kafka.topic_ids = lambda topics: dict.fromkeys(topics, "another id")  # type: ignore[method-assign]
    assert desk.run().error == "TopicRecreated"
    assert len(desk.entries) == 1


def test_what_a_cut_read_left_is_sealed_before_the_window_behind_it(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.kafka.most = 3
    report = desk.run()
    assert [str(item) for found in report.windows for item in [found.entry.ranges[0].range]] == [
        *("a[0] 0..3", "a[0] 3..4", "a[0] 4..7", "a[0] 7..8")
    ]
    assert len(desk.kafka.asked) == 4, "nothing was read in vain"


def test_a_run_takes_no_more_windows_than_it_may_though_its_reads_are_cut(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.kafka.most = 3
    report = desk.run(options=RunOptions(max_windows=2))
    assert [str(found.entry.ranges[0].range) for found in report.windows] == ["a[0] 0..3", "a[0] 3..4"]


def test_a_run_takes_no_more_windows_than_it_may_though_it_has_to_plan_again(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 20)
    run = desk.open(options=RunOptions(max_windows=2))
    read = run.stage

    def overtaken(window: Ranges) -> Staged:
        staged = read(window)
        desk.kafka.most = 1
        desk.run(options=RunOptions(max_windows=1))
        desk.kafka.most = 1_000
        return staged

    run.stage = overtaken  # type: ignore[method-assign]
    report = ingest(run, run.report(), parallel_windows=1)
    assert [item.number for item in report.windows] == [1, 3]


def test_nothing_is_read_before_what_was_sealed_is_at_its_end(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    desk.kafka.produce(A0, b"good 1")
    assert desk.run(REFUSES).error == "DeliveryRefused"
    assert (len(desk.kafka.asked), len(desk.entries)) == (1, 2)


def test_a_window_whose_seal_may_have_been_written_is_counted_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    run = desk.open(options=RunOptions(max_windows=1))
    (planned,) = run.plan().plan.windows
    seal = run.ledger.seal

    def cut_off(window: Window, _: object = None) -> int:
        seal(window)
        raise StoreUnavailable("written, or not")

    monkeypatch.setattr(run.ledger, "seal", cut_off)
    with pytest.raises(StoreUnavailable):
        run.stage(planned)
    assert run.plan().plan.windows == ()


# ── what is left behind


def test_a_run_keeps_no_file_of_what_is_settled(desk: Desk, tmp_path: Path) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 2")
    desk.run()
    assert [path for path in tmp_path.rglob("*.parquet") if path.is_file()] == []


def test_what_an_older_sluice_sealed_is_told_though_its_balance_has_fewer_classes(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    key = Keys("flights").entry(1)
    entry = json.loads(desk.store.objects[key])
    del entry["ranges"][0]["balance"]["repeated"]
    desk.store.objects[key] = json.dumps(entry).encode()
    assert "1 = 1 staged → 1 accepted" in run_text(desk.run().as_dict())


def test_what_a_dead_run_delivered_is_told_by_the_next_one_and_by_no_other(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    at = desk.kafka.group[A0]
    desk.kafka.produce(A0, b"good 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.kafka, "commit", lambda offsets: None)  # the run dies before its commit
        desk.run()
    assert desk.kafka.group[A0] == at
    (told,) = desk.run().windows
    assert (told.number, told.sealed_here, told.status, told.receipts[0].sent) == (2, False, "committed", False)
    assert told.accepted == 1
    assert desk.run().windows == ()
    desk.kafka.group.clear()
    assert desk.run().windows == (), "a group that expired says nothing of what was told"
    assert len(desk.arrived) == 2


def test_a_run_with_nothing_new_writes_the_checkpoint_that_is_due(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.run()
    monkeypatch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 3)
    assert desk.run().windows == ()
    ledger = Ledger(desk.store, "flights")
    assert list(desk.store.keys(ledger.keys.checkpoints)) == [ledger.keys.checkpoint(3)]
    assert ledger.load().state.open == {}, "it was written behind the question what is settled"


def test_a_group_that_went_ahead_is_never_driven_back(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    slow = desk.person()
    standing = slow.outlook.look(write=False)
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    slow.mirror.mend(standing)
    slow.commit([])
    assert committed(desk) == {A0: 2, A1: 0}


def test_a_group_that_is_moved_during_the_run_is_not_overwritten(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 2)
    theirs = GroupOffset(partition=A0, offset=1, metadata="theirs")
    desk.arize.on_send = lambda *_: desk.kafka.group.update({A0: theirs})
    report = desk.run()
    assert (report.state, report.error) == ("failed", "GroupMoved")
    assert desk.kafka.group[A0] == theirs
    assert report.rows_accepted == 2, "what was delivered stays delivered"


def test_what_was_sealed_goes_out_though_its_topic_is_gone(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    desk.kafka.ids["a"] = "another"
    report = desk.run()
    assert (report.error, report.rows_accepted, len(desk.arrived)) == ("TopicRecreated", 1, 1)


# ── a ledger that was restored


@pytest.fixture
def restored(desk: Desk) -> Desk:
    """Three entries of four offsets each are delivered, and the group says so."""
    desk.kafka.produce(A0, *[b"good 1"] * 12)
    desk.run()
    return desk


def forget(desk: Desk, *prefixes: str) -> None:
    for key in [key for key in desk.store.objects if key.startswith(prefixes)]:
        del desk.store.objects[key]


def test_an_entry_that_is_lost_and_its_deliveries_are_not_stops_the_run(restored: Desk) -> None:
    """Another entry would take its number, and pass for delivered."""
    forget(restored, KEYS.entry(2), KEYS.entry(3))
    restored.kafka.group.clear()
    report = restored.run()
    assert report.error == "LedgerDamaged"
    assert f"{KEYS.delivery(2, 0, 0, 'intent')} is there, and its entry is not" in report.message
    assert KEYS.entry(2) not in restored.store.objects


def test_deliveries_that_are_lost_where_the_group_was_driven_past_them_stop_the_run(restored: Desk) -> None:
    forget(restored, KEYS.deliveries_of(2), KEYS.deliveries_of(3))
    report = restored.run()
    assert (report.error, report.rows_accepted, len(restored.arrived)) == ("GroupAhead", 0, 3)
    assert "driven past entries 2, 3, of which this ledger knows no delivery" in report.message
    for number in (2, 3):
        resolve_delivery(restored.person(), number, 0, "delivered", "it was in Arize")
    assert restored.run().state == "done"
    assert len(restored.arrived) == 3


def test_what_the_group_says_of_lost_deliveries_can_be_overruled_and_that_is_named(restored: Desk) -> None:
    forget(restored, KEYS.deliveries_of(3))
    run = restored.person()
    realign_to_ledger(run, run.outlook.look(write=False))
    assert committed(restored)[A0] == 8
    assert restored.run().state == "done"
    assert [places for _, places in restored.arrived][-1] == [places for _, places in restored.arrived][-2]
    assert [(item.entry, item.part) for item in run.deliveries.doubts()] == [(3, 0)]


def test_what_waits_of_a_topic_that_left_the_file_is_realigned_too(desk: Desk) -> None:
    desk.kafka.produce(B0, *[b"good 1"] * 4)
    desk.run(file=pipeline_file(topics="a, b"))
    forget(desk, KEYS.deliveries_of(1))
    assert desk.run().error == "GroupAhead"
    run = desk.person()
    realign_to_ledger(run, run.outlook.look(write=False))
    assert desk.run().state == "done"
    assert [(item.entry, item.part) for item in run.deliveries.doubts()] == [(1, 0)]


def test_the_group_is_not_set_back_before_a_held_entry_that_it_was_driven_past(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"bad 1"] * 4)
    desk.run()
    resolve_window(desk.person(), 1, "drop", "not wanted")
    desk.run()
    forget(desk, KEYS.entry(2))
    assert desk.run().error == "GroupAhead"
    run = desk.person()
    with pytest.raises(RealignNotPossible, match=r"Entry 1 is held.*First: sluice resolve FILE --entry 1 deliver"):
        realign_to_ledger(run, run.outlook.look(write=False))
    resolve_window(desk.person(), 1, "drop", "not wanted")
    assert desk.run().state == "done"


def test_realigning_knows_what_another_run_delivered_meanwhile(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.run(REFUSES)
    person = desk.person()
    standing = person.outlook.look(write=False)
    desk.run()
    realign_to_ledger(person, standing)
    assert (committed(desk)[A0], person.deliveries.doubts()) == (4, [])


def make_the_group_deaf(desk: Desk) -> None:
    def deaf(partitions: Sequence[Partition]) -> Any:
        raise SourceUnavailable("no broker answers")

    desk.kafka.committed = deaf  # type: ignore[method-assign]


def move_another_partition(desk: Desk) -> None:
    desk.kafka.group[A1] = GroupOffset(partition=A1, offset=7, metadata="")


def recreate(desk: Desk) -> None:
    desk.kafka.ids["a"] = "another"


def lose_the_newest_entry(desk: Desk) -> None:
    forget(desk, KEYS.entry(3))


def take_the_partition_out_of_the_file(desk: Desk) -> None: ...


@pytest.mark.parametrize(
    ("happens", "partitions", "error"),
    [
        (make_the_group_deaf, "all", "SourceUnavailable"),
        (move_another_partition, "all", "GroupAhead"),
        (recreate, "all", "GroupAhead"),
        (lose_the_newest_entry, "all", "GroupAhead"),
        (take_the_partition_out_of_the_file, "[1]", "GroupAhead"),
    ],
)
def test_nothing_hides_that_the_group_was_driven_past_what_waits(
    restored: Desk, happens: Callable[[Desk], None], partitions: str, error: str
) -> None:
    forget(restored, KEYS.deliveries_of(2), KEYS.deliveries_of(3))
    happens(restored)
    assert restored.run(file=pipeline_file(partitions=partitions)).error == error
    assert len(restored.arrived) == 3


def test_a_word_that_was_cut_off_before_its_outcome_settles_its_part(restored: Desk) -> None:
    forget(restored, KEYS.deliveries_of(3))
    person = restored.person()
    restored.store.faults[""] = "after"
    with pytest.raises(StoreUnavailable):
        resolve_delivery(person, 3, 0, "delivered", "it was in Arize")
    assert restored.outcomes(3) == ["accepted"]
    with pytest.raises(NothingToResolve, match="Entry 3 of flights waits for no send"):
        resolve_delivery(restored.person(), 3, 0, "delivered", "it was in Arize")
    assert restored.run().state == "done"
    assert len(restored.arrived) == 3


def test_a_group_that_another_run_drives_ahead_meanwhile_is_no_problem(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.run(REFUSES)
    slow = desk.open()
    asked = slow.mirror.check_delivered

    def late(ledger: Ledger, catch_up: Callable[[], object]) -> None:
        desk.run()
        asked(ledger, catch_up)

    slow.mirror.check_delivered = late  # type: ignore[method-assign]
    planned = slow.plan()
    assert (planned.problem, [item.number for item in planned.unfinished]) == (None, [1, 2])
    slow.commit([])
    assert committed(desk)[A0] == 8


# ── the story


class Waiting:
    """Verbs whose deliveries end only when the story waits for one. Leaves out everything else."""

    def __init__(self, windows: int) -> None:
        at = [OffsetRange(A0, number, number + 1) for number in range(windows)]
        self._plan = Plan(backlog=(), windows=tuple((item,) for item in at))
        self._turns = threading.Semaphore(0)
        self.staged = self.delivered = 0
        self.in_hand: list[int] = []

    def plan(self) -> Planned:
        return Planned(plan=self._plan, unfinished=(), problem=None)

    def stage(self, window_: Ranges) -> Staged:
        self.staged += 1
        return Staged(number=self.staged, entry=window(str(window_[0])), left=(), held=None)

    def deliver(self, number: EntryName, part: int) -> Receipt:
        assert self._turns.acquire(timeout=20)
        return Receipt(entry=number, part=part, delivery=0, rows=1, sent=True)

    def wait(self, *given: Any, **how: Any) -> Any:
        """Stand in for the wait for a delivery: one may end now."""
        self.in_hand.append(self.staged - self.delivered)
        self._turns.release()
        return futures_wait(*given, **how)

    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
        raise NotImplementedError

    def commit(self, settled: Sequence[EntryName]) -> Committed:
        self.delivered += len(settled)
        return Committed(at="now", offsets={A0: max([0, *(number for number in settled if isinstance(number, int))])})

    def record(self, report: RunReport) -> None: ...


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_windows_are_in_hand_than_the_limit_and_one_that_waits_its_turn(
    parallel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = Waiting(windows=6)
    monkeypatch.setattr("sluice.ingest.wait", verbs.wait)
    report = RunReport(pipeline="flights", run_id="run", started_at="now")
    ended = ingest(verbs, report, parallel_windows=parallel)
    assert [item.status for item in ended.windows] == ["committed"] * 6
    assert max(verbs.in_hand) == parallel + 1
