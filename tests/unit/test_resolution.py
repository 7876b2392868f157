"""A person's word: what each one leaves, when it is refused, and that it is never given for somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.errors import LedgerMoved, NothingToResolve, RealignNotPossible
from sluice.ingest import ingest
from sluice.ledger.deliveries import Intent, Outcome
from sluice.offsets import GroupOffset
from sluice.realignment import realign_to_group, realign_to_ledger
from sluice.resolution import readdress, resolve_delivery, resolve_window
from sluice.status import status
from tests import parts
from tests.desk import A0, Desk
from tests.parts import ACCEPTS, DROPS, FORBIDS, REFUSES, TAKES_AND_DROPS, pipeline_file

WHY = "tried"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    return Desk(tmp_path)


# ── a held window


@pytest.fixture
def held(desk: Desk) -> Desk:
    """Entry 2 is held: two of its three records were rejected, and its first offset had expired."""
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    desk.kafka.produce(A0, b"lost", b"bad 1", b"bad 1", b"good 2")
    desk.kafka.earliest[A0] = 2
    desk.kafka.epoch = 5
    assert desk.run().state == "held"
    desk.kafka.epoch = 6
    desk.arize.arrived.clear()
    return desk


def test_deliver_sends_the_good_rows_to_where_they_were_to_go(held: Desk) -> None:
    held.arize.space = "another"
    assert resolve_window(held.person(), 2, "deliver", WHY) == 3
    ended = held.derived()
    assert ended.destination.space == "space"
    assert (ended.origin, ended.purpose, ended.rows, ended.reason) == (2, "deliver", "staged", WHY)
    assert held.run().state == "done"
    assert held.arrived == [("2", [("a", 0, 4)])]


def test_a_run_behind_a_held_window_does_nothing(held: Desk) -> None:
    again = held.run()
    assert (again.state, again.windows, held.arrived) == ("held", (), [])


def test_drop_names_no_file_and_sends_nothing(held: Desk) -> None:
    resolve_window(held.person(), 2, "drop", WHY)
    ended = held.derived()
    assert (ended.staged, ended.parts, ended.rows) == (None, (), "none")
    assert held.run().state == "done"
    assert held.arrived == []


def test_redo_takes_the_same_records_with_what_kafka_said_of_them(held: Desk) -> None:
    mended = pipeline_file(model="mended")
    resolve_window(held.person(mended), 2, "redo", WHY)
    (taken,) = [item for item in held.derived().ranges if item.range.span]
    assert (str(taken.range), taken.leader_epoch) == ("a[0] 1..5", 5)
    assert (taken.balance["expired"], taken.balance["staged"], taken.balance["rejected"]) == (1, 3, 0)
    assert held.run(file=mended).state == "done"
    assert held.arrived == [("1", [("a", 0, 2), ("a", 0, 3)]), ("2", [("a", 0, 4)])]


def test_of_two_words_on_a_held_window_the_first_holds(held: Desk) -> None:
    slow = held.person()
    resolve_window(held.person(), 2, "deliver", WHY)
    with pytest.raises(LedgerMoved):
        resolve_window(slow, 2, "drop", WHY)
    with pytest.raises(NothingToResolve, match="is not held; held: none"):
        resolve_window(held.person(), 2, "drop", WHY)


# ── sends without a known outcome


def test_delivered_is_one_acceptance_however_many_sends_are_unknown(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(DROPS, DROPS, file=pipeline_file())
    assert desk.outcomes(1) == ["", ""]
    assert [item.delivery for item in desk.person().deliveries.doubts()] == [0], "the first that was not known"
    assert resolve_delivery(desk.person(), 1, 0, "delivered", WHY) == [0]
    assert desk.outcomes(1) == ["accepted", ""]
    (window,) = desk.run().windows
    assert [item.unknown for item in window.receipts] == [1]
    with pytest.raises(NothingToResolve, match="Entry 1 of flights waits for no send"):
        resolve_delivery(desk.person(), 1, 0, "resend", WHY)


def test_resend_releases_each_of_them(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(DROPS, DROPS)
    assert resolve_delivery(desk.person(), 1, 0, "resend", WHY) == [0, 1]
    assert desk.run().state == "done"
    assert desk.outcomes(1) == ["released", "released", "accepted"]


def test_no_word_is_given_on_a_send_that_may_be_under_way(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    name = desk.name(1)
    intent = Intent(entry_id=name.entry_id, run="another", duration_s=120, written_at="now")
    assert desk.person().deliveries.intend(name, 1, intent)
    desk.arize.space = "another"
    with pytest.raises(NothingToResolve, match="may be under way"):
        resolve_delivery(desk.person(), 1, 0, "delivered", WHY)
    with pytest.raises(NothingToResolve, match="may be under way"):
        readdress(desk.person(), 1, WHY)
    assert desk.outcomes(1) == ["refused", ""]


@pytest.mark.parametrize(("verdict", "theirs"), [("delivered", "released"), ("resend", "accepted")])
def test_a_word_that_comes_behind_another_one_is_not_given(desk: Desk, verdict: str, theirs: str) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(DROPS, file=pipeline_file(on_ambiguous="hold"))
    run = desk.person()
    name, known = desk.name(1), desk.known(1)
    ids = {"entry_id": name.entry_id, "intent": known[0].intent.id}
    word = Outcome(kind=theirs, **ids, by="person", written_at="now")  # type: ignore[arg-type]
    desk.person().deliveries.conclude(name, 0, word)
    run.deliveries.of = lambda *_: known  # type: ignore[method-assign]
    with pytest.raises(NothingToResolve, match="came first"):
        resolve_delivery(run, 1, 0, verdict, WHY)  # type: ignore[arg-type]
    assert desk.outcomes(1) == [theirs]


def test_there_is_no_word_on_what_is_known(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    with pytest.raises(NothingToResolve, match="no send without a known outcome"):
        resolve_delivery(desk.person(), 1, 0, "resend", WHY)
    desk.run()
    with pytest.raises(NothingToResolve, match="Entry 1 of flights waits for no send"):
        resolve_delivery(desk.person(), 1, 0, "resend", WHY)


# ── the rows of a part


@pytest.fixture
def refused(desk: Desk) -> Desk:
    """Of the two parts of entry 1 Arize took one, and refuses the other."""
    desk.kafka.produce(A0, b"good 1", b"good 2")
    desk.run(ACCEPTS, REFUSES)
    return desk


def test_drop_lets_go_of_one_part_and_the_entry_is_settled(refused: Desk) -> None:
    assert resolve_delivery(refused.person(), 1, 1, "drop", WHY) == [1]
    assert refused.outcomes(1, 1) == ["refused", "dropped"]
    (told,) = refused.run().windows
    assert (told.status, told.accepted, told.dropped, told.entry.balance.staged) == ("committed", 1, 1, 2)
    assert refused.arrived == [("1", [("a", 0, 0)])]
    assert refused.run().windows == ()


def test_delivered_settles_a_part_that_somebody_brought_to_arize_by_another_way(refused: Desk) -> None:
    assert resolve_delivery(refused.person(), 1, 1, "delivered", WHY) == [1]
    (told,) = refused.run().windows
    assert (told.status, told.accepted, told.dropped) == ("committed", 2, 0)
    assert len(refused.arrived) == 1


@pytest.mark.parametrize("verdict", ["delivered", "drop", "resend"])
def test_there_is_no_word_on_a_part_that_is_settled_or_is_not_there(refused: Desk, verdict: Any) -> None:
    with pytest.raises(NothingToResolve, match="entry 1 part 0: Arize has it already"):
        resolve_delivery(refused.person(), 1, 0, verdict, WHY)
    with pytest.raises(NothingToResolve, match="Entry 1 has no part 2; parts: 0 to 1"):
        resolve_delivery(refused.person(), 1, 2, verdict, WHY)
    with pytest.raises(NothingToResolve, match="Entry 9 of flights waits for no send"):
        resolve_delivery(refused.person(), 9, 0, verdict, WHY)


def test_rows_that_may_be_in_arize_are_not_dropped_before_a_word_on_that(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(TAKES_AND_DROPS, file=pipeline_file(on_ambiguous="hold"))
    with pytest.raises(NothingToResolve, match=r"First: sluice resolve FILE --entry 1 --part 0 delivered\|resend"):
        resolve_delivery(desk.person(), 1, 0, "drop", WHY)
    resolve_delivery(desk.person(), 1, 0, "resend", WHY)
    resolve_delivery(desk.person(), 1, 0, "drop", WHY)
    assert desk.run().state == "done"
    assert desk.outcomes(1) == ["released", "dropped"]


def test_what_a_person_says_arrived_is_not_told_as_sent_by_the_run_that_could_not_know(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")

    def a_person_speaks(*_: object) -> None:
        desk.world.now_s += 1000
        assert resolve_delivery(desk.person(), 1, 0, "delivered", WHY) == [0]

    desk.arize.on_send = a_person_speaks
    (window,) = desk.run(TAKES_AND_DROPS).windows
    assert [(item.delivery, item.sent) for item in window.receipts] == [(0, False)]


def test_behind_a_persons_word_a_run_may_send_again_what_another_one_left_unknown(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")

    def a_person_speaks() -> None:
        desk.world.now_s += 1000
        assert resolve_delivery(desk.person(), 1, 0, "resend", WHY) == [0, 1]

    def another_run_sends() -> None:
        other = desk.open()
        assert ingest(other, other.report(), parallel_windows=1).error == "DestinationUnavailable"

    meanwhile = iter([lambda: None, a_person_speaks, another_run_sends])
    desk.arize.on_send = lambda *_: next(meanwhile, lambda: None)()
    assert desk.run(*[DROPS] * 4).state == "done"
    assert desk.outcomes(1) == ["released", "released", "", "", "accepted"]


def test_a_part_that_arize_has_waits_for_no_word_on_its_other_sends(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 2")
    desk.run(DROPS, ACCEPTS, REFUSES)
    assert (desk.outcomes(1, 0), desk.outcomes(1, 1)) == (["", "accepted"], ["refused"])
    (waiting,) = status(desk.open(pipeline_file(on_ambiguous="hold")))["waiting"]
    assert waiting["next"] == "fix what Arize names; the next run sends it again"


# ── the space of what was refused


def test_only_what_arize_has_not_is_readdressed_and_may_be_again(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 2")
    spaces: list[str] = []
    desk.arize.on_send = lambda space, _: spaces.append(space)
    desk.run(ACCEPTS, FORBIDS)
    assert (desk.outcomes(1, 0), desk.outcomes(1, 1)) == (["accepted"], ["refused"])
    for space in ("another", "space"):
        desk.arize.space = space
        assert readdress(desk.person(), 1, WHY) == [1]
        with pytest.raises(NothingToResolve, match=f"goes to {space} already"):
            readdress(desk.person(), 1, WHY)
    assert desk.outcomes(1, 1) == ["refused", "released", "released"]
    assert desk.run().state == "done"
    assert spaces == ["space", "space", "space"]


def test_a_held_entry_is_not_readdressed(held: Desk) -> None:
    held.arize.space = "another"
    with pytest.raises(NothingToResolve, match="waits for no send"):
        readdress(held.person(), 2, WHY)


def test_what_may_be_in_arize_is_not_readdressed_before_a_word_on_that(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(TAKES_AND_DROPS, file=pipeline_file(on_ambiguous="hold"))
    desk.arize.space = "another"
    with pytest.raises(NothingToResolve, match=r"First: sluice resolve FILE --entry 1 --part 0 delivered\|resend"):
        readdress(desk.person(), 1, WHY)


# ── a group that was moved


@pytest.fixture
def moved(desk: Desk) -> Desk:
    """Four offsets are delivered, six are new, and somebody put the group to 7."""
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.run()
    desk.kafka.produce(A0, *[b"good 1"] * 6)
    move(desk, 7)
    return desk


def move(desk: Desk, offset: int) -> None:
    desk.kafka.group[A0] = GroupOffset(partition=A0, offset=offset, metadata="theirs")


def to_group(desk: Desk) -> list[str]:
    run = desk.person()
    return [str(item) for item in realign_to_group(run, run.outlook.look(write=False), WHY)]


@pytest.mark.parametrize("offset", [2, 7])
def test_a_moved_group_stops_a_run_and_is_left_where_it_is(moved: Desk, offset: int) -> None:
    move(moved, offset)
    assert moved.run().error == "GroupMoved"
    assert moved.kafka.group[A0] == GroupOffset(partition=A0, offset=offset, metadata="theirs")


def test_to_the_group_skips_ahead_and_marks_where_it_stands(moved: Desk) -> None:
    assert to_group(moved) == ["a[0] 4..7"]
    assert moved.kafka.group[A0].offset == 7
    assert moved.kafka.group[A0].metadata.startswith("sluice ")
    assert moved.run().state == "done"
    assert [places for _, places in moved.arrived][-1] == [("a", 0, 7), ("a", 0, 8), ("a", 0, 9)]


def test_a_group_where_there_is_nothing_to_skip_is_marked_and_no_entry_is_written(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    move(desk, 1)
    assert to_group(desk) == []
    assert len(desk.entries) == 2
    assert desk.kafka.group[A0].metadata.startswith("sluice ")


def test_to_the_ledger_sets_the_group_back(moved: Desk) -> None:
    run = moved.person()
    realign_to_ledger(run, run.outlook.look(write=False))
    assert moved.kafka.group[A0].offset == 4
    assert moved.run().state == "done"


@pytest.mark.parametrize("offset", [3, 11])
def test_the_ledger_goes_neither_back_nor_past_the_end(moved: Desk, offset: int) -> None:
    move(moved, offset)
    with pytest.raises(RealignNotPossible, match=r"outside 4\.\.10"):
        to_group(moved)


def test_nothing_is_skipped_over_what_waits(moved: Desk) -> None:
    move(moved, 4)
    moved.run(REFUSES)
    move(moved, 9)
    with pytest.raises(RealignNotPossible, match="Entries 2, 3 are not delivered yet"):
        to_group(moved)
