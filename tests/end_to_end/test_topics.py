"""What becomes of a pipeline whose topics change, and where a run begins and ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tests.end_to_end.bench import Bench, stopped
from tests.end_to_end.events import Written, append, append_by_transaction, event, group_offsets, topic
from tests.end_to_end.kafka_hands import add_partitions, delete_records, recreate

HOUR_MS = 3_600_000


def test_a_topic_that_was_made_anew_is_never_taken_for_the_one_before(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-anew", thirty.topic)
    bench.finished(name)
    before = bench.books(name).entries
    anew = recreate(thirty)
    append(anew, 0, [event(number) for number in range(100, 140)])
    stopped(bench.run(name), "topic-recreated", f"{thirty.topic}[0] at offset 30: the topic was deleted and recreated")
    assert bench.books(name).entries == before
    assert bench.ids(name) == thirty.good


def test_what_kafka_dropped_stops_the_run_or_is_counted(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-expired", thirty.topic, limits={"max_records": 10})
    assert bench.run(name, "--max-windows", "1").code == 0
    delete_records(thirty, {0: 17})
    gone = f"{thirty.topic}[0] 10..17 is gone: Kafka has it from 17 on"
    stopped(bench.run(name), "offsets-expired", gone, "Set policies.on_expired to record")
    assert bench.sluice("status", name).found["partitions"][0]["retention_margin"] == -7
    bench.pipeline(name, thirty.topic, policies={"on_expired": "record"})
    assert bench.finished(name).found["totals"] == {
        "offsets": 20, "staged": 13, "tombstones": 0, "rejected": 0, "repeated": 0, "filtered": 0, "invisible": 0,
        "expired": 7, "rows_accepted": 13, "rows_placed": 0, "rows_dropped": 0, "files_pending": 0,
    }  # fmt: skip
    assert bench.ids(name) == sorted([*thirty.good_in(0, 0, 10), *thirty.good_in(0, 17, 30)])
    thirty.classes[0][10:17] = ["expired"] * 7
    books = bench.books(name)
    books.audit(thirty)
    books.audit_delivered()
    assert books.positions == {(thirty.topic, 0): 30}


def test_a_partition_that_is_gone_whole_is_one_window_without_a_file(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-all-gone", thirty.topic, policies={"on_expired": "record"}, limits={"max_records": 10})
    assert bench.run(name, "--max-windows", "1").code == 0
    delete_records(thirty, {0: 30})
    done = bench.finished(name)
    assert [(item["staged"], item["ranges"][0]["expired"]) for item in done.found["windows"]] == [(None, 20)]
    assert group_offsets(thirty.servers, name, thirty)[0][0] == 30
    bench.books(name).audit_delivered()


def test_a_window_of_nothing_but_a_marker_is_sealed_without_a_file(bench: Bench, servers: str) -> None:
    written = topic(servers, partitions=1)
    append_by_transaction(written, 0, [event(number) for number in range(5)])
    name = bench.pipeline("topic-marker", written.topic, limits={"max_records": 5})
    done = bench.finished(name)
    assert [item["staged"] is None for item in done.found["windows"]] == [False, True]
    assert bench.ids(name) == written.good
    bench.books(name).audit(written)
    assert group_offsets(servers, name, written)[0][0] == 6


def test_a_partition_that_is_added_later_starts_at_0(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-grown", thirty.topic, source={"kafka": {"start": "latest"}})
    assert bench.finished(name).found["windows"] == []
    add_partitions(thirty, 3)
    for number in (1, 2):
        append(thirty, number, [event(100 * number + at) for at in range(5)])
    bench.finished(name)
    assert bench.ids(name) == sorted([*thirty.good_in(1, 0, 5), *thirty.good_in(2, 0, 5)])
    books = bench.books(name)
    books.audit(thirty)
    assert books.positions == {(thirty.topic, 0): 30, (thirty.topic, 1): 5, (thirty.topic, 2): 5}


def test_latest_is_resolved_once_though_the_first_run_dies(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-latest", thirty.topic, source={"kafka": {"start": "latest"}})
    bench.killed(name, "ledger.begun:1")
    append(thirty, 0, [event(number) for number in range(30, 35)])
    bench.finished(name)
    assert bench.ids(name) == thirty.good_in(0, 30, 35)


def test_a_pipeline_can_start_at_a_moment(bench: Bench, servers: str) -> None:
    written = topic(servers, partitions=2)
    noon = int(time.time() * 1000) - 5 * HOUR_MS
    for partition in (0, 1):
        for hour in range(3):
            events = [event(100 * partition + 10 * hour + at) for at in range(5)]
            append(written, partition, events, timestamp_ms=noon + hour * HOUR_MS)
    moment = datetime.fromtimestamp(noon / 1000 + 3600, UTC).isoformat()
    name = bench.pipeline("topic-moment", written.topic, source={"kafka": {"start": moment}})
    bench.finished(name)
    assert bench.ids(name) == sorted([*written.good_in(0, 5, 15), *written.good_in(1, 5, 15)])
    assert bench.books(name).entries[0]["topics"][0]["positions"] == {"0": 5, "1": 5}


def test_until_leaves_the_records_from_that_moment_on_to_a_later_run(bench: Bench, servers: str) -> None:
    written = topic(servers, partitions=1)
    noon = int(time.time() * 1000) - 5 * HOUR_MS
    for hour in range(3):
        append(written, 0, [event(10 * hour + at) for at in range(5)], timestamp_ms=noon + hour * HOUR_MS)
    name = bench.pipeline("topic-until", written.topic)
    until = datetime.fromtimestamp((noon + HOUR_MS) / 1000, UTC).isoformat()
    plan = bench.sluice("plan", name, "--until", until)
    assert plan.found["windows"] == [[f"{written.topic}[0] 0..5"]]
    assert bench.finished(name, "--until", until).found["totals"]["staged"] == 5
    assert bench.finished(name, "--until", until).found["windows"] == []
    bench.finished(name)
    assert bench.ids(name) == written.good


def test_a_run_takes_no_more_windows_than_it_is_told(bench: Bench, thirty: Written) -> None:
    name = bench.pipeline("topic-bounded", thirty.topic, limits={"max_records": 7, "max_windows": 1})
    assert [len(bench.finished(name, *more).found["windows"]) for more in ((), ("--max-windows", "2"), ())] == [1, 2, 1]
    assert bench.finished(name, "--max-windows", "9").found["totals"]["staged"] == 2
    assert bench.ids(name) == thirty.good


def test_several_topics_go_through_one_ledger_and_one_that_is_added_is_pinned_first(
    bench: Bench, thirty: Written
) -> None:
    first, second, third = thirty, topic(thirty.servers, partitions=2), topic(thirty.servers, partitions=1)
    for number in (0, 1):
        append(second, number, [event(1000 + 100 * number + at) for at in range(10)])
    append(third, 0, [event(5000 + at) for at in range(8)])
    name = bench.pipeline("topic-several", [first.topic, second.topic], limits={"max_records": 20})
    bench.finished(name)
    assert bench.ids(name) == sorted([*first.good, *second.good])
    topics = [first.topic, second.topic, third.topic]
    bench.pipeline(name, topics, limits={"max_records": 20}, source={"kafka": {"start": "latest"}})
    plan = bench.sluice("plan", name)
    assert (plan.code, plan.found["windows"]) == (0, [])
    assert [item["kind"] for item in bench.books(name).entries[-1:]] == ["window"], "a plan writes nothing"
    assert bench.finished(name).found["windows"] == []
    append(third, 0, [event(6000 + at) for at in range(4)])
    bench.finished(name)
    assert bench.ids(name) == sorted([*first.good, *second.good, *third.good_in(0, 8, 12)])
    books = bench.books(name)
    books.audit()
    books.audit_delivered()
    assert [item["kind"] for item in books.entries].count("pin") == 1
    assert books.positions == {(first.topic, 0): 30, (second.topic, 0): 10, (second.topic, 1): 10, (third.topic, 0): 12}


def test_only_the_partitions_that_the_file_names_are_read(bench: Bench, servers: str) -> None:
    written = topic(servers, partitions=3)
    for number in range(3):
        append(written, number, [event(100 * number + at) for at in range(5)])
    name = bench.pipeline("topic-named", written.topic, source={"kafka": {"partitions": [0, 2]}})
    bench.finished(name)
    assert bench.ids(name) == sorted([*written.good_in(0, 0, 5), *written.good_in(2, 0, 5)])
    bench.pipeline(name, written.topic, source={"kafka": {"partitions": [0, 7]}})
    stopped(bench.run(name), "topic-missing", f"{written.topic}[7]")


def test_an_empty_topic_is_nothing_to_do(bench: Bench, servers: str) -> None:
    name = bench.pipeline("topic-empty", topic(servers, partitions=2).topic)
    done = bench.finished(name)
    assert (done.found["windows"], done.found["totals"]["offsets"]) == ([], 0)
    assert len(bench.books(name).entries) == 1
