"""The flow `ground_truth` on a real Prefect server: its run, its pages, its event, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deployments.local.api import PrefectApi
from tests.end_to_end.bench import Bench
from tests.end_to_end.deployed import RUN_S
from tests.end_to_end.events import CANARY
from tests.end_to_end.test_audit_flow import events_of
from tests.end_to_end.truths import Pair, prediction, topics, truth, write

if TYPE_CHECKING:
    from deployments.local.prefect_server import PrefectServer
    from deployments.local.processes import Child

ASKED: dict[str, Any] = {"coverage": {"at_least": 0.5, "after_days": 1}}


@pytest.fixture
def api(server: PrefectServer, worker: Child) -> PrefectApi:
    return PrefectApi(server.api_url)


def run(api: PrefectApi, pipeline: str, **parameters: Any) -> dict[str, Any]:
    """Run the deployment of the sample's actuals, for another pipeline."""
    deployment = api.deployment("ground_truth/arrivals")
    return api.wait_for(api.trigger(deployment["id"], {"pipeline": pipeline, **parameters}), deadline_s=RUN_S)


def test_a_catch_up_ends_with_the_coverage_its_page_its_table_and_what_is_below(api: PrefectApi, bench: Bench) -> None:
    pair = Pair.of(bench, *topics(bench.servers), **ASKED)
    write(pair.predictions, [prediction(number) for number in range(6)])
    bench.finished(pair.flights)
    write(pair.actuals, [truth(number) for number in (0, 1, 2, 77)])
    write(pair.actuals, [truth(2)], kind="repeated")
    done = run(api, pair.arrivals)
    assert done["state_type"] == "COMPLETED", done["state"]["message"]
    told = "3 of 6 predictions have their truth (50%); 1 actual matches nothing"
    assert done["state"]["message"].endswith(f". {told}")
    assert done["name"].startswith(f"{pair.arrivals} 0..5 → 4 rows")
    found = {item["key"].rpartition("-")[0]: item for item in api.artifacts(sort="CREATED_DESC", limit=200)}
    page, table = found[f"coverage-{pair.arrivals}"], found[f"coverage-days-{pair.arrivals}"]
    assert told in page["description"]
    assert f"{pair.actuals.topic}[0] 3..4" in page["data"]
    rows = json.loads(table["data"]) if isinstance(table["data"], str) else table["data"]
    assert sorted(row["with_actual"] for row in rows) == [0, 0, 0, 1, 1, 1]
    assert CANARY not in json.dumps([page["data"], table["data"]])
    below, ended = [item for item in events_of(api, pair.arrivals, 3) if "window" not in item["event"]]
    assert (below["event"], ended["event"]) == ("sluice.coverage.below", "sluice.run.finished")
    assert below["payload"]["days_below"] == 3
    pair.check_ledgers()
    again = run(api, pair.arrivals, days=30)
    assert again["state"]["message"] == f"Nothing new. {told}"


def test_what_cannot_be_matched_fails_the_run_and_what_was_delivered_stays(api: PrefectApi, bench: Bench) -> None:
    pair = Pair.of(bench, *topics(bench.servers))
    write(pair.predictions, [prediction(0)])
    bench.finished(pair.flights)
    write(pair.actuals, [truth(0)])
    short = run(api, pair.arrivals, days=3)
    assert (short["state_type"], "shorter than the joining window" in short["state"]["message"]) == ("FAILED", True)
    assert pair.sent() == [], "a wrong parameter stops a run before it reads"
    (file,) = bench.books(pair.flights).store.keys(f"staged/{pair.flights}/")
    kept = bench.books(pair.flights).store.read(file)
    bench.books(pair.flights).store.delete(file)
    bench.books(pair.flights).store.put_once(file, b"something else")
    failed = run(api, pair.arrivals)
    assert (failed["state_type"], "StagedFileDamaged" in failed["state"]["message"]) == ("FAILED", False)
    assert "docs/runbook.md#staged-file-damaged" in failed["state"]["message"]
    assert pair.sent() == pair.actuals.good
    bench.books(pair.flights).store.delete(file)
    bench.books(pair.flights).store.put_once(file, kept or b"")
    assert run(api, pair.arrivals)["state"]["message"].startswith("Nothing new. 1 of 1 predictions have their truth")
    pair.check()


def test_actuals_that_name_no_predictions_are_delivered_without_a_coverage(api: PrefectApi, bench: Bench) -> None:
    pair = Pair.of(bench, *topics(bench.servers))
    file = yaml.safe_load(bench.file(pair.arrivals).read_text())
    del file["predictions"]
    file["arize"] = {"model": pair.flights, "type": "binary_classification"}
    bench.file(pair.arrivals).write_text(yaml.safe_dump(file))
    write(pair.actuals, [truth(0)])
    done = run(api, pair.arrivals)
    assert done["state_type"] == "COMPLETED", done["state"]["message"]
    assert done["state"]["message"].endswith(f"{pair.arrivals} does not name its `predictions`")
    assert pair.sent() == pair.actuals.good


def test_what_waits_for_its_predictions_is_said(api: PrefectApi, bench: Bench) -> None:
    pair = Pair.of(bench, *topics(bench.servers), limits={"max_records": 2})
    bench.actuals(pair.arrivals, pair.actuals.topic, pair.flights, policies={"wait_for": pair.flights})
    write(pair.predictions, [prediction(number) for number in range(4)])
    assert bench.run(pair.flights, "--max-windows", "1").code == 0
    write(pair.actuals, [truth(number) for number in range(4)])
    waits = run(api, pair.arrivals)["state"]["message"]
    assert waits.startswith("Nothing new. Actuals from ")
    assert f" on wait: {pair.flights} is delivered up to then. 0 of 2 predictions have their truth (0%)" in waits
    bench.finished(pair.flights)
    assert " wait: " not in run(api, pair.arrivals)["state"]["message"]
    pair.check()


def test_the_form_explains_every_field(api: PrefectApi) -> None:
    schema = api.deployment("ground_truth/arrivals")["parameter_openapi_schema"]
    assert schema["required"] == ["pipeline"]
    assert all(len(field["description"]) > 15 for name, field in schema["properties"].items() if name != "pipeline")
