"""From a topic's name to a reviewed file: `sluice draft`, `sluice check`, `sluice preview`, on Kafka alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from sluice.pipeline import parse_pipeline
from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.events import Written, append, append_by_transaction, event, group_positions, topic

if TYPE_CHECKING:
    from collections.abc import Mapping

KAFKA_ALONE = {"SLUICE_STORE": "", "ARIZE_API_KEY": "", "ARIZE_SPACE_ID": ""}


def reasons(found: Mapping[str, Any]) -> dict[str, int]:
    return {item["reason"]: item["count"] for item in found["reasons"]}


# --- preview ---


def test_a_preview_shows_what_a_run_then_does_and_changes_nothing(bench: Bench, flights: Written) -> None:
    name = bench.pipeline("previewed", flights.topic)
    done = bench.preview(name, "-n", "1000", **KAFKA_ALONE)
    assert done.code == 0, done.err
    found = done.found
    assert sorted(row["prediction_id"] for row in found["rows"]) == flights.good
    assert group_positions(name, flights) == {}
    assert not [key for key in bench.books(name).store.keys("") if f"/{name}/" in key]

    ran = bench.finished(name).found
    classes = Counter[str]()
    for item in (item for window in ran["windows"] for item in window["ranges"]):
        classes.update({name: item[name] for name in ("staged", "rejected", "tombstones", "filtered")})
    assert {"staged": found["mapped"], **{name: found[name] for name in classes if name != "staged"}} == classes
    entries = [window["entry"] for window in ran["windows"]]
    told = [bench.sluice("rejected", name, "--entry", str(entry)).found["reasons"] for entry in entries]
    assert reasons(found) == sum(map(Counter, told), Counter[str]())


def test_a_preview_takes_the_last_records_of_each_partition_whatever_transactions_left(
    bench: Bench, servers: str
) -> None:
    made = topic(servers)
    for partition in (0, 1):
        append(made, partition, [event(100 * partition + number) for number in range(30)])
        append_by_transaction(made, partition, [event(900 + number) for number in range(20)], commit=False)
    found = bench.preview(bench.pipeline("previewed-tail", made.topic), "-n", "7").found
    places = [(row["partition"], row["offset"]) for row in found["rows"]]
    assert places == [(0, 26), (0, 27), (0, 28), (0, 29), (1, 27), (1, 28), (1, 29)]


def test_a_preview_shows_hashed_fields_hashed_and_dropped_ones_nowhere(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=1)
    append(made, 0, [event(1, id="somebody", who="someone-else"), event(2, id=7, who="someone-else")])
    name = bench.pipeline("previewed-hash", made.topic, hash=["id"], drop=["who"])
    assert (bench.preview(name).code, "SLUICE_HASH_KEY" in bench.preview(name).said) == (2, True)
    done = bench.preview(name, SLUICE_HASH_KEY="the key of this test alone", **KAFKA_ALONE)
    (row,) = done.found["rows"]
    assert row["prediction_id"].startswith("hmac:")
    assert (reasons(done.found), "some" in done.out) == ({"id: expected string": 1}, False)


def test_a_preview_of_an_empty_topic_says_so(bench: Bench, servers: str) -> None:
    done = bench.preview(bench.pipeline("previewed-empty", topic(servers).topic))
    assert (done.code, done.found["records"], done.found["rows"]) == (0, 0, [])


# --- draft ---


def test_a_draft_of_a_topic_is_right_and_its_preview_rejects_what_a_person_s_file_rejects(
    bench: Bench, flights: Written
) -> None:
    file = bench.file("drafted")
    done = cold(bench, "draft", flights.topic, "-o", str(file), **KAFKA_ALONE)
    assert done.code == 0, done.err
    assert f"Next: review it, then sluice check {file}" in done.out
    assert bench.sluice("check", "drafted", **KAFKA_ALONE).code == 0
    found = bench.preview("drafted", "-n", "1000", **KAFKA_ALONE).found
    assert sorted(row["prediction_id"] for row in found["rows"]) == flights.good
    by_hand = bench.preview(bench.pipeline("drafted-by-hand", flights.topic), "-n", "1000").found
    assert reasons(found) == reasons(by_hand)
    assert group_positions("sluice-drafted", flights) == {}

    again = bench.start("draft", flights.topic, "-o", str(file), **KAFKA_ALONE).done()
    assert (again.code, "overwrites nothing" in again.said) == (2, True)


def test_a_draft_looks_at_both_ends_of_a_topic_and_prints_the_file(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=3)
    append_by_transaction(made, 1, [event(number, aborted=1.5) for number in range(9)], commit=False)
    append(made, 0, [event(number, old=1.5) for number in range(5)])
    append(made, 0, [event(number, middle=1.5) for number in range(5, 25)])
    append(made, 0, [event(number, new=1.5) for number in range(25, 30)])
    done = cold(bench, "draft", made.topic, "-n", "10", "--name", "both-ends", **KAFKA_ALONE)
    assert done.code == 0, done.err
    drafted = parse_pipeline(done.out.encode(), "both-ends.yaml")
    assert (drafted.name, {"old", "new", "middle", "aborted"} & drafted.map.tags.keys()) == (
        "both-ends",
        {"old", "new"},
    )
    assert "from 10 events of 3 partitions" in done.out


def test_what_a_draft_leaves_open_is_told_by_check(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=1)
    append(made, 0, [json.dumps({key: value for key, value in event(1).items() if key != "version"}).encode()])
    file = bench.file("drafted-open")
    done = bench.start("draft", made.topic, "-o", str(file), **KAFKA_ALONE).done()
    assert (done.code, done.found["open"]) == (0, ["map.version"])
    checked = bench.sluice("check", "drafted-open", **KAFKA_ALONE)
    assert (checked.code, "map.version: to be filled in. The model's version" in checked.said) == (2, True)


def test_a_topic_without_events_is_no_ground_for_a_draft(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=1)

    def said(*values: bytes | None, of: str = made.topic) -> tuple[int, str]:
        append(made, 0, values)
        done = bench.start("draft", of, **KAFKA_ALONE).done()
        return done.code, done.said

    for values, words in (
        ((), "holds no record that can be read now"),
        ((None, None), "all 2 records that were looked at are tombstones"),
        ((b"[1]", b"{"), "none of 4 records holds a JSON object: not JSON (1), not an object (1)"),
    ):
        code, told = said(*values)
        assert (code, words in told, "docs/runbook.md#nothing-to-learn" in told) == (1, True, True), told
    done = bench.start("draft", made.topic, "--connection", "events", **KAFKA_ALONE).done()
    assert (done.code, "not set: the kafka connection events" in done.said) == (2, True)
    for name in ("", "a/b"):
        code, told = said(of=name)
        assert (code, f"{name!r} is no topic's name" in told) == (2, True), told
    code, told = said(of="no-such-topic")
    assert (code, "Name a topic that is there" in told) == (1, True), told
