"""The import path on real parts: SeaweedFS, the stand-in's GraphQL and importer, `kill -9` at each step."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.bench import IMPORT, Bench, Done
from tests.end_to_end.events import Written, append, event, group_positions, topic

if TYPE_CHECKING:
    pass

AT_ONCE = 3
# What a first run meets that seals three windows and places their files; how often, before it is killed.
STEPS = (
    *("import.tried_out:1", "import.begun:1", "import.job:1"),
    *("window.staged:1", "window.sealed:1", "window.sealed:2"),
    *("part.put:1", "part.put:2", "part.placed:1", "part.placed:3"),
    *("part.settled:1", "part.settled:2", "group.committing:1", "group.committed:1", "run.recorded:1"),
)


def files(bench: Bench, name: str) -> list[dict[str, Any]]:
    """What the stand-in's jobs made of the files of a pipeline."""
    jobs = {job["id"] for job in bench.arize.jobs() if job["model"] == name}
    return [file for file in bench.arize.files() if file["job"] in jobs]


def check(bench: Bench, name: str, flights: Written) -> None:
    """Nothing lost, nothing twice, each offset in one entry, the group where the ledger is."""
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert group_positions(name, flights) == flights.ends
    assert bench.ids(name) == flights.good
    paths = [file["path"] for file in files(bench, name)]
    assert len(paths) == len(set(paths))
    addresses = [item["destination"].get("key", "") for item in books.sealed.values() if item.get("staged")]
    assert sorted(f"s3://sluice/{path}" for path in paths) == sorted(addresses)
    assert bench.finished(name).found["windows"] == []


# ── kills

Stories = Mapping[str, "Future[tuple[str, Done]]"]


def told(bench: Bench, flights: Written, at: str) -> tuple[str, Done]:
    name = bench.pipeline(f"import-{re.sub(r'[^a-z0-9]', '-', at)}", flights.topic, **IMPORT)
    bench.killed(name, at)
    return name, bench.finished(name)


@pytest.fixture(scope="module")
def stories(imports: Bench, flights: Written) -> Iterator[Stories]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {at: pool.submit(told, imports, flights, at) for at in sorted(STEPS, key=lambda at: "begun" not in at)}


@pytest.mark.parametrize("at", STEPS)
def test_what_a_killed_run_began_the_next_one_finishes(
    imports: Bench, flights: Written, stories: Stories, at: str
) -> None:
    name, _ = stories[at].result()
    check(imports, name, flights)


def test_a_file_that_is_in_its_place_is_not_put_again(imports: Bench, stories: Stories) -> None:
    _, after = stories["part.placed:1"].result()
    put = [words[1] for words in after.lines if words[0] == "part.put"]
    assert "entry=1" not in put


def test_a_prefix_whose_job_was_never_made_is_given_up(imports: Bench, stories: Stories) -> None:
    name, after = stories["import.begun:1"].result()
    assert "import.given_up" in after.steps
    (job,) = [job for job in imports.arize.jobs() if job["model"] == name]
    assert job["prefix"].endswith("/g2/")


# ── two at once


def test_two_first_runs_at_once_make_one_job_and_lose_and_double_nothing(imports: Bench, flights: Written) -> None:
    name = imports.pipeline(f"import-two-{uuid.uuid4().hex[:8]}", flights.topic, **IMPORT)
    runs = [imports.start("run", name) for _ in range(2)]
    done = [run.done() for run in runs]
    assert {item.code for item in done} == {0}, [item.err for item in done]
    assert len([job for job in imports.arize.jobs() if job["model"] == name]) == 1
    check(imports, name, flights)


# ── what Arize says


def test_a_run_that_ends_before_arize_has_looked_says_so_and_status_counts_it(imports: Bench) -> None:
    name, flights = small(imports)
    imports.pipeline(name, flights.topic, arize={"path": "object_store"}, limits={"settle_seconds": 0})
    imports.arize.script_importer("hold", path=f"*{flights.topic}*")
    done = imports.run(name)
    assert (done.code, [item["status"] for item in done.found["windows"]]) == (0, ["pending"])
    found = imports.sluice("status", name).found
    assert found["files"] == {"placed": 0, "pending": 1, "complete": 0, "failed": 0}
    imports.arize.clear_faults()
    imports.pipeline(name, flights.topic, **IMPORT)
    imports.finished(name)
    check(imports, name, flights)
    assert imports.sluice("status", name).found["files"]["complete"] == 1


def small(bench: Bench) -> tuple[str, Written]:
    made = topic(bench.servers, partitions=1)
    append(made, 0, [event(number) for number in range(30)])
    return bench.pipeline(f"import-{uuid.uuid4().hex[:8]}", made.topic, **IMPORT), made
