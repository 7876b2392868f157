"""Replay, run by run: what was delivered goes out once more, to where it is asked for, once, from what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flows.cli_replay import replay_text
from sluice.ledger import entries
from sluice.ledger.entries import Destination
from sluice.ledger.names import SlotName
from sluice.offsets import OffsetRange
from sluice.replay.report import ReplayReport
from sluice.replay.request import Request
from sluice.resolution import readdress, resolve_delivery, resolve_window
from sluice.sweep import let_go
from tests import parts
from tests.desk import A0, A1, Desk
from tests.imports import file_of
from tests.parts import BUSY, FORBIDS, REFUSES, TAKES_AND_DROPS, pipeline_file

GOOD = b"good 1"
KEEPS = pipeline_file(keep="{staged: 30d}")
FILES = pipeline_file(path="object_store")
DAY_S = 86_400
FIRST = [("1", [("a", 0, 0), ("a", 0, 1), ("a", 0, 3)]), ("2", [("a", 0, 2)])]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Entry 1: four rows of a[0], three of version 1 and one of version 2. Entry 2: one row of version 1."""
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, GOOD, GOOD, b"good 2", GOOD, GOOD)
    assert desk.run().state == "done"
    desk.arize.arrived.clear()
    return desk


def refusal(report: ReplayReport) -> tuple[str, str]:
    (problem,) = report.problems
    return type(problem).__name__, str(problem)


def entries_of(report: ReplayReport) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """By what was named: what takes it out now, and what did before."""
    return [(item.entries, item.before) for item in report.items]


# ── what goes, and where to


def test_rows_that_were_delivered_go_to_another_model_and_no_position_or_group_moves(desk: Desk) -> None:
    before, group = desk.person().ledger.state, dict(desk.kafka.group)
    report = desk.replay(entries=[1], model="another")
    assert (report.run.state, report.run.rows_accepted, entries_of(report)) == ("done", 4, [((3,), ())])
    assert desk.arrived == FIRST
    entry, origin = desk.derived(), desk.entries[1]
    assert isinstance(origin, entries.Window)
    assert (entry.purpose, entry.rows, entry.origin, entry.reason) == ("replay", "staged", 1, "asked")
    assert (entry.destination.model, entry.parts, entry.ranges) == ("another", origin.parts, origin.ranges)
    assert entry.staged is not None
    assert origin.staged is not None
    assert (entry.staged.content, entry.staged.sha256) == (origin.staged.content, origin.staged.sha256)
    after = desk.person().ledger.state
    assert (after.positions, after.open, after.covered, desk.kafka.group) == (
        before.positions,
        {},
        before.covered,
        group,
    )
    assert desk.run().windows == ()


def test_another_version_is_that_of_all_rows_and_of_one_part(desk: Desk) -> None:
    report = desk.replay(entries=[1], version="9")
    assert (report.run.state, report.items[0].twice) == ("done", 0)
    assert desk.arrived == [("9", [("a", 0, offset) for offset in range(4)])]
    assert [(part.version, part.rows) for part in desk.derived().parts] == [("9", 4)]
    assert desk.derived().version == "9"


@pytest.mark.parametrize("source", ["staged", "kafka"])
def test_the_content_hash_of_what_goes_is_told_beside_that_of_then_whatever_version_all_rows_are_given(
    desk: Desk, source: str
) -> None:
    def hashes(**asked: Any) -> tuple[str, str]:
        (item,) = desk.replay(entries=[1], source=source, **asked).items
        return item.content_then, item.content_now

    (then, now), versioned = hashes(model="another"), hashes(version="9")
    assert then == now != ""
    assert versioned == (then, now)
    assert (hashes(model="another"), hashes(version="9")) == ((then, now), (then, "")), "of what went out before"


def test_several_entries_are_each_an_entry_of_their_own_and_one_that_cannot_go_keeps_no_other(desk: Desk) -> None:
    report = desk.replay(entries=[2, 7, 1, 2], model="another")
    assert [item.name for item in report.items] == [2, 7, 1]
    assert (report.run.state, report.run.error, report.run.exit_code) == ("failed", "NothingToReplay", 2)
    assert entries_of(report) == [((3,), ()), ((), ()), ((4,), ())]
    assert len(desk.arrived) == 3


def test_what_fails_again_and_again_is_given_up(desk: Desk) -> None:
    report = desk.replay(entries=list(range(50, 90)))
    assert (len(report.items), report.run.state) == (20, "failed")


def test_an_entry_without_a_row_is_nothing_and_no_failure(desk: Desk) -> None:
    desk.kafka.produce(A0, parts.MARKER)
    desk.run()
    report = desk.replay(entries=[3], model="another")
    assert (report.run.state, report.items[0].rows, entries_of(report)) == ("done", 0, [((), ())])


# ── what Arize would count twice


@pytest.mark.parametrize("asked", [{}, {"path": "object_store"}, {"source": "kafka"}])
def test_rows_go_to_where_they_were_only_when_a_person_lets_arize_count_them_twice(
    desk: Desk, asked: dict[str, Any]
) -> None:
    before = dict(desk.store.objects)
    report = desk.replay(entries=[1], **asked)
    name, said = refusal(report)
    assert (name, report.run.exit_code, desk.store.objects) == ("CountsTwice", 2, before)
    assert "Arize has 4 of the 4 rows of entry 1 in the model delay already" in said
    assert desk.look(entries=[1], **asked).items[0].twice == 4


def test_the_same_reason_takes_them_there_once_and_another_reason_once_more(desk: Desk) -> None:
    for _ in range(2):
        assert desk.replay(entries=[1], count_twice=True, reason="lost in Arize").run.state == "done"
    assert len(desk.arrived) == 2
    again = desk.replay(entries=[1], count_twice=True, reason="lost once more")
    assert entries_of(again) == [((4,), ())]
    assert len(desk.arrived) == 4
    assert refusal(desk.replay(entries=[1]))[0] == "CountsTwice"


def test_of_another_version_only_the_rows_that_had_it_already_count_twice(desk: Desk) -> None:
    assert [desk.look(entries=[1], version=version).items[0].twice for version in ("1", "2", "3")] == [3, 1, 0]
    assert refusal(desk.replay(entries=[1], version="2"))[0] == "CountsTwice"
    assert desk.replay(entries=[1], model="another", version="2").run.state == "done"
    assert desk.look(entries=[1], model="another").items[0].twice == 1
    assert desk.look(entries=[1], model="another", version="1").items[0].twice == 0


def test_another_way_to_a_model_that_a_replay_went_to_counts_twice(desk: Desk) -> None:
    desk.replay(entries=[1], model="another")
    assert entries_of(desk.replay(entries=[1], model="another", path="object_store")) == [((), (3,))]
    desk.replay(entries=[2], model="another", count_twice=True, reason="why not")
    assert refusal(desk.replay(entries=[2], model="another"))[0] == "CountsTwice"


def test_another_space_by_todays_settings_is_another_place(desk: Desk) -> None:
    desk.arize.space = "another"
    assert desk.replay(entries=[1]).run.state == "done"
    assert desk.derived().destination.space == "another"
    desk.arize.space = "space"
    assert desk.look(entries=[1]).items[0].twice == 4


def test_rows_that_a_person_sent_to_another_space_were_there_and_not_where_the_entry_says(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(FORBIDS)
    desk.arize.space = "another"
    readdress(desk.person(), 3, "the space was wrong")
    assert desk.run().state == "done"
    assert desk.look(entries=[3]).items[0].twice == 1
    desk.arize.space = "space"
    assert desk.look(entries=[3]).items[0].twice == 0


# ── once


def test_a_second_start_finds_what_the_first_brought_out(desk: Desk) -> None:
    desk.replay(entries=[1], model="another")
    again = desk.replay(entries=[1], model="another", source="kafka", reason="another reason")
    assert (again.run.state, again.run.windows, entries_of(again)) == ("done", (), [((), (3,))])
    assert entries_of(desk.look(entries=[1], model="another")) == [((), (3,))]
    assert len(desk.arrived) == 2


def test_a_checkpoint_remembers_what_went_where(desk: Desk) -> None:
    desk.replay(entries=[1], model="another")
    desk.person().ledger.write_checkpoint()
    desk.replay(entries=[2], model="another")
    assert entries_of(desk.replay(entries=[1, 2], model="another")) == [((), (3,)), ((), (4,))]
    assert len(desk.arrived) == 3


def test_the_next_start_finishes_what_a_failed_one_sealed(desk: Desk) -> None:
    failed = desk.replay(REFUSES, entries=[1], model="another")
    assert (failed.run.state, failed.run.error, entries_of(failed)) == ("failed", "DeliveryRefused", [((3,), ())])
    again = desk.replay(entries=[1], model="another")
    assert (again.run.state, entries_of(again), again.run.windows[0].sealed_here) == ("done", [((3,), ())], False)
    assert desk.arrived == FIRST


def test_a_run_finishes_it_too_behind_what_is_new_and_is_held_up_by_nothing(desk: Desk) -> None:
    desk.replay(REFUSES, entries=[1], model="another")
    desk.kafka.produce(A0, GOOD)
    report = desk.run(parts.ACCEPTS, REFUSES)
    assert (report.state, report.error, [item.number for item in report.windows]) == (
        "failed",
        "DeliveryRefused",
        [4, 3],
    )
    assert desk.kafka.group[A0].offset == 6
    assert desk.run().state == "done"
    assert sorted(desk.arrived) == sorted([("1", [("a", 0, 5)]), *FIRST])


def test_a_run_finishes_each_of_them_although_another_fails_and_nothing_new_can_be_planned(desk: Desk) -> None:
    desk.replay(REFUSES, REFUSES, entries=[2, 1], model="another")
    desk.kafka.produce(A1, b"bad", b"bad")
    assert desk.run(file=pipeline_file(share="0%")).error == "WindowHeld"
    assert desk.run(REFUSES, file=pipeline_file(share="0%")).error == "WindowHeld"
    assert desk.arrived == FIRST


def test_a_replay_that_a_person_let_go_of_goes_only_by_another_entry(desk: Desk) -> None:
    desk.replay(REFUSES, entries=[2], model="another")
    resolve_delivery(desk.person(), 3, 0, "drop", "the model is of another type")
    name, said = refusal(desk.replay(entries=[2], model="another"))
    assert (name, "a person let go of them" in said) == ("NothingToReplay", True)
    again = desk.replay(entries=[2], model="another", count_twice=True, reason="the model is mended")
    assert (again.run.state, again.items[0].twice, entries_of(again)) == ("done", 0, [((4,), ())])


def test_a_send_without_a_known_outcome_waits_for_a_word_as_any_other(desk: Desk) -> None:
    report = desk.replay(TAKES_AND_DROPS, file=pipeline_file(on_ambiguous="hold"), entries=[2], model="another")
    assert (report.run.state, report.run.error) == ("held", "DeliveryHeld")
    resolve_delivery(desk.person(), 3, 0, "delivered", "looked")
    assert entries_of(desk.replay(entries=[2], model="another")) == [((), (3,))]


def test_busy_times_pass(desk: Desk) -> None:
    assert desk.replay(BUSY, BUSY, entries=[1], model="another").run.state == "done"
    assert desk.arrived == FIRST


# ── what does not go


def test_what_was_not_delivered_is_left_to_the_run_that_finishes_it(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(REFUSES)
    name, said = refusal(desk.replay(entries=[3], model="another"))
    assert (name, "Entry 3 is not delivered yet (part 0). First: sluice run FILE" in said) == ("NothingToReplay", True)


def test_what_a_person_let_go_of_was_never_delivered(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, b"good 2")
    desk.run(parts.ACCEPTS, REFUSES)
    resolve_delivery(desk.person(), 3, 1, "drop", "test events")
    assert "let go of the rows of part 1" in refusal(desk.replay(entries=[3], model="another"))[1]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (0, "Entry 0 delivered nothing: it is a genesis"),
        (9, "There is no entry 9; the ledger's last one is 2"),
        ("2/0", "There is no entry 2/0"),
    ],
)
def test_what_is_no_entry_with_rows_is_named_so(desk: Desk, name: int | str, says: str) -> None:
    assert says in refusal(desk.replay(entries=[name], model="another"))[1]
    assert says in refusal(desk.look(entries=[name], model="another"))[1]


def test_a_replay_is_not_replayed_but_its_origin(desk: Desk) -> None:
    desk.replay(entries=[1], model="another")
    assert "Name that one: 1" in refusal(desk.replay(entries=[3], model="a third"))[1]


@pytest.fixture
def held(desk: Desk) -> Desk:
    """Entry 3 is held."""
    desk.kafka.produce(A0, b"bad 1", b"bad 1", GOOD)
    assert desk.run().state == "held"
    return desk


def test_a_held_entry_is_left_to_a_persons_word_and_then_named_by_what_ended_it(held: Desk) -> None:
    assert "Entry 3 is held" in refusal(held.replay(entries=[3], model="another"))[1]
    resolve_window(held.person(), 3, "deliver", "looked")
    held.run()
    assert "Name the entry that ended it: 4" in refusal(held.replay(entries=[3], model="another"))[1]
    assert held.replay(entries=[4], model="another").run.state == "done"
    assert held.arrived[-1] == ("1", [("a", 0, 7)])
    assert held.replay(entries=[4], model="a third", source="kafka").run.state == "done"


def test_rows_that_were_taken_again_are_made_again_by_the_file_that_took_them(held: Desk) -> None:
    mended = pipeline_file(model="mended")
    resolve_window(held.person(mended), 3, "redo", "mended")
    held.run(file=mended)
    report = held.replay(entries=[4], model="another", source="kafka")
    assert (report.run.state, report.run.rows_accepted, report.items[0].unlike) == ("done", 3, None)


def test_a_dropped_entry_has_nothing_to_replay(held: Desk) -> None:
    resolve_window(held.person(), 3, "drop", "test events")
    assert "ended it: 4" in refusal(held.replay(entries=[3], model="another"))[1]
    assert "nothing was delivered" in refusal(held.replay(entries=[4], model="another"))[1]


def test_rows_of_another_type_of_model_do_not_go(desk: Desk) -> None:
    resolve = desk.arize.resolve

    def another(pipeline: Any) -> Destination:
        return resolve(pipeline).model_copy(update={"type": "regression"})

    desk.arize.resolve = another  # type: ignore[method-assign]
    said = refusal(desk.look(entries=[1], model="another"))[1]
    assert "are of a binary_classification, the pipeline's model is a regression" in said


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"entries": []}, "No entry is named"),
        ({"entries": [1], "version": "$path"}, "is no version"),
        ({"entries": [1], "model": " "}, "is no model"),
        ({"entries": [1], "what": "rejected", "model": "another"}, "Leave out model"),
        ({"entries": [1], "what": "rejected", "source": "kafka"}, "Leave out model"),
        ({"entries": [1], "what": "rejected", "count_twice": True}, "Leave out model"),
    ],
)
def test_what_cannot_be_asked_for_is_said_first(desk: Desk, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(Exception, match=says.replace("$", r"\$")):
        desk.replay(**asked)


def test_a_look_needs_no_reason_and_a_replay_does(desk: Desk) -> None:
    before = dict(desk.store.objects)
    assert desk.look(entries=[1], model="another", reason="").run.state == "done"
    report = desk.replay(entries=[1], model="another", reason=" ")
    assert (report.run.error, report.run.exit_code, desk.store.objects) == ("WrongUse", 2, before)


# ── slots of claims


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A backfill, claim 1, to another model: slot 0 is held, slot 1 delivered."""
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, b"bad", b"bad", b"bad", GOOD, GOOD, b"good 2")
    desk.run(file=pipeline_file(start="latest"))
    desk.backfill(file=pipeline_file(start="latest"), stop_at_failure=False)
    return desk


def test_a_slot_is_named_by_its_claim(late: Desk) -> None:
    assert "Name 1/0 to 1/1" in refusal(late.replay(entries=[1], model="another"))[1]
    assert "Entry 1/0 is held" in refusal(late.replay(entries=["1/0"], model="another"))[1]
    report = late.replay(entries=["1/1"], model="another", source="kafka")
    assert (report.run.state, report.items[0].name, report.items[0].unlike) == ("done", SlotName(1, 1), None)
    entry = late.derived()
    assert (entry.origin, entry.slot, entry.origin_name) == (1, 1, SlotName(1, 1))
    late.person().ledger.write_checkpoint()
    assert entries_of(late.replay(entries=["1/1"], model="another")) == [((), (2,))]


def test_a_slot_that_waits_is_left_to_its_backfill(desk: Desk) -> None:
    late = pipeline_file(start="latest")
    desk.kafka.produce(A1, GOOD)
    desk.backfill(REFUSES, file=late, again="once more", offsets=(OffsetRange(A0, 0, 2),))
    assert "start its backfill again" in refusal(desk.replay(entries=["3/0"], model="another"))[1]


# ── from where


def test_rows_come_from_kafka_where_the_staged_file_is_gone(desk: Desk) -> None:
    desk.world.now_s += 40 * DAY_S
    assert let_go(desk.person(KEEPS), is_trial=False)
    assert [item.source for item in desk.look(entries=[1, 2], model="another").items] == ["kafka", "kafka"]
    gone = desk.replay(entries=[1], model="another", source="staged")
    assert (gone.run.error, desk.look(entries=[1], source="staged").run.error) == ("StagedFileDamaged",) * 2
    report = desk.replay(entries=[1], model="another")
    assert (report.run.state, report.items[0].source, report.items[0].unlike) == ("done", "kafka", None)
    assert desk.arrived == FIRST


def test_a_window_is_read_again_in_as_many_pieces_as_it_takes(desk: Desk) -> None:
    desk.kafka.most = 1
    report = desk.replay(entries=[1], model="another", source="kafka")
    assert (report.run.state, report.items[0].unlike) == ("done", None)
    assert desk.derived().ranges == desk.last().ranges
    assert desk.arrived == FIRST


def test_what_kafka_deleted_since_is_said_before_anything_is_written(desk: Desk) -> None:
    desk.kafka.earliest[A0] = 2
    before = dict(desk.store.objects)
    report = desk.replay(entries=[1], model="another", source="kafka")
    assert (report.run.error, desk.look(entries=[1], model="another", source="kafka").run.error) == (
        *("OffsetsExpired", "OffsetsExpired"),
    )
    assert "a[0] 0..2: Kafka has deleted of this" in report.run.message
    assert desk.store.objects == before
    assert desk.replay(entries=[1], model="another").items[0].source == "staged"


def test_what_had_expired_before_it_was_read_is_missed_by_nobody(desk: Desk) -> None:
    desk.kafka.produce(A1, GOOD, GOOD, GOOD)
    desk.kafka.earliest[A1] = 2
    desk.run()
    assert desk.last().balance.expired == 2
    assert desk.replay(entries=[3], model="another", source="kafka").items[0].unlike is None
    desk.kafka.earliest[A1] = 3
    assert desk.replay(entries=[3], model="a third", source="kafka").run.error == "OffsetsExpired"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda kafka: kafka.ids.update(a="made anew"), "TopicRecreated"),
        (lambda kafka: kafka.logs[A0].pop(), "EndBelowPosition"),
        (lambda kafka: kafka.logs.pop(A0), "TopicRecreated"),
    ],
)
def test_another_topic_of_the_same_name_is_not_read(desk: Desk, change: Any, error: str) -> None:
    change(desk.kafka)
    assert desk.replay(entries=[2], model="another", source="kafka").run.error == error


def test_a_clock_that_went_on_judges_no_event_otherwise(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks: list[float] = []

    def map_by_clock(*arguments: Any, now_s: float) -> Any:
        clocks.append(now_s)
        return parts.map_simply(*arguments, now_s=now_s)

    monkeypatch.setattr("sluice.windows.map_window", map_by_clock)
    desk.world.now_s += 0.75
    desk.kafka.produce(A0, GOOD)
    desk.run()
    desk.world.now_s += 3000 * DAY_S
    desk.replay(entries=[3], model="another", source="kafka")
    assert len(clocks) >= 2
    assert len(set(clocks)) == 1


def test_the_file_of_then_maps_the_records_whatever_the_file_of_today_says(desk: Desk) -> None:
    desk.kafka.produce(A0, b"bad 1", GOOD, GOOD, GOOD)
    desk.run(file=pipeline_file(share="100%"))
    report = desk.replay(entries=[3], file=pipeline_file(model="mended"), source="kafka")
    assert (report.run.state, report.items[0].unlike, report.run.rows_accepted) == ("done", None, 3)
    assert desk.derived().pipeline_sha256 == desk.last().pipeline_sha256


def test_a_file_of_then_that_is_gone_or_was_changed_is_said(desk: Desk) -> None:
    (key,) = [key for key in desk.store.objects if "/files/" in key]
    mended = pipeline_file(model="mended")
    desk.store.objects[key] += b"# changed"
    changed = desk.replay(entries=[1], file=mended, source="kafka").run
    del desk.store.objects[key]
    gone = desk.replay(entries=[1], file=mended, source="kafka").run
    assert (changed.error, gone.error) == ("LedgerDamaged", "LedgerDamaged")
    assert "is missing" in gone.message


# ── differences


@pytest.fixture
def changed(desk: Desk) -> Desk:
    """Kafka has other records now at offsets 1, 2 and 3 than entry 1 was made of."""
    desk.kafka.logs[A0][1:4] = [None, b"good 3", parts.MARKER]
    return desk


def test_rows_that_differ_are_counted_and_not_delivered(changed: Desk) -> None:
    before = dict(changed.store.objects)
    name, said = refusal(changed.replay(entries=[1], model="another", source="kafka"))
    assert name == "ReplayDiffers"
    assert "2 rows only then, 0 only now, 1 changed in version (1); the first at a[0] 1, a[0] 2, a[0] 3" in said
    assert changed.store.objects == before


def test_rows_that_differ_are_delivered_when_a_person_says_so_with_the_balance_of_now(changed: Desk) -> None:
    report = changed.replay(entries=[1], model="another", source="kafka", take_differences=True)
    assert (report.run.state, report.run.rows_accepted) == ("done", 2)
    assert report.items[0].unlike == {
        "only_before": 2, "only_now": 0, "changed": 1, "columns": {"version": 1},
        "places": ["a[0] 1", "a[0] 2", "a[0] 3"],
    }  # fmt: skip
    balance = changed.derived().balance
    assert (balance.staged, balance.tombstones, balance.invisible, balance.total) == (2, 1, 1, 4)
    assert changed.arrived == [("1", [("a", 0, 0)]), ("3", [("a", 0, 2)])]


def test_without_the_staged_file_only_the_balances_are_compared(changed: Desk) -> None:
    changed.world.now_s += 40 * DAY_S
    let_go(changed.person(KEEPS), is_trial=False)
    _, said = refusal(changed.replay(entries=[1], model="another"))
    assert "the staged file is gone; 4 = 4 staged then, 4 = 2 staged + 1 tombstones + 1 invisible now" in said
    report = changed.replay(entries=[1], model="another", take_differences=True)
    assert (report.run.state, report.items[0].unlike is not None) == ("done", True)


def test_nothing_is_delivered_where_kafka_gives_no_row_any_more(desk: Desk) -> None:
    desk.kafka.logs[A0][4] = None
    report = desk.replay(entries=[2], model="another", source="kafka", take_differences=True)
    assert report.run.error == "NothingToReplay"


# ── a dry run


def test_a_dry_run_says_what_would_go_and_from_where_and_writes_nothing(desk: Desk) -> None:
    before, origin = dict(desk.store.objects), desk.entries[1]
    assert isinstance(origin, entries.Window)
    assert origin.staged is not None
    report = desk.look(entries=[1, 2, 9], model="another", version="7")
    assert report.items[0].as_dict() == {
        "entry": 1, "ranges": "a[0] 0..4", "rows": 4, "space": "space", "model": "another", "path": "sdk",
        "version": "7", "source": "staged", "counted_twice": 0, "goes_out_as": [], "went_out_as": [],
        "content_then": origin.staged.content, "content_now": None, "differences": None, "rejected": None,
        "problem": None,
    }  # fmt: skip
    assert (report.run.state, report.run.exit_code, report.is_trial) == ("failed", 2, True)
    assert (desk.store.objects, desk.arrived) == (before, [])


def test_the_command_tells_people_what_would_go_and_what_went(desk: Desk) -> None:
    trial = replay_text(desk.look(entries=[1, 9], model="another", version="2").as_dict())
    assert "flights: failed, 2 entries named" in trial
    assert "entry 1: 4 rows to the model another, version 2, by sdk, from the staged file" in trial
    assert "entry 9: NothingToReplay: There is no entry 9" in trial
    assert trial.endswith("Nothing was written. To do it: --run")
    twice = replay_text(desk.look(entries=[1]).as_dict())
    assert "entry 1: Arize has 4 of these rows there, and would count them twice: only with --count-twice" in twice
    failed = replay_text(desk.replay(REFUSES, entries=[2], model="another").as_dict())
    assert "entry 2: goes out as entry 3\nentry 2: DeliveryRefused: entry 3 part 0: bad column" in failed
    done = replay_text(desk.replay(entries=[2], model="another").as_dict())
    assert done.endswith("entry    3  1 = 1 staged → 1 accepted, delivered")
    assert "entry 2: went out before, as entry 3" in replay_text(desk.replay(entries=[2], model="another").as_dict())


def test_a_target_is_the_same_for_the_same_place_whatever_the_way() -> None:
    def target(to: Destination, **asked: Any) -> str:
        return Request(entries=(1,), **asked).target(to)

    to = parts.destination()
    same = [to, to.model_copy(update={"path": "object_store", "connection": "another", "key": "s3://b/k"})]
    assert len({target(item, reason=reason) for item in same for reason in ("one", "two")}) == 1
    others = [target(to.in_space("another")), target(parts.destination("another")), target(to, version="1")]
    others += [target(to, count_twice=True, reason=reason) for reason in ("one", " one", "two")]
    assert len({target(to), *others}) == 6


# ── sweeping


def test_a_sweep_takes_what_a_dead_replay_left_when_its_number_is_another_entrys(desk: Desk) -> None:
    process = desk.world.start("dies", lambda: desk.replay(entries=[1], version="9"))
    while "entries/000000000003.json" not in process.threads[0].at:
        process.move()
    process.kill()
    left = [key for key in desk.store.objects if key.startswith("staged/flights/000000000003-")]
    assert len(left) == 1
    assert let_go(desk.person(), is_trial=False) == []
    desk.kafka.produce(A0, GOOD)
    desk.run()
    assert let_go(desk.person(), is_trial=False) == left
    assert desk.replay(entries=[1], version="9").run.state == "done"


@pytest.mark.parametrize(
    "at", ["put staged/flights/000000000003", "put ledger/flights/entries/000000000003.json", "send"]
)
def test_a_sweep_beside_a_replay_takes_nothing_of_it(desk: Desk, at: str) -> None:
    process = desk.world.start("replay", lambda: desk.replay(entries=[1], version="9"))
    while at not in process.threads[0].at:
        process.move()
    sweeper = desk.world.start("sweep", lambda: let_go(desk.person(KEEPS), is_trial=False))
    desk.world.now_s += 40 * DAY_S
    sweeper.finish()
    process.finish()
    assert isinstance(process.result, ReplayReport)
    assert process.result.run.state == "done"
    entry = desk.derived()
    assert entry.staged is not None
    assert entry.staged.key in desk.store.objects


# ── the import path


def test_rows_go_as_a_file_by_another_model_and_two_models_leave_no_prefix_behind(desk: Desk) -> None:
    for number in range(2):
        desk.kafka.produce(A0, GOOD)
        assert desk.run(file=FILES).state == "done"
        assert desk.replay(file=FILES, entries=[1 + number], model="another").run.state == "done"
    generations = [file_of(entry).split("/")[3] for entry in _files(desk)]
    assert generations == ["g1", "g2", "g1", "g2"]
    assert len(desk.imports.jobs) == 2
    assert sorted(key for _, key in desk.imports.imported) == sorted(map(file_of, _files(desk)))


def test_a_prefix_that_a_person_left_is_not_taken_up_again_where_the_next_ones_job_is_gone(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILES)
    desk.person(FILES).outbound.importing.begin_next()
    for job in list(desk.imports.jobs)[1:]:
        desk.imports.delete(job)
    desk.kafka.produce(A0, GOOD)
    assert desk.run(file=FILES).state == "done"
    assert [file_of(entry).split("/")[3] for entry in _files(desk)] == ["g1", "g3"]


def test_a_file_that_arize_did_not_take_fails_and_holds_up_no_run(desk: Desk) -> None:
    desk.imports.verdicts.append("failed")
    report = desk.replay(file=FILES, entries=[1], model="another")
    assert (report.run.state, report.run.error) == ("failed", "ImportFailed")
    desk.kafka.produce(A0, GOOD)
    run = desk.run(file=FILES)
    assert (run.error, [item.status for item in run.windows if item.number == 4]) == ("ImportFailed", ["committed"])


def test_versions_in_files_count_twice_where_they_are_the_same(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, b"good 2")
    desk.run(file=FILES)
    assert [desk.look(FILES, entries=[3], version=version).items[0].twice for version in ("1", "3")] == [1, 0]
    desk.world.now_s += 40 * DAY_S
    let_go(desk.person(KEEPS), is_trial=False)
    assert desk.look(FILES, entries=[3], version="3").items[0].twice == 2, "nobody can tell any more"


def test_by_sdk_what_went_as_a_file_has_a_part_for_each_version(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, b"good 2")
    desk.run(file=FILES)
    assert desk.replay(file=FILES, entries=[3], model="another", path="sdk").run.state == "done"
    assert [(part.version, part.rows) for part in desk.derived().parts] == [("1", 1), ("2", 1)]


def _files(desk: Desk) -> Sequence[entries.Sealed]:
    return [entry for entry in desk.entries if isinstance(entry, entries.Sealed) and entry.destination.key]
