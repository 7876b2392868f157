"""Backfill on real parts: by both paths, killed at each step, beside others; each row arrives once, the group stays."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.bench import IMPORT, Bench, Done
from tests.end_to_end.events import Written, append, event, group_positions

if TYPE_CHECKING:
    pass

AT_ONCE = 3
REASON = ("--reason", "the model is new", "--run")
LATE: dict[str, Any] = {"source": {"kafka": {"start": "latest"}}}
STEPS = (
    *("backfill.claimed:1", "window.read:1", "slot.sealed:1", "slot.sealed:2", "delivery.intended:1"),
    *("delivery.accepted:1", "part.delivered:2", "backfill.progress:1", "backfill.progress:2", "backfill.recorded:1"),
)
STEPS_OF_FILES = (
    *("backfill.claimed:1", "import.begun:1", "import.job:1", "slot.sealed:1", "part.put:1", "part.placed:1"),
    *("backfill.progress:1", "part.settled:1", "part.settled:2", "backfill.recorded:1"),
)


def late(bench: Bench, flights: Written, **changed: Any) -> str:
    """A pipeline whose ledger begins behind all that the topic holds."""
    name = bench.pipeline(f"backfill-{uuid.uuid4().hex[:8]}", flights.topic, **LATE, **changed)
    assert bench.finished(name).found["windows"] == []
    return name


def backfilled(bench: Bench, name: str, *arguments: str, **how: str) -> Done:
    done = bench.sluice("backfill", name, *REASON, *arguments, **how)
    assert (done.code, done.found["state"], done.found["offsets_left"]) == (0, "done", 0), done.err
    return done


def check(bench: Bench, name: str, flights: Written) -> None:
    """Nothing lost, nothing twice, each offset in one slot; the group is where the ledger began."""
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert bench.ids(name) == flights.good
    assert group_positions(name, flights) in ({}, flights.ends)
    assert backfilled(bench, name).found["claims"] == []


# ── kills

Stories = Mapping[str, "Future[tuple[Bench, str, Done]]"]


def killed(bench: Bench, flights: Written, at: str, *, parallel: int, **changed: Any) -> tuple[Bench, str, Done]:
    name = late(bench, flights, **changed)
    bench.killed(name, at, *REASON, "--max-parallel", str(parallel), verb="backfill")
    return bench, name, backfilled(bench, name)


@pytest.fixture(scope="module")
def stories(bench: Bench, imports: Bench, flights: Written) -> Iterator[Stories]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # By the SDK one at a time: of what another thread is sending nobody would know the outcome.
        told = {f"sdk {at}": pool.submit(killed, bench, flights, at, parallel=1) for at in STEPS}
        for at in STEPS_OF_FILES:
            told[f"file {at}"] = pool.submit(killed, imports, flights, at, parallel=2, **IMPORT)
        yield told


@pytest.mark.parametrize("at", [*(f"sdk {at}" for at in STEPS), *(f"file {at}" for at in STEPS_OF_FILES)])
def test_what_a_killed_backfill_began_the_next_start_finishes(flights: Written, stories: Stories, at: str) -> None:
    bench, name, done = stories[at].result()
    check(bench, name, flights)
    claims = [entry for entry in bench.books(name).entries if entry["kind"] == "claim"]
    assert len(claims) == 1
    assert done.found["claims"] in ([1], []), "it went on with the same claim, or found it done"


# ── at once


def test_two_starts_of_one_backfill_share_its_windows(bench: Bench, flights: Written) -> None:
    name = late(bench, flights)
    one = bench.start("backfill", name, *REASON, pause="slot.sealed:1")
    one.until_it_stops()
    other = backfilled(bench, name)
    one.go_on()
    assert one.done().code == 0
    assert other.found["claims"] == [1]
    check(bench, name, flights)


def test_two_backfills_that_overlap_take_each_offset_once(bench: Bench, flights: Written) -> None:
    name = late(bench, flights)
    one = bench.start("backfill", name, *REASON, "--partition", f"{flights.topic}[0]", pause="window.read:1")
    one.until_it_stops()
    other = backfilled(bench, name)
    assert other.found["claims"] == [2]
    one.go_on()
    assert one.done().code == 0
    check(bench, name, flights)


def test_a_backfill_beside_an_ingest_disturbs_neither(bench: Bench, thirty: Written) -> None:
    name = late(bench, thirty)
    one = bench.start("backfill", name, *REASON, pause="slot.sealed:1")
    one.until_it_stops()
    append(thirty, 0, [event(number) for number in range(30, 60)])
    ingested = bench.finished(name)
    assert [item["entry"] for item in ingested.found["windows"]] == [2]
    assert group_positions(name, thirty) == thirty.ends
    one.go_on()
    assert one.done().code == 0
    check(bench, name, thirty)


def test_a_cancel_that_races_with_a_seal_leaves_each_offset_in_one_entry(bench: Bench, flights: Written) -> None:
    name = late(bench, flights)
    one = bench.start("backfill", name, *REASON, pause="window.read:2")
    one.until_it_stops()
    cancelled = bench.sluice("backfill", name, "--cancel", "1")
    assert (cancelled.code, cancelled.found["voided"] > 0) == (0, True)
    one.go_on()
    ended = one.done()
    assert (ended.code, ended.found["claims"]) == (0, [1])
    assert backfilled(bench, name).found["claims"] == [2]
    check(bench, name, flights)


def test_a_cancel_that_was_killed_is_finished_by_saying_it_again(bench: Bench, flights: Written) -> None:
    name = late(bench, flights)
    bench.killed(name, "slot.sealed:1", *REASON, "--max-parallel", "1", verb="backfill")
    bench.killed(name, "slot.void:1", "--cancel", "1", verb="backfill")
    assert bench.sluice("backfill", name, "--cancel", "1").found["voided"] == 1
    assert sorted(item["kind"] for item in bench.books(name).slots.values()) == ["slot", "void", "void"]
    done = bench.sluice("backfill", name, *REASON)
    assert (done.code, done.found["claims"]) == (0, [1, 2])
    check(bench, name, flights)


# ── what is asked for


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(bench: Bench, flights: Written) -> None:
    name = late(bench, flights)
    before = list(bench.books(name).store.keys(f"ledger/{name}/"))
    found = bench.sluice("backfill", name).found
    assert found["offsets"] == sum(flights.ends.values())
    assert len(found["windows"]) == 3
    assert list(bench.books(name).store.keys(f"ledger/{name}/")) == before


def test_times_are_resolved_to_offsets_at_their_edges(bench: Bench, thirty: Written) -> None:
    name = late(bench, thirty)

    def offsets(*arguments: str) -> Any:
        return bench.sluice("backfill", name, *arguments).found["offsets"]

    now = datetime.fromtimestamp(time.time() + 60, UTC)
    assert offsets("--since", "2020-01-01T00:00Z") == thirty.ends[0]
    assert offsets("--until", "2020-01-01T00:00Z") == 0
    assert offsets("--since", now.isoformat()) == 0
    assert offsets("--until", now.isoformat()) == thirty.ends[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "2026-02-01T00:00Z", "--until", "2026-01-01T00:00Z"), "upside down"),
        (("--offsets", "nowhere[0] 0..5"), "reads no partition nowhere"),
        (("--offsets", "{topic}[7] 0..5"), r"reads no partition .*\[7\]"),
        (("--offsets", "{topic}[0] 0..5000000"), "beyond the end of the partition"),
        (("--offsets", "{topic}[0] 0..5", "--until", "2026-01-01T00:00Z"), "not both"),
        (("--version", "$path"), "is no version"),
        (("--run",), "Add --reason"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    bench: Bench, flights: Written, arguments: tuple[str, ...], says: str
) -> None:
    name = bench.pipeline(f"backfill-{uuid.uuid4().hex[:8]}", flights.topic, **LATE)
    done = bench.sluice("backfill", name, *(text.replace("{topic}", flights.topic) for text in arguments))
    assert done.code == 2
    assert re.search(says, done.said), done.said
    assert not list(bench.books(name).store.keys(f"ledger/{name}/entries/"))


def test_another_model_takes_what_is_in_the_ledger_once_more_and_counts_nothing_twice(
    bench: Bench, thirty: Written
) -> None:
    name = bench.pipeline(f"backfill-{uuid.uuid4().hex[:8]}", thirty.topic)
    bench.finished(name)
    plan = bench.sluice("backfill", name, "--again", "a new model", "--model", f"{name}-new").found
    assert (plan["offsets"], plan["counted_twice"]) == (thirty.ends[0], 0)
    assert bench.sluice("backfill", name, "--again", "why not").found["counted_twice"] == thirty.ends[0]
    backfilled(bench, name, "--again", "a new model", "--model", f"{name}-new", "--version", "v9")
    assert bench.ids(f"{name}-new") == bench.ids(name) == thirty.good
    assert {version for version, _ in bench.sends(f"{name}-new")} == {"v9"}
    twice = backfilled(bench, name, "--again", "a new model", "--model", f"{name}-new", "--version", "v9")
    assert twice.found["claims"] == []
