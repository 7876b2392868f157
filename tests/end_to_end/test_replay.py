"""Replay on real parts: from staged files and from Kafka, by both paths, killed at its steps; each row goes once."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import Written, append, event, group_positions, topic
from tests.end_to_end.kafka_hands import compact, delete_records

if TYPE_CHECKING:
    pass

AT_ONCE = 3
WHY = ("--reason", "the model is new")
STEPS = ("replay.staged:1", "replay.sealed:1", "delivery.accepted:1", "part.delivered:2", "replay.recorded:1")
STEPS_OF_FILES = ("import.job:1", "replay.sealed:1", "part.put:1", "part.placed:1", "part.settled:1")


def delivered(bench: Bench, flights: Written, **changed: Any) -> str:
    """A pipeline that has brought all of a topic to Arize; entries 1 to 3 hold it."""
    name = bench.pipeline(f"replay-{uuid.uuid4().hex[:8]}", flights.topic, **changed)
    bench.finished(name)
    return name


def every(bench: Bench, name: str) -> list[str]:
    """`--entry` for each window of a ledger."""
    windows = [n for n, entry in enumerate(bench.books(name).entries) if entry["kind"] == "window"]
    return [word for number in windows for word in ("--entry", str(number))]


def replayed(bench: Bench, name: str, *arguments: str, **how: str) -> Done:
    done = bench.sluice("replay", name, *WHY, "--run", *arguments, **how)
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    return done


def check(bench: Bench, name: str, flights: Written, *models: str) -> None:
    """The ledger is whole, the group is where it was, and each of the models has each row once."""
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert group_positions(name, flights) == flights.ends
    for model in (name, *models):
        assert bench.ids(model) == flights.good
    assert bench.finished(name).found["windows"] == []


def keys(bench: Bench, name: str) -> list[str]:
    """What is in the store of the pipeline."""
    store = bench.books(name).store
    return [*store.keys(f"ledger/{name}/"), *store.keys(f"staged/{name}/")]


# ── from where, and where to


def test_what_was_delivered_goes_to_another_model_from_the_staged_files_and_from_kafka_alike(
    bench: Bench, flights: Written
) -> None:
    name = delivered(bench, flights)
    before = keys(bench, name)
    dry = bench.sluice("replay", name, *every(bench, name), *WHY, "--model", f"{name}-new").found
    assert [(item["source"], item["counted_twice"], item["problem"]) for item in dry["items"]] == [
        ("staged", 0, None)
    ] * 3
    assert keys(bench, name) == before
    replayed(bench, name, *every(bench, name), "--model", f"{name}-new")
    again = replayed(bench, name, *every(bench, name), "--model", f"{name}-new").found
    assert [item["went_out_as"] for item in again["items"]] == [[4], [5], [6]]
    found = replayed(bench, name, *every(bench, name), "--model", f"{name}-again", "--source", "kafka").found
    assert [(item["source"], item["differences"]) for item in found["items"]] == [("kafka", None)] * 3
    check(bench, name, flights, f"{name}-new", f"{name}-again")
    hashes = [[entry["staged"]["content"] for entry in bench.books(name).entries[at : at + 3]] for at in (1, 4, 7)]
    assert hashes == [hashes[0]] * 3


def test_to_where_the_rows_were_they_go_once_for_a_reason(bench: Bench, thirty: Written) -> None:
    name = delivered(bench, thirty)
    refused = bench.sluice("replay", name, "--entry", "1", *WHY, "--run")
    assert (refused.code, refused.found["error"]) == (2, "CountsTwice")
    assert "Arize has 30 of the 30 rows" in refused.said
    for _ in range(2):
        replayed(bench, name, "--entry", "1", "--count-twice")
    assert bench.ids(name) == sorted(thirty.good * 2)


def test_rows_that_are_hashed_and_chosen_and_windows_of_a_backfill_are_made_again_the_same(
    bench: Bench, thirty: Written
) -> None:
    changed: dict[str, Any] = {"hash": ["features.carrier"], "when": {"field": "version", "equals": ["v1", "v2"]}}
    name = bench.pipeline(f"replay-{uuid.uuid4().hex[:8]}", thirty.topic, **changed)
    key = {"SLUICE_HASH_KEY": "a key of the hash of this test"}
    assert bench.run(name, **key).code == 0
    backfill = ("backfill", name, "--again", "another", "--model", f"{name}-b", "--version", "v9")
    assert bench.sluice(*backfill, "--reason", "tried", "--run", **key).code == 0
    named = ("--entry", "1", "--entry", "2/0", "--source", "kafka", "--model", f"{name}-c")
    found = replayed(bench, name, *named, **key).found
    assert [(item["rows"], item["differences"]) for item in found["items"]] == [(30, None), (30, None)]
    assert {version for version, _ in bench.sends(f"{name}-c")} == {"v1", "v2", "v9"}
    bench.pipeline(name, thirty.topic)
    unkeyed = bench.sluice("replay", name, "--entry", "1", "--source", "kafka", "--model", f"{name}-d", *WHY, "--run")
    assert (unkeyed.code, unkeyed.found["error"]) == (2, "WrongSettings")


def test_another_model_by_the_import_path_has_a_job_of_its_own(imports: Bench, flights: Written) -> None:
    name = delivered(imports, flights)
    replayed(
        imports, name, *every(imports, name), "--model", f"{name}-new", "--path", "object_store", "--version", "v9"
    )
    replayed(imports, name, *every(imports, name), "--model", f"{name}-too", "--path", "object_store")
    replayed(imports, name, "--entry", "1", "--model", f"{name}-new", "--path", "object_store", "--count-twice")
    jobs = [job["model"] for job in imports.arize.jobs() if job["model"].startswith(name)]
    assert sorted(jobs) == [f"{name}-new", f"{name}-too"], "the first prefix was taken up again"
    assert imports.ids(f"{name}-too") == flights.good
    assert set(imports.ids(f"{name}-new")) == set(flights.good)
    imports.books(name).audit(flights)
    imports.books(name).audit_delivered()


def test_rows_come_from_kafka_where_the_staged_file_is_gone_and_not_where_kafka_deleted_them(
    bench: Bench, thirty: Written
) -> None:
    name = delivered(bench, thirty)
    store = bench.books(name).store
    (staged,) = store.keys(f"staged/{name}/")
    store.delete(staged)
    found = replayed(bench, name, "--entry", "1", "--model", f"{name}-new").found
    assert [(item["source"], item["differences"]) for item in found["items"]] == [("kafka", None)]
    assert bench.ids(f"{name}-new") == thirty.good
    asked = ("--entry", "1", "--model", f"{name}-x", *WHY)
    gone = bench.sluice("replay", name, *asked, "--source", "staged")
    assert (gone.code, gone.found["error"]) == (1, "StagedFileDamaged")
    delete_records(thirty, {0: 10})
    before = keys(bench, name)
    for how in ((), ("--run",)):
        expired = bench.sluice("replay", name, *asked, *how)
        assert (expired.code, expired.found["error"]) == (1, "OffsetsExpired")
    assert keys(bench, name) == before


def test_what_compaction_took_is_counted_and_the_rest_goes_only_on_purpose(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=1)
    append(made, 0, [event(number) for number in range(20)])
    append(made, 0, [event(number) for number in range(20, 30)], key=b"one")
    name = delivered(bench, made)
    compact(made)
    asked = ("--entry", "1", "--model", f"{name}-new", "--source", "kafka")
    refused = bench.sluice("replay", name, *asked, *WHY, "--run")
    assert (refused.code, refused.found["error"]) == (1, "ReplayDiffers")
    assert "29 rows only then, 0 only now, 0 changed" in refused.said
    found = replayed(bench, name, *asked, "--take-differences").found
    assert found["items"][0]["differences"]["only_before"] == 29
    assert [item["staged"] for item in found["windows"][0]["ranges"]] == [1]
    assert bench.ids(f"{name}-new") == [made.ids[0, 29]]
    assert bench.ids(name) == made.good


# ── rejected records


def test_rejected_records_go_out_once_when_the_mapping_is_mended(bench: Bench, servers: str) -> None:
    made = topic(servers, partitions=1)
    far = [event(number, features={"carrier": "x", "distance": "far"}) for number in range(30, 33)]
    append(made, 0, [*(event(number) for number in range(30)), *(json.dumps(item).encode() for item in far), b"{"])
    name = delivered(bench, made)
    columns = {"carrier": "string", "distance": "string"}
    bench.pipeline(name, made.topic, map={"features": {"from": "features", "columns": columns}})
    dry = bench.sluice("replay", name, "--entry", "1", "--what", "rejected", *WHY).found
    told = {"rejected": 4, "redeemed_before": 0, "taken_again": 0, "redeemed": 3, "still_rejected": 1}
    assert dry["items"][0]["rejected"] == told
    for _ in range(2):
        replayed(bench, name, "--entry", "1", "--what", "rejected")
    assert bench.ids(name) == sorted([*made.good, *(item["id"] for item in far)])
    assert bench.sluice("rejected", name, "--entry", "1").found["redeemed"] == 3
    assert bench.sluice("status", name).found["redeemed"] == 3
    books = bench.books(name)
    books.audit(made)
    books.audit_delivered()


# ── what cannot be


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--entry", "9"), "There is no entry 9"),
        (("--entry", "0"), "it is a genesis"),
        (("--entry", "1", "--version", "$path"), "is no version"),
        (("--entry", "1", "--what", "rejected", "--model", "x"), "Leave out model"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    bench: Bench, flights: Written, arguments: tuple[str, ...], says: str
) -> None:
    name = bench.pipeline("replay-wrong", flights.topic)
    bench.finished(name)
    done = bench.sluice("replay", name, *arguments, *WHY, "--run")
    assert done.code == 2
    assert re.search(says, done.said), done.said
    assert "replay.staged" not in done.steps


# ── kills

Stories = Mapping[str, "Future[tuple[Bench, str]]"]


def killed(bench: Bench, flights: Written, at: str, *arguments: str) -> tuple[Bench, str]:
    """A replay that is killed, a run that finishes what that sealed, and another start that does the rest."""
    name = delivered(bench, flights)
    asked = (*every(bench, name), *WHY, "--model", f"{name}-new", *arguments)
    bench.killed(name, at, "--run", *asked, verb="replay")
    bench.finished(name)
    replayed(bench, name, *asked)
    return bench, name


@pytest.fixture(scope="module")
def stories(bench: Bench, imports: Bench, flights: Written) -> Iterator[Stories]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = {f"sdk {at}": pool.submit(killed, bench, flights, at) for at in STEPS}
        for at in STEPS_OF_FILES:
            told[f"file {at}"] = pool.submit(killed, imports, flights, at, "--path", "object_store")
        yield told


@pytest.mark.parametrize("at", [*(f"sdk {at}" for at in STEPS), *(f"file {at}" for at in STEPS_OF_FILES)])
def test_what_a_killed_replay_began_a_run_and_the_next_start_finish(
    flights: Written, stories: Stories, at: str
) -> None:
    bench, name = stories[at].result()
    check(bench, name, flights, f"{name}-new")


def test_two_starts_of_one_replay_bring_it_out_once(bench: Bench, flights: Written) -> None:
    name = delivered(bench, flights)
    asked = (*every(bench, name), *WHY, "--model", f"{name}-new", "--run")
    one = bench.start("replay", name, *asked, pause="replay.staged:1")
    one.until_it_stops()
    replayed(bench, name, *asked)
    one.go_on()
    assert [item["went_out_as"] for item in one.done().found["items"]] == [[4], [5], [6]]
    check(bench, name, flights, f"{name}-new")
