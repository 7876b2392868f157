"""Actuals, run by run: what says the same is sent once; what says otherwise is sent, held or rejected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sluice.offsets import Partition
from sluice.rejections import rejections
from sluice.resolution import resolve_delivery, resolve_window
from tests.arrivals import Pair, arrivals_file, event
from tests.audits import audited, told
from tests.desk import Desk
from tests.parts import MARKER, REFUSES

A0, A1 = Partition("arrivals", 0), Partition("arrivals", 1)
FILE = arrivals_file()
DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Of arrivals; whatever a test does there, an audit finds nothing lost, doubled or damaged behind it."""
    desk = Pair(tmp_path).arrivals
    yield desk
    assert told(audited(desk, FILE, full=True, deep=True)) == []


def policies(**changed: Any) -> Any:
    return arrivals_file(policies=changed)


def run(desk: Desk, *values: bytes | None, file: Any = FILE, at: Partition = A0) -> Any:
    desk.kafka.produce(at, *values)
    return desk.run(file=file)


def balance(report: Any) -> dict[str, int]:
    return {name: count for name, count in report.balance.as_dict().items() if count}


def sent(desk: Desk) -> list[int]:
    """The offsets of a[0] that were sent, in their order."""
    return [offset for _, places in desk.arrived for _, number, offset in places if number == 0]


# ── what says the same


def test_an_actual_that_says_what_an_earlier_one_said_is_counted_and_not_sent(desk: Desk) -> None:
    first = run(desk, event(1), event(2), event(1))
    assert balance(first) == {"staged": 2, "repeated": 1}
    again = run(desk, event(2), event(3))
    assert balance(again) == {"staged": 1, "repeated": 1}
    assert (sent(desk), desk.kafka.group[A0].offset) == ([0, 1, 4], 5)
    assert again.rows_accepted == 1


def test_a_window_of_which_all_is_repeated_sends_nothing_and_is_done(desk: Desk) -> None:
    run(desk, event(1), event(2))
    report = run(desk, event(2), event(1))
    assert (report.state, balance(report), report.windows[0].is_settled) == ("done", {"repeated": 2}, True)
    assert (sent(desk), desk.kafka.group[A0].offset) == ([0, 1], 4)


def test_time_and_place_say_nothing(desk: Desk) -> None:
    run(desk, event(1))
    assert balance(run(desk, event(1, at_s=1_699_999_000), at=A1)) == {"repeated": 1}


def test_a_tag_says_something(desk: Desk) -> None:
    run(desk, event(1))
    assert balance(run(desk, event(1, gate="B2"))) == {"staged": 1}


def test_what_was_said_before_the_look_back_is_sent_again(desk: Desk) -> None:
    week = policies(join_window_days=7)
    run(desk, event(1), file=week)
    desk.world.now_s += 6 * DAY_S
    assert balance(run(desk, event(1), file=week)) == {"repeated": 1}
    desk.world.now_s += 2 * DAY_S
    assert balance(run(desk, event(1), file=week)) == {"staged": 1}


def test_what_is_sealed_and_not_delivered_yet_is_not_sealed_again(desk: Desk) -> None:
    desk.kafka.produce(A0, event(1))
    assert desk.run(REFUSES, file=FILE).state == "failed"
    assert balance(run(desk, event(1))) == {"staged": 1, "repeated": 1}
    assert sent(desk) == [0]


def test_what_a_person_let_go_of_may_be_said_again(desk: Desk) -> None:
    desk.kafka.produce(A0, event(1))
    desk.run(REFUSES, file=FILE)
    resolve_delivery(desk.person(FILE), 1, 0, "drop", "not wanted")
    assert run(desk, event(1)).state == "done"
    assert sent(desk) == [1]


# ── what says otherwise


def test_a_correction_is_sent_and_what_takes_it_back_is_another(desk: Desk) -> None:
    assert balance(run(desk, event(1), event(1, "on time"), event(1))) == {"staged": 3}
    assert balance(run(desk, event(1), event(1, "on time"))) == {"staged": 1, "repeated": 1}


def test_a_correction_is_rejected_where_the_file_says_so_and_is_kept_raw(desk: Desk) -> None:
    file = policies(corrections="reject")
    assert balance(run(desk, event(1), event(1, "on time"), file=file)) == {"staged": 1, "rejected": 1}
    report = run(desk, event(1, "on time"), event(1), event(2), file=file)
    assert balance(report) == {"staged": 1, "rejected": 1, "repeated": 1}
    assert sent(desk) == [0, 4]
    told = rejections(desk.person(file), 2)
    assert "says otherwise" in str(told["records"])
    assert "on time" not in str(told)
    mended = desk.replay(file=FILE, entries=[2], what="rejected")
    assert (mended.run.state, mended.run.rows_accepted) == ("done", 1)


def test_a_correction_holds_its_window_where_the_file_says_so_until_a_person_has_looked(desk: Desk) -> None:
    file = policies(corrections="hold")
    run(desk, event(1), event(2), file=file)
    report = run(desk, event(1, "on time"), event(2), event(3), file=file)
    assert (report.state, "corrections is hold" in report.message) == ("held", True)
    resolve_window(desk.person(file), 2, "deliver", "looked")
    assert desk.run(file=file).state == "done"
    assert sent(desk) == [0, 1, 2, 4]


def test_a_held_window_taken_again_by_another_policy_decides_anew(desk: Desk) -> None:
    run(desk, event(1), event(2))
    run(desk, event(1, "on time"), event(2), file=policies(corrections="hold"))
    resolve_window(desk.person(policies(corrections="reject")), 2, "redo", "looked")
    assert desk.run(file=FILE).state == "done"
    assert sent(desk) == [0, 1]


# ── once more


def test_a_replay_brings_out_the_rows_that_were_sent_from_either_source(desk: Desk) -> None:
    run(desk, event(1), event(1), event(2))
    desk.arize.arrived.clear()
    for source, model in (("staged", "second"), ("kafka", "third")):
        report = desk.replay(file=FILE, entries=[1], source=source, model=model)
        (item,) = report.items
        assert (report.run.state, report.run.rows_accepted, item.unlike) == ("done", 2, None)
        assert item.content_now == item.content_then
        (again,) = desk.replay(file=FILE, entries=[1], source=source, model=model).items
        assert (again.before, again.content_now) == (item.entries, ""), "its file lacks what was not sent"
    assert sent(desk) == [0, 2, 0, 2]


def test_rows_from_kafka_that_differ_are_refused_where_not_all_had_been_sent(desk: Desk) -> None:
    run(desk, event(1), event(1), event(2), event(3))
    desk.arize.arrived.clear()
    desk.kafka.logs[A0][3] = MARKER
    report = desk.replay(file=FILE, entries=[1], source="kafka", model="second", take_differences=True)
    (item,) = report.items
    assert (report.run.state, report.run.error, desk.arize.arrived) == ("failed", "ReplayDiffers", [])
    assert "not all of those were sent" in str(item.error)


def test_what_is_taken_again_is_sent_again_whatever_it_says(desk: Desk) -> None:
    run(desk, event(1), event(2))
    report = desk.backfill(file=FILE, again="lost there")
    assert report.run.rows_accepted == 2
    assert sent(desk) == [0, 1, 0, 1]


def test_another_model_was_told_nothing_yet(desk: Desk) -> None:
    run(desk, event(1))
    report = desk.backfill(file=FILE, again="a new one", model="another")
    assert report.run.rows_accepted == 1


def test_a_backfill_sends_only_what_was_not_said(desk: Desk) -> None:
    late = arrivals_file(
        source={"kafka": {**FILE.pipeline.source.kafka.model_dump(include={"topics", "group"}), "start": "latest"}}
    )
    desk.kafka.produce(A0, event(1), event(2))
    desk.run(file=late)
    run(desk, event(2), event(3), file=late)
    report = desk.backfill(file=late)
    assert balance(report.run) == {"staged": 1, "repeated": 1}
    assert sent(desk) == [2, 3, 0]


# ── by files


def test_a_file_that_is_imported_has_no_row_that_is_not_sent(desk: Desk) -> None:
    file = arrivals_file(arize={"path": "object_store"})
    run(desk, event(1), event(1), event(2), file=file)
    (key,) = [key for _, key in desk.imports.imported]
    stored = desk.imports.store.objects[key.removeprefix("ours/")]
    assert pl.read_parquet(stored)["prediction_id"].to_list() == ["1", "2"]
    nothing = run(desk, event(2), file=file)
    assert (nothing.state, balance(nothing), len(desk.imports.imported)) == ("done", {"repeated": 1}, 1)


# ── two at once


def test_a_window_that_lost_its_number_is_decided_anew(desk: Desk) -> None:
    """Two runs on disjoint partitions read the same actual, and one seals it first."""
    one = arrivals_file(source={"kafka": {"topics": ["arrivals"], "group": "sluice-arrivals", "partitions": [0]}})
    two = arrivals_file(source={"kafka": {"topics": ["arrivals"], "group": "sluice-arrivals", "partitions": [1]}})
    run(desk, event(0), file=one)
    run(desk, event(9), file=two, at=A1)
    desk.kafka.produce(A0, event(1))
    desk.kafka.produce(A1, event(1))
    slow = desk.world.start("slow", lambda: desk.run(file=one))
    while "entries/000000000003.json" not in slow.threads[0].at:
        assert slow.move()
    assert desk.run(file=two).state == "done"
    slow.finish()
    assert slow.error is None
    person = desk.person(FILE)
    found = [person.ledger.sealed(number).balance for number in (3, 4)]
    assert [(item.staged, item.repeated) for item in found] == [(1, 0), (0, 1)]
    assert person.ledger.sealed(4).parts == ()
