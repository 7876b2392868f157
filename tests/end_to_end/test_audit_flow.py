"""The flow `audit` on a real Prefect server: its form, its page, its events, and how it ends."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deployments.local.api import PrefectApi
from deployments.local.processes import wait_until
from sluice.ledger.keys import Keys
from tests.end_to_end.bench import Bench
from tests.end_to_end.deployed import RUN_S
from tests.end_to_end.events import CANARY, Written

if TYPE_CHECKING:
    from deployments.local.prefect_server import PrefectServer
    from deployments.local.processes import Child


@pytest.fixture
def api(server: PrefectServer, worker: Child) -> PrefectApi:
    return PrefectApi(server.api_url)


def audited(api: PrefectApi, **parameters: Any) -> dict[str, Any]:
    """Run the deployment of the demo's pipeline, for another pipeline."""
    deployment = api.deployment("audit/flights")
    return api.wait_for(api.trigger(deployment["id"], parameters), deadline_s=RUN_S)


def page_of(api: PrefectApi, name: str) -> str:
    """The newest page of a pipeline's audits."""
    found = api.artifacts(sort="CREATED_DESC", limit=200)
    return str(next(item["data"] for item in found if item["key"].startswith(f"audit-{name}-")))


def events_of(api: PrefectApi, name: str, count: int) -> list[dict[str, Any]]:
    """Wait until Prefect, which writes them down in batches, has so many events of a pipeline; oldest first."""
    asked = {"filter": {"resource": {"id": [f"sluice.pipeline.{name}"]}}, "limit": 50}
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        found[:] = api.ask("POST", "/events/filter", asked)["events"]
        return len(found) >= count

    wait_until(are_there, 60, f"{count} events of {name}")
    return sorted(found, key=lambda item: str(item["occurred"]))


def test_the_flow_leaves_a_page_and_fails_where_something_is_damaged(
    api: PrefectApi, bench: Bench, flights: Written
) -> None:
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", flights.topic, limits={"max_records": 1000})
    bench.finished(name)
    ledger = bench.books(name).entries[0]["id"][:8]
    row = {"entry": 1, "topic": flights.topic, "partition": 0, "start": 0, "stop": flights.ends[0], "staged": 10**6}
    api.ask("POST", "/artifacts/", {"key": f"offsets-{name}-{ledger}", "type": "table", "data": json.dumps([row])})
    well = audited(api, pipeline=name)
    assert well["state_type"] == "COMPLETED"
    assert well["state"]["message"].startswith("2 entries: 1 warning. The first: Entry 1: ")
    page = page_of(api, name)
    assert f"Entry 1: {flights.topic}[0] 0..{flights.ends[0]} differs in staged" in page
    assert f"{flights.topic}[1] 0..{flights.ends[1]} is missing" in page
    (Path(bench.store) / Keys(name).entry(1)).unlink()
    damaged = audited(api, pipeline=name, full=True)
    assert (damaged["state_type"], "docs/runbook.md#audit-failed" in damaged["state"]["message"]) == ("FAILED", True)
    page = page_of(api, name)
    assert "the newest are gone" in page
    assert CANARY not in page
    told_of = events_of(api, name, 4)
    assert [item["event"] for item in told_of] == ["sluice.audit.found", "sluice.run.finished"] * 2
    warned, found = [item for item in told_of if item["event"] == "sluice.audit.found"]
    assert (warned["resource"]["sluice.severity"], warned["payload"]["warnings"]) == ("warning", 1)
    assert (found["resource"]["sluice.severity"], found["payload"]["findings"][0]["check"]) == ("error", "mark")
    assert told_of[-1]["resource"]["sluice.problem"] == "AuditFailed"


def test_the_form_explains_every_field(api: PrefectApi) -> None:
    found = api.deployment("audit/flights")
    schema = found["parameter_openapi_schema"]
    assert schema["required"] == ["pipeline"]
    assert all(len(field["description"]) > 15 for name, field in schema["properties"].items() if name != "pipeline")
