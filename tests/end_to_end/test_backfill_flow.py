"""The flow `backfill` on a real Prefect server: its form, plan, links and progress, its helpers on a work pool."""

from __future__ import annotations

import json
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deployments.local.api import PrefectApi
from deployments.local.processes import wait_until
from flows.backfill import backfill as flow
from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.deployed import RUN_S
from tests.end_to_end.events import Written, append, event, group_positions, topic

if TYPE_CHECKING:
    from deployments.local.prefect_server import PrefectServer
    from deployments.local.processes import Child

LATE: dict[str, Any] = {"source": {"kafka": {"start": "latest"}}}
Backfill = Callable[..., dict[str, Any]]


@pytest.fixture
def api(server: PrefectServer, worker: Child) -> PrefectApi:
    return PrefectApi(server.api_url)


@pytest.fixture
def backfill(api: PrefectApi) -> Backfill:
    """Start the deployment with these parameters, and wait for the run's end."""

    def run(**parameters: Any) -> dict[str, Any]:
        return api.wait_for(api.trigger(api.deployment("backfill/backfill")["id"], parameters), deadline_s=RUN_S)

    return run


def artifact(api: PrefectApi, key: str) -> dict[str, Any]:
    """The newest artifact of a key."""
    found = api.artifacts(sort="CREATED_DESC", limit=200)
    return next(item for item in found if item["key"] == key)


def link_of(text: str) -> dict[str, Any]:
    """The parameters of the form that a page links."""
    address = re.search(r"\((http[^)]*/run\?parameters=[^)]*)\)", text)
    assert address, text
    parameters: dict[str, Any] = json.loads(parse_qs(urlsplit(address[1]).query)["parameters"][0])
    return parameters


def finished(api: PrefectApi, name: str, count: int) -> list[tuple[str, str]]:
    """What so many runs of a pipeline told at their end, oldest first: flow and state. Prefect writes it in batches."""
    asked = {"event": {"name": ["sluice.run.finished"]}, "resource": {"id": [f"sluice.pipeline.{name}"]}}
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        found[:] = api.ask("POST", "/events/filter", {"filter": asked})["events"]
        return len(found) >= count

    wait_until(are_there, 60, f"{count} ends of runs of {name}")
    labels = [item["resource"] for item in sorted(found, key=lambda item: str(item["occurred"]))]
    return [(item["sluice.flow"], item["sluice.state"]) for item in labels]


def late(bench: Bench, written: Written, **changed: Any) -> str:
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic, **LATE, **changed)
    bench.finished(name)
    return name


def test_the_form_explains_every_field_and_runs_dry_unless_it_is_told(api: PrefectApi) -> None:
    schema = api.deployment("backfill/backfill")["parameter_openapi_schema"]
    assert schema["required"] == ["pipeline"]
    assert schema["properties"]["dry_run"]["default"] is True
    assert all(len(field["description"]) > 15 and "`" not in field["description"] for name, field in
               schema["properties"].items() if name != "pipeline")  # fmt: skip


def test_a_dry_run_links_the_form_that_runs_it_and_the_run_shows_what_it_did(
    api: PrefectApi, backfill: Backfill, bench: Bench, flights: Written
) -> None:
    name = late(bench, flights)
    dry = backfill(pipeline=name, since="2020-01-01T00:00:00+00:00")
    assert (dry["state_type"], bench.ids(name)) == ("COMPLETED", [])
    page = artifact(api, f"backfill-plan-{name}")["data"]
    parameters = link_of(page)
    assert (parameters["dry_run"], parameters["pipeline"], parameters["since"][:4]) == (False, name, "2020")
    done = backfill(**{**parameters, "reason": "tried"})
    assert done["state_type"] == "COMPLETED", done["state"]
    assert bench.ids(name) == flights.good
    assert group_positions(name, flights) in ({}, flights.ends)
    assert artifact(api, f"backfill-progress-{name}")["data"] in ("100.0", 100.0, "100")
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    slug = f"{name}-{books.entries[0]['id'][:8]}"
    rows = json.loads(artifact(api, f"offsets-{slug}")["data"])
    assert {row["entry"] for row in rows} == {f"{claim}/{slot}" for claim, slot in books.slots}
    assert "by backfill" in artifact(api, f"map-{slug}")["data"]


def test_what_failed_is_a_table_with_the_form_that_tries_it_again(
    api: PrefectApi, backfill: Backfill, bench: Bench, thirty: Written
) -> None:
    name = late(bench, thirty)
    bench.arize.script("status", status=400, model=name)
    failed = backfill(pipeline=name, dry_run=False, reason="tried")
    assert failed["state_type"] == "FAILED"
    table = artifact(api, f"backfill-failed-{name}")
    assert [row["slot"] for row in json.loads(table["data"])] == ["1/0"]
    again = backfill(**link_of(table["description"]))
    assert again["state_type"] == "COMPLETED", again["state"]
    assert bench.ids(name) == thirty.good
    assert finished(api, name, 2) == [("backfill", "failed"), ("backfill", "done")]


@contextmanager
def paused(worker: Child) -> Iterator[None]:
    """A worker that begins no run."""
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def test_of_two_workers_one_is_killed_whole_and_one_s_run_is_cancelled_and_a_second_start_finishes(
    api: PrefectApi, backfill: Backfill, bench: Bench, server: PrefectServer, worker: Child
) -> None:
    written = topic(bench.servers, partitions=2)
    for partition in written.classes:
        append(written, partition, [event(1000 * partition + number) for number in range(280)])
    name = late(bench, written, limits={"max_records": 40})
    asked = {"pipeline": name, "dry_run": False, "reason": "tried", "max_parallel": 1}

    def runs() -> set[str]:
        return {item["run"] for item in bench.books(name).slots.values()}

    with server.worker({**bench.environment, "SLUICE_STORE": bench.store}) as other:
        with paused(worker):
            help_wanted = {**asked, "rows_per_second": 10, "where": "work_pool", "workers": 1}
            first = api.trigger(api.deployment("backfill/backfill")["id"], help_wanted)
            api.wait_for(first, "RUNNING", deadline_s=RUN_S)
            os.kill(other.pid, signal.SIGSTOP)  # the helper is for the other one
        wait_until(lambda: len(runs()) == 2, RUN_S, "windows by both workers' runs")
        other.kill()
        os.killpg(int(api.run(first)["infrastructure_pid"].rpartition(":")[2]), signal.SIGKILL)
    (helper,) = runs() - {first}
    api.cancel(helper)
    ended = api.wait_for(helper, deadline_s=RUN_S)
    assert ended["state_type"] == "CANCELLED"
    assert re.fullmatch(rf"backfill of {name} cancelled, [\d,]+ of [\d,]+ offsets taken", ended["name"])
    books = bench.books(name)
    books.audit(written)
    assert len(books.slots) < 14
    of_the_cancelled = [slot for slot, item in books.slots.items() if item["run"] == helper]
    known = [set(item) for slot in of_the_cancelled for part in range(2) for item in books.deliveries(slot, part)]
    assert {"intent"} not in known, "it ended in the middle of a send"
    assert api.run(first)["state_type"] == "RUNNING"
    api.crash(first, "as Prefect's automation for missing heartbeats does")
    done = backfill(**asked)
    assert done["state_type"] == "COMPLETED", done["state"]
    books = bench.books(name)
    books.audit(written)
    assert (len(books.slots), len(runs())) == (14, 3)
    assert set(bench.ids(name)) == set(written.good)
    doubted = {
        (int(claim), int(slot)) for claim, _, slot in (str(item).partition("/") for item, _ in bench.doubted(name))
    }
    assert set(bench.arize.repeated_ids(name)) <= {
        id_ for slot in doubted for id_ in written.good_of(books.sealed[slot])
    }
    assert finished(api, name, 2) == [("backfill", "cancelled"), ("backfill", "done")]


def test_a_run_that_no_worker_watches_over_sees_that_it_was_cancelled_and_its_message_says_how_far_it_came(
    api: PrefectApi, bench: Bench, server: PrefectServer
) -> None:
    written = topic(bench.servers, partitions=1)
    append(written, 0, [event(number) for number in range(300)])
    name = late(bench, written, limits={"max_records": 10})
    reason = ("--run", "--reason", "tried")
    with ThreadPoolExecutor(1) as beside:
        command = ("backfill", name, *reason, "--rows-per-second", "10", "--json")
        running = beside.submit(cold, bench, *command, **server.environment())
        wait_until(lambda: bool(bench.books(name).slots), RUN_S, "a window")
        run = next(iter(bench.books(name).slots.values()))["run"]
        api.cancel(run)
        done = running.result()
    ended = api.run(run)
    assert (done.code, done.found["state"], ended["state_type"]) == (1, "cancelled", "CANCELLED")
    assert re.search(
        r"was cancelled, [\d,]+ of 300 offsets taken\. Start it again, and it goes on", done.found["message"]
    )
    assert ended["state"]["message"] == done.found["message"]
    assert 0 < len(bench.books(name).slots) < 30
    again = bench.sluice("backfill", name, *reason)
    assert again.found["state"] == "done", again.err
    bench.books(name).audit(written)
    bench.books(name).audit_delivered()
    assert bench.ids(name) == written.good


def test_a_backfill_without_a_reason_is_refused_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr("tasks.emitting.emit_event", lambda _, resource, **__: told.append(resource))
    state = flow.fn("no-such-pipeline", dry_run=False)
    assert (state.type, "Give a reason" in str(state.message)) == ("FAILED", True)
    assert [resource["sluice.problem"] for resource in told] == ["WrongUse"]
