"""Windows that wait for a person: what is held, what is not, and that each way out leaves a whole ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import CANARY, Written, append, event, group_positions, topic
from tests.end_to_end.kafka_hands import delete_records

RULE = {"max_rejected": {"share": "10%", "of_at_least": 10}}
WINDOW = {"max_records": 20}
WORD = ("--reason", "looked at with the producer's team")


@pytest.fixture
def written(bench: Bench) -> Written:
    """Three windows: a good one, one whose second half is broken, a good one."""
    made = topic(bench.servers, partitions=1)
    append(made, 0, [event(number) for number in range(30)])
    append(made, 0, [b"{"] * 10)
    append(made, 0, [event(number) for number in range(40, 60)])
    return made


def held(bench: Bench, name: str, entry: int = 2) -> Done:
    """Run a pipeline that is held at an entry, and check that everything says so."""
    done = bench.run(name)
    assert (done.code, done.found["state"]) == (3, "held"), done.err
    assert f"Entry {entry} of {name} (" in done.said
    assert f"sluice resolve FILE --entry {entry} deliver|redo|drop --reason" in done.said
    assert "docs/runbook.md#window-held" in done.said
    assert done.found["message"] == done.said
    return done


def resolved(bench: Bench, name: str, verdict: str, entry: int = 2) -> dict[str, Any]:
    done = bench.sluice("resolve", name, "--entry", str(entry), verdict, *WORD)
    assert done.code == 0, done.err
    return done.found


def test_a_held_window_is_sealed_whole_and_nothing_behind_it_is_planned(bench: Bench, written: Written) -> None:
    name = bench.pipeline("hold-kept", written.topic, limits=WINDOW, policies=RULE)
    first = held(bench, name)
    assert [(item["entry"], item["status"]) for item in first.found["windows"]] == [(1, "committed"), (2, "held")]
    assert first.found["windows"][1]["held"] == "10 of 20 records were rejected, more than 10%: not JSON (10)"
    again = held(bench, name)
    assert again.found["windows"] == []
    plan = bench.sluice("plan", name)
    assert (plan.found["state"], plan.found["windows"], plan.found["offsets"]) == ("held", [], 0)
    assert "Entry 2" in plan.found["held"]
    (waiting,) = bench.sluice("status", name).found["waiting"]
    assert (waiting["entry"], waiting["ranges"]) == (2, [f"{written.topic}[0] 20..40"])
    assert "10 of 20 records were rejected" in waiting["held"]
    rejected = bench.sluice("rejected", name, "--entry", "2").found
    assert (rejected["rejected"], rejected["reasons"]) == (10, {"not JSON": 10})
    assert [(item["offset"], item["reason"]) for item in rejected["records"]] == [
        (offset, "not JSON") for offset in range(30, 40)
    ]
    none = bench.sluice("rejected", name, "--entry", "1").found
    assert (none["rejected"], none["records"], none["file"]) == (0, [], None)
    assert bench.sluice("rejected", name, "--entry", "9").code == 2
    books = bench.books(name)
    books.audit(written)
    assert (len(books.entries), books.held) == (3, [2])
    raw = books.frame(books.sealed[2]["raw"])
    assert raw["offset"].to_list() == list(range(20, 40))
    assert bench.ids(name) == written.good_in(0, 0, 20)
    assert group_positions(name, written) == {0: 20}


@pytest.mark.parametrize(("verdict", "delivered"), [("deliver", 10), ("drop", 0)])
def test_a_held_window_is_delivered_or_let_go(bench: Bench, written: Written, verdict: str, delivered: int) -> None:
    name = bench.pipeline(f"hold-{verdict}", written.topic, limits=WINDOW, policies=RULE)
    held(bench, name)
    assert resolved(bench, name, verdict)["ended_by"] == 3
    assert bench.ids(name) == written.good_in(0, 0, 20), "the next run carries it out"
    bench.finished(name)
    ids = [*written.good_in(0, 0, 20), *written.good_in(0, 20, 20 + delivered), *written.good_in(0, 40, 60)]
    assert bench.ids(name) == sorted(ids)
    check_ended(bench, name, written, [{"purpose": verdict, "origin": 2, "reason": WORD[1]}])


def test_a_held_window_is_taken_again_with_a_mended_file_and_without_kafka(bench: Bench, written: Written) -> None:
    """The producer renamed a field; its records are gone from Kafka when a person finds the time."""
    renamed = [{**event(number), "id": None, "key": event(number)["id"]} for number in range(60, 80)]
    append(written, 0, [json.dumps(value).encode() for value in renamed])
    append(written, 0, [event(number) for number in range(80, 90)])
    good = {"max_rejected": {"share": "60%", "of_at_least": 10}}
    name = bench.pipeline("hold-redo", written.topic, limits=WINDOW, policies=good)
    held(bench, name, entry=4)
    delete_records(written, {0: 80})
    bench.pipeline(name, written.topic, limits=WINDOW, policies=good, map={"prediction_id": "key"})
    assert resolved(bench, name, "redo", entry=4)["ended_by"] == 5
    bench.pipeline(name, written.topic, limits=WINDOW, policies=good)
    bench.finished(name)
    assert bench.ids(name) == sorted([*written.good, *(event(number)["id"] for number in range(60, 80))])
    check_ended(bench, name, written, [{"purpose": "redo", "origin": 4, "reason": WORD[1]}])
    (redone,) = [item for item in bench.books(name).entries if item["kind"] == "derived"]
    assert [(item["start"], item["stop"], item["balance"]["staged"]) for item in redone["ranges"]] == [(60, 80, 20)]
    assert redone["pipeline_sha256"] != bench.books(name).entries[4]["pipeline_sha256"]


def test_a_window_that_was_taken_again_in_vain_is_held_again(bench: Bench, written: Written) -> None:
    name = bench.pipeline("hold-redo-in-vain", written.topic, limits=WINDOW, policies=RULE)
    held(bench, name)
    again = bench.sluice("resolve", name, "--entry", "2", "redo", *WORD)
    assert (again.code, again.found["state"], again.found["ended_by"]) == (3, "held", 3)
    assert f"Entry 3 of {name} (" in again.said
    held(bench, name, entry=3)
    assert resolved(bench, name, "deliver", entry=3)["ended_by"] == 4
    bench.finished(name)
    assert bench.ids(name) == written.good
    check_ended(bench, name, written, [{"purpose": "redo", "origin": 2}, {"purpose": "deliver", "origin": 3}])


def test_a_word_that_was_given_holds_though_its_giver_was_killed(bench: Bench, written: Written) -> None:
    name = bench.pipeline("hold-killed", written.topic, limits=WINDOW, policies=RULE)
    held(bench, name)
    word = ("--entry", "2", "deliver", *WORD)
    bench.killed(name, "window.resolved:1", *word, verb="resolve")
    again = bench.sluice("resolve", name, *word)
    assert again.code == 2
    assert f"Entry 2 of {name} is not held; held: none" in again.said
    bench.finished(name)
    assert bench.ids(name) == written.good


def test_a_word_on_what_does_not_wait_is_refused(bench: Bench, written: Written) -> None:
    name = bench.pipeline("hold-wrong", written.topic, limits=WINDOW, policies=RULE)
    held(bench, name)
    before = bench.books(name).entries
    for word, says in WRONG_WORDS:
        done = bench.sluice("resolve", name, *word)
        assert done.code == 2, word
        assert says in done.err
    assert bench.books(name).entries == before


WRONG_WORDS: Sequence[tuple[Sequence[str], str]] = (
    (("--entry", "1", "drop", *WORD), "Entry 1 of hold-wrong is not held; held: 2"),
    (("--entry", "77", "drop", *WORD), "Entry 77 of hold-wrong is not held; held: 2"),
    (("--entry", "1", "--part", "0", "resend", *WORD), "Entry 1 of hold-wrong waits for no send"),
    (("--entry", "77", "--part", "0", "resend", *WORD), "Entry 77 of hold-wrong waits for no send"),
    (("--entry", "2", "--part", "0", "drop", *WORD), "Entry 2 of hold-wrong waits for no send"),
    (("--entry", "2", "--part", "0", "redo", *WORD), "redo is no word on a part"),
    (("--entry", "2", "resend", *WORD), "resend is no word on an entry without --part"),
    (("--entry", "2", "drop"), "the following arguments are required: --reason"),
)


def test_one_bad_record_of_three_is_not_held(bench: Bench) -> None:
    written = topic(bench.servers, partitions=1)
    append(written, 0, [event(0), b"{", event(2)])
    name = bench.pipeline("hold-one-of-three", written.topic)
    assert bench.finished(name).found["totals"]["rejected"] == 1
    assert bench.ids(name) == written.good


def test_31_of_a_hundred_thousand_records_in_a_hundred_are_held(bench: Bench) -> None:
    written = topic(bench.servers, partitions=1)
    broken = json.dumps({**event(0), "score": f"{CANARY}-no-number"}).encode()
    append(written, 0, (broken if number % 100 < 31 else event(number, "v1") for number in range(100_000)))
    name = bench.pipeline("hold-31-percent", written.topic, limits={"max_records": 100_000})
    done = held(bench, name, entry=1)
    why = "31,000 of 100,000 records were rejected, more than 10%: score: expected float (31,000)"
    assert done.found["windows"][0]["held"] == why
    assert resolved(bench, name, "deliver", entry=1)["ended_by"] == 2
    bench.finished(name)
    assert len(bench.ids(name)) == 69_000
    assert bench.ids(name) == written.good
    check_ended(bench, name, written, [{"purpose": "deliver", "origin": 1}])


def check_ended(bench: Bench, name: str, written: Written, endings: list[dict[str, Any]]) -> None:
    """One chain without a gap, every balance exact, everything delivered that was to be, and the group at its end."""
    books = bench.books(name)
    books.audit(written)
    books.audit_delivered()
    derived = [item for item in books.entries if item["kind"] == "derived"]
    assert [{key: item[key] for key in ending} for item, ending in zip(derived, endings, strict=True)] == endings
    assert books.positions == {(written.topic, 0): written.ends[0]}
    assert group_positions(name, written) == written.ends
    assert bench.sluice("status", name).found["waiting"] == []
    assert bench.finished(name).found["windows"] == []
