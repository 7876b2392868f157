"""Backfill, run by run: it takes what the ledger misses, once, whoever starts it how often, and moves no group."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from sluice.backfill.estimate import described
from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request
from sluice.backfill.story import backfill
from sluice.backfill.work import Backfill
from sluice.errors import NothingToResolve
from sluice.ledger import entries
from sluice.ledger.names import SlotName
from sluice.offsets import OffsetRange, Partition
from sluice.refiling import resolve_file
from sluice.resolution import resolve_delivery, resolve_window
from sluice.status import status
from sluice.sweep import let_go
from tests import parts
from tests.books import Books
from tests.desk import A0, A1, Desk
from tests.imports import file_of
from tests.parts import BUSY, DROPS, REFUSES, TAKES_AND_DROPS, pipeline_file

LATE = pipeline_file(start="latest")  # its ledger begins behind what is there
GOOD = b"good 1"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Ten records in a[0], three in a[1], and a ledger that begins behind them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path)
        desk.kafka.produce(A0, *[GOOD] * 10)
        desk.kafka.produce(A1, *[GOOD] * 3)
        desk.run(file=LATE)
        yield desk


def ranges(*texts: str) -> tuple[OffsetRange, ...]:
    return tuple(map(OffsetRange.parse, texts))


def slots(report: BackfillReport) -> list[tuple[str, str]]:
    return [(str(item.number), item.entry.shown) for item in report.run.windows]


def arrived(desk: Desk) -> list[tuple[str, int, int]]:
    return sorted(place for _, places in desk.arrived for place in places)


def books(desk: Desk) -> Books:
    return Books(desk.store, desk.kafka, desk.arize)


EVERY = [("a", 0, offset) for offset in range(10)] + [("a", 1, offset) for offset in range(3)]


def test_what_is_missing_is_delivered_once_and_the_group_stays_where_it_is(desk: Desk) -> None:
    group = dict(desk.kafka.group)
    report = desk.backfill(file=LATE)
    assert (report.run.state, report.left, report.claims) == ("done", 0, (1,))
    assert [len(item.receipts) for item in report.run.windows] == [1] * 4
    assert arrived(desk) == EVERY
    assert desk.kafka.group == group
    books(desk).check_balances()
    books(desk).check_all_is_delivered()


def test_a_second_start_finds_nothing_to_do(desk: Desk) -> None:
    desk.backfill(file=LATE)
    report = desk.backfill(file=LATE)
    assert (report.run.state, report.claims, report.run.windows) == ("done", (), ())
    assert not desk.person(LATE).ledger.state.claims


def test_ingest_neither_waits_for_a_backfill_nor_delivers_what_it_sealed(desk: Desk) -> None:
    assert desk.backfill(REFUSES, file=LATE).run.state == "failed"
    desk.kafka.produce(A0, GOOD)
    report = desk.run(file=LATE)
    assert (report.state, [item.number for item in report.windows]) == ("done", [2])
    assert desk.kafka.group[A0].offset == 11
    assert arrived(desk) == [("a", 0, 10)]


def test_what_failed_stays_claimed_and_the_next_start_takes_it_up(desk: Desk) -> None:
    report = desk.backfill(REFUSES, file=LATE)
    assert (report.run.state, len(report.failed), len(report.run.windows)) == ("failed", 1, 0)
    assert str(report.failed[0].name) == "1/0"
    assert desk.backfill(offsets=ranges("a[0] 0..10"), file=LATE).claims == ()
    again = desk.backfill(file=LATE)
    assert (again.run.state, again.claims, again.left) == ("done", (1,), 0)
    assert arrived(desk) == EVERY


def test_a_failure_stops_the_backfill_or_is_collected(desk: Desk) -> None:
    report = desk.backfill(REFUSES, file=LATE, stop_at_failure=False)
    assert (report.run.state, len(report.failed), len(report.run.windows), report.left) == ("failed", 1, 3, 0)
    assert desk.backfill(file=LATE).run.state == "done"
    assert arrived(desk) == EVERY


def test_a_window_that_is_cut_short_is_finished_by_other_slots(desk: Desk) -> None:
    desk.kafka.most = 3
    report = desk.backfill(file=LATE)
    assert (report.run.state, report.left) == ("done", 0)
    assert max(int(name.partition("/")[2]) for name, _ in slots(report)) >= 4
    assert arrived(desk) == EVERY
    books(desk).check_balances()


@pytest.mark.parametrize(("newest_first", "firsts"), [(False, [0, 4, 8]), (True, [8, 4, 0])])
def test_the_oldest_or_the_newest_windows_go_first(desk: Desk, newest_first: bool, firsts: list[int]) -> None:
    report = desk.backfill(file=LATE, partitions=(A0,), newest_first=newest_first)
    assert [item.entry.ranges[0].start for item in report.run.windows] == firsts


def test_a_backfill_begins_the_ledger_where_there_is_none(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path)
        desk.kafka.produce(A0, *[GOOD] * 5)
        assert desk.backfill(file=LATE).run.rows_accepted == 5
        assert desk.kafka.group == {}
        assert desk.run(file=LATE).windows == ()


def test_a_plan_writes_nothing(desk: Desk) -> None:
    before = dict(desk.store.objects)
    plan = Backfill(desk.open(LATE), Request(), reason="").plan(write=False)
    assert (plan.offsets, len(plan.windows), plan.claims) == (13, 4, ())
    assert desk.store.objects == before


def test_what_kafka_deleted_is_left_out_unless_it_was_named_and_is_to_be_counted(desk: Desk) -> None:
    desk.kafka.earliest[A0] = 6
    plan = Backfill(desk.open(LATE), Request(), reason="").plan(write=False)
    assert {why: list(map(str, items)) for why, items in plan.apportioned.left_out.items()} == {"gone": ["a[0] 0..6"]}
    refused = desk.backfill(file=pipeline_file(start="latest", on_expired="fail"), offsets=ranges("a[0] 0..10"))
    assert (refused.run.error, "offset 6 of a[0]" in refused.run.message) == ("OffsetsExpired", True)
    report = desk.backfill(file=LATE, offsets=ranges("a[0] 0..10"))
    assert (report.run.state, report.run.balance.expired, report.run.balance.staged) == ("done", 6, 4)
    books(desk).check_balances()


# ── again


def test_what_is_in_the_ledger_is_taken_again_only_with_a_reason_and_once_for_each(desk: Desk) -> None:
    desk.backfill(file=LATE)
    assert desk.backfill(file=LATE, offsets=ranges("a[1] 0..3")).claims == ()
    again = desk.backfill(file=LATE, offsets=ranges("a[1] 0..3"), again="the first went to a wrong model")
    assert (again.run.state, again.run.rows_accepted) == ("done", 3)
    twice = desk.backfill(file=LATE, offsets=ranges("a[1] 0..3"), again="the first went to a wrong model")
    assert (twice.run.state, twice.claims) == ("done", ())
    assert desk.backfill(file=LATE, offsets=ranges("a[1] 0..3"), again="once more").run.rows_accepted == 3
    assert len(arrived(desk)) == 13 + 6


def test_what_is_taken_again_is_as_many_claims_as_it_needs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.backfill(file=LATE)
    monkeypatch.setattr("sluice.backfill.planning.MOST_WINDOWS", 3)
    report = desk.backfill(file=LATE, again="once more")
    assert (report.run.state, report.claims, report.run.rows_accepted) == ("done", (2, 3), 13)
    assert desk.backfill(file=LATE, again="once more").claims == ()


def test_what_comes_later_is_not_taken_again_by_a_request_that_was_claimed_before(desk: Desk) -> None:
    desk.backfill(file=LATE)
    desk.backfill(file=LATE, again="once more")
    desk.kafka.produce(A0, *[GOOD] * 5)
    desk.run(file=LATE)
    desk.person(LATE).ledger.write_checkpoint()
    assert desk.backfill(file=LATE, again="once more").claims == ()


def test_a_checkpoint_remembers_what_was_taken_again(desk: Desk) -> None:
    desk.backfill(file=LATE)
    desk.backfill(file=LATE, again="once more")
    desk.person(LATE).ledger.write_checkpoint()
    assert desk.backfill(file=LATE, again="once more").claims == ()


# ── a person's words


def test_a_cancelled_backfill_frees_what_nobody_sealed_and_delivers_the_rest(desk: Desk) -> None:
    desk.backfill(REFUSES, file=LATE)
    run = desk.person(LATE)
    assert Backfill(run, Request(), reason="").cancel([1]) == 3
    with pytest.raises(NothingToResolve, match="open: none"):
        Backfill(run, Request(), reason="").cancel([1])
    assert run.ledger.state.claims[1].unsettled == {0}
    report = desk.backfill(file=LATE)
    assert report.claims == (1, 2)
    assert arrived(desk) == EVERY
    books(desk).check_all_is_delivered()


def test_a_run_that_is_told_to_end_begins_no_other_window_and_the_next_start_goes_on(desk: Desk) -> None:
    over = threading.Event()

    class TiresEarly(Backfill):
        def progress(self, report: BackfillReport) -> None:
            over.set()

    run = desk.open(LATE)
    verbs, empty = TiresEarly(run, Request(), reason="asked"), BackfillReport(run=run.report())
    report = backfill(verbs, empty, max_parallel=1, is_over=over)
    assert 0 < len(report.run.windows) < 4
    assert report.left == 13 - report.run.balance.total
    assert desk.backfill(file=LATE).left == 0
    assert arrived(desk) == EVERY


def test_a_held_slot_holds_up_no_ingest_and_is_ended_as_any_other(desk: Desk) -> None:
    desk.kafka.logs[A0][:4] = [b"bad 1"] * 4
    report = desk.backfill(file=LATE, offsets=ranges("a[0] 0..4"))
    assert (report.run.state, report.run.error) == ("held", "WindowHeld")
    assert "--entry 1/0" in report.run.message
    desk.kafka.produce(A1, GOOD)
    assert desk.run(file=LATE).state == "done"
    ended = resolve_window(desk.person(LATE), SlotName(1, 0), "deliver", "looked")
    assert not desk.person(LATE).ledger.state.claims
    derived = desk.person(LATE).ledger.entry(ended)
    assert isinstance(derived, entries.Derived)
    assert (derived.origin, derived.slot) == (1, 0)
    books(desk).check_balances()


@pytest.mark.parametrize("path", ["sdk", "object_store"])
@pytest.mark.parametrize(("verdict", "share"), [("deliver", "50%"), ("redo", "100%")])
def test_a_held_slot_goes_to_the_model_and_version_of_its_backfill(
    desk: Desk, path: str, verdict: Literal["deliver", "redo"], share: str
) -> None:
    desk.kafka.logs[A0][:3] = [b"bad 1"] * 3
    file = pipeline_file(start="latest", path=path)
    asked: dict[str, Any] = {"offsets": ranges("a[0] 0..4"), "model": "another", "version": "9"}
    assert desk.backfill(file=file, **asked).run.state == "held"
    now = pipeline_file(start="latest", path=path, share=share)
    ended = resolve_window(desk.person(now), SlotName(1, 0), verdict, "looked")
    assert desk.run(file=now).state == "done"
    entry = desk.person(now).ledger.sealed(ended)
    assert (entry.destination.model, {part.version for part in entry.parts} - {None}) == (
        "another",
        {"9"} if path == "sdk" else set(),
    )
    assert [spec.model for spec, _ in desk.imports.jobs.values()] == (["another"] if path == "object_store" else [])
    assert desk.kafka.group[A0].offset == 10
    report = desk.replay(file=now, entries=[ended], source="kafka", model="third")
    assert (report.run.state, report.run.rows_accepted) == ("done", 1)


def test_a_held_slot_that_is_held_again_still_goes_where_its_backfill_goes(desk: Desk) -> None:
    desk.kafka.logs[A0][:3] = [b"bad 1"] * 3
    desk.backfill(file=LATE, offsets=ranges("a[0] 0..4"), model="another")
    held = resolve_window(desk.person(LATE), SlotName(1, 0), "redo", "looked")
    resolve_window(desk.person(LATE), held, "redo", "looked again")
    assert [item.destination.model for item in books(desk).sealed.values()] == ["another"] * 3


def test_a_file_of_a_slot_goes_once_more_to_the_model_of_its_backfill(desk: Desk) -> None:
    desk.imports.verdicts.append("failed")
    asked: dict[str, Any] = {"offsets": ranges("a[0] 0..4"), "model": "another"}
    assert desk.backfill(file=FILES, **asked).run.error == "ImportFailed"
    assert resolve_file(desk.person(FILES), SlotName(1, 0), "redeliver", "mended there") == 2
    assert desk.run(file=FILES).state == "done"
    assert [spec.model for spec, _ in desk.imports.jobs.values()] == ["another"]
    assert [key for _, key in desk.imports.imported] == [file_of(desk.person(FILES).ledger.sealed(2))]


def test_a_send_of_a_slot_without_a_known_outcome_waits_for_a_word_and_is_named(desk: Desk) -> None:
    hold = pipeline_file(start="latest", on_ambiguous="hold")
    report = desk.backfill(TAKES_AND_DROPS, file=hold, offsets=ranges("a[0] 0..4"))
    assert report.run.error == "DeliveryHeld"
    assert "--entry 1/0 --part 0" in report.run.message
    resolve_delivery(desk.person(hold), SlotName(1, 0), 0, "delivered", "looked")
    assert desk.backfill(file=hold, offsets=ranges("a[0] 0..4")).run.state == "done"
    assert len(desk.arrived) == 1
    assert desk.backfill(DROPS, file=LATE, offsets=ranges("a[0] 4..8")).run.state == "done"
    doubt = desk.person(LATE).deliveries.doubts()[0]
    assert (doubt.entry, doubt.slot, doubt.name) == (2, 0, SlotName(2, 0))


# ── the import path

FILES = pipeline_file(start="latest", path="object_store")


def test_each_slot_is_one_file_and_a_pending_one_is_settled_by_the_next_start(desk: Desk) -> None:
    desk.imports.is_looking = False
    report = desk.backfill(file=FILES, max_parallel=3)
    assert (report.run.state, [item.status for item in report.run.windows]) == ("done", ["pending"] * 4)
    desk.imports.is_looking = True
    again = desk.backfill(file=FILES)
    assert [item.is_settled for item in again.run.windows] == [True] * 4
    assert not desk.person(FILES).ledger.state.claims
    sealed = [file_of(entry) for entry in books(desk).sealed.values()]
    assert sorted(key for _, key in desk.imports.imported) == sorted(sealed)
    assert len(set(sealed)) == 4


def test_busy_times_pass(desk: Desk) -> None:
    assert desk.backfill(BUSY, BUSY, file=LATE).run.state == "done"
    assert arrived(desk) == EVERY


def test_a_prefix_is_full_by_its_files_whoever_placed_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.importing.generations.FILES_A_GENERATION", 3)
    assert desk.backfill(file=FILES).run.state == "done"
    assert [spec.prefix[-3:] for spec, _ in desk.imports.jobs.values()] == ["g1/", "g2/"]
    desk.kafka.produce(A0, *[GOOD] * 12)
    assert desk.run(file=FILES).state == "done"
    prefixes = [key.rpartition("/")[0][-2:] for _, key in desk.imports.imported]
    assert [prefixes.count(name) for name in ("g1", "g2", "g3")] == [3, 3, 1]


# ── what people see


def test_status_says_what_is_left_of_a_backfill_and_what_waits(desk: Desk) -> None:
    desk.backfill(REFUSES, file=LATE)
    found = status(desk.open(LATE))
    assert found["backfills"] == [
        {"claim": 1, "reason": "asked", "windows_left": 3, "offsets_left": 9, "slots_waiting": 1}
    ]
    assert [(item["entry"], item["next"]) for item in found["waiting"]] == [
        ("1/0", "fix what Arize names; the next start of the backfill sends it again")
    ]
    desk.backfill(file=LATE)
    assert (status(desk.open(LATE))["backfills"], status(desk.open(LATE))["waiting"]) == ([], [])


def test_files_of_slots_are_kept_as_long_as_the_file_says_once_they_are_delivered(desk: Desk) -> None:
    keeps = pipeline_file(start="latest", keep="{staged: 90d}")
    desk.backfill(REFUSES, file=keeps)
    desk.world.now_s += 91 * 86_400
    assert let_go(desk.person(keeps), is_trial=False) == []
    desk.backfill(file=keeps)
    assert len(let_go(desk.person(keeps), is_trial=False)) == 1, "the one that was staged long ago"


def test_a_plan_says_how_much_it_is_by_what_the_newest_windows_were(desk: Desk) -> None:
    assert described(run := desk.open(LATE), Backfill(run, Request(), reason="").plan(write=False))["bytes"] is None
    desk.kafka.produce(A0, *[GOOD] * 40)
    desk.run(file=LATE)
    found = described(run := desk.open(LATE), Backfill(run, Request(), reason="").plan(write=False))
    assert (found["offsets"], found["seconds"]) == (13, None)
    assert found["bytes"] > 0
    assert found["left_out"]["delivered"] == ["a[0] 10..50"]


def test_a_plan_says_what_kafka_may_delete_before_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def may_expire() -> int | None:
        run = desk.open(LATE)
        found: int | None = described(run, Backfill(run, Request(), reason="").plan(write=False))["may_expire"]
        return found

    assert may_expire() is None
    desk.kafka.keeps_s = 3600
    asked: list[int] = []

    def offsets_at(partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        asked.append(timestamp_ms)
        return {item: 6 if item == A0 else 0 for item in partitions}

    monkeypatch.setattr(desk.kafka, "offsets_at", offsets_at)
    assert may_expire() == 6
    assert asked == [int((desk.world.now_s - 3600) * 1000)]
