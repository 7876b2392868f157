"""The flow `backfill` on a real Prefect server: its form, plan, links and progress, its helpers on a work pool."""

from __future__ import annotations

import json
import os
import re
import signal
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deployments.local.api import PrefectApi
from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench
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
    refused = backfill(**parameters)
    assert (refused["state_type"], "Give a reason" in refused["state"]["message"]) == ("FAILED", True)
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


def test_runs_on_the_work_pool_help_and_one_that_is_killed_leaves_nothing_undone(
    api: PrefectApi, backfill: Backfill, bench: Bench
) -> None:
    written = topic(bench.servers, partitions=2)
    for partition in written.classes:
        append(written, partition, [event(1000 * partition + number) for number in range(600)])
    name = late(bench, written, limits={"max_records": 40})
    asked = {"pipeline": name, "dry_run": False, "reason": "tried", "rows_per_second": 25, "max_parallel": 1}
    deployment = api.deployment("backfill/backfill")["id"]
    parent = api.trigger(deployment, {**asked, "where": "work_pool", "workers": 2})

    def helper() -> str:
        """A run that has sealed a slot, and did not make the claim."""
        runs = {item["run"] for item in bench.books(name).slots.values()} - {parent}
        return next(iter(runs), "")

    wait_until(lambda: bool(helper()), RUN_S, "another run to seal a slot")
    killed = helper()
    os.kill(int(api.run(killed)["infrastructure_pid"].rpartition(":")[2]), signal.SIGKILL)
    ended = api.wait_for(parent, deadline_s=RUN_S)
    assert ended["state_type"] == "COMPLETED", ended["state"]
    books = bench.books(name)
    books.audit(written)
    assert set(bench.ids(name)) == set(written.good)
    twice = bench.arize.repeated_ids(name)
    assert not twice or bench.doubted(name)
    assert len({item["run"] for item in books.slots.values()}) >= 2
