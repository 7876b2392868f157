"""The flow on a real Prefect server: what it delivers, and what it leaves for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import PrefectServer
from deployments.local.processes import wait_until
from flows.cli_automations import OWN
from flows.ingest import ingest
from sluice.errors import LedgerMoved, SourceUnavailable, StoreUnavailable, TopicRecreated
from tasks.automations import arrange
from tasks.links import run_form_link
from tasks.verbs import commit_group, deliver_part, plan_run, record_run, stage_window
from tests.end_to_end.deployed import Deployed, automations_gone
from tests.end_to_end.events import CANARY, Written, append, event, everything, topic
from tests.end_to_end.receiver import receiver

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

PLACE = ("topic", "partition", "start", "stop")


def test_a_deployed_schedule_yields_scheduled_runs(server: PrefectServer) -> None:
    api = PrefectApi(server.api_url)
    deployment = api.deployment("ingest/flights")

    def scheduled() -> list[dict[str, Any]]:
        states = {"type": {"any_": ["SCHEDULED"]}}
        return api.runs(deployments={"id": {"any_": [deployment["id"]]}}, flow_runs={"state": states})

    wait_until(lambda: bool(scheduled()), 60, "the schedule's runs")
    assert all(run["parameters"] == {"pipeline": "flights"} for run in scheduled())
    assert deployment["pull_steps"] == []
    assert deployment["entrypoint"] == "flows.ingest.ingest"
    assert deployment["global_concurrency_limit"]["limit"] == 1


def test_the_form_explains_every_field(server: PrefectServer) -> None:
    schema = PrefectApi(server.api_url).deployment("ingest/flights")["parameter_openapi_schema"]
    assert set(schema["properties"]) == {"pipeline", "max_windows", "until"}
    assert all(len(field["description"]) > 20 for field in schema["properties"].values())
    assert schema["required"] == ["pipeline"]


def test_a_link_fills_the_form_in_and_keeps_what_the_deployment_sets(server: PrefectServer) -> None:
    deployment = PrefectApi(server.api_url).deployment("ingest/flights")
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        link = run_form_link("ingest/flights", {"max_windows": 3})
        assert run_form_link("ingest/no-such-one", {}) is None
    address, _, query = str(link).partition("?")
    assert address == f"{server.ui_url}/v2/deployments/deployment/{deployment['id']}/run"
    assert json.loads(parse_qs(query)["parameters"][0]) == {"pipeline": "flights", "max_windows": 3}


def test_a_run_delivers_names_itself_and_leaves_plan_ledger_and_map(
    deploy: Callable[..., Deployed], kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    run, again = flow.run(), flow.run()
    assert run["state_type"] == "COMPLETED", run["state"]
    assert flow.bench.ids(flow.name) == written.good
    assert run["name"] == f"{flow.name} {sum(written.ends.values())} offsets of 2 partitions → {len(written.good)} rows"
    assert (again["state_type"], again["name"]) == ("COMPLETED", f"{flow.name} nothing new → 0 rows")
    _check_plan(flow, written)
    _check_ledger_page(flow, written)
    _check_map(flow, written)
    _check_log(flow, run["id"])
    _check_events(flow, written, [run, again])
    flow.check_no_canary()


def _check_plan(flow: Deployed, written: Written) -> None:
    (plan,) = flow.artifacts("plan")
    rows = json.loads(plan["data"])
    assert [(row["partition"], row["start"], row["stop"]) for row in rows] == [
        (n, 0, end) for n, end in written.ends.items()
    ]


def _check_ledger_page(flow: Deployed, written: Written) -> None:
    """The page has all that a replay needs, and says what the ledger says, which needs no artifact."""
    (page,) = flow.artifacts("offsets")
    rows = json.loads(page["data"])
    for artifact in [*flow.artifacts("plan"), page]:
        flow.api.ask("DELETE", f"/artifacts/{artifact['id']}")
    assert flow.artifacts("offsets") == []
    told = {(row["entry"], row["partition"]): row for row in rows}
    sealed = flow.bench.books(flow.name).sealed
    assert set(told) == {(number, item["partition"]) for number, entry in sealed.items() for item in entry["ranges"]}
    for number, entry in sealed.items():
        for item in entry["ranges"]:
            row = told[number, item["partition"]]
            assert [row[name] for name in PLACE] == [item[name] for name in PLACE]
            assert {name: row[name] for name in item["balance"]} == item["balance"]
            assert (row["file"], row["sha256"]) == (entry["staged"]["key"], entry["staged"]["sha256"])
            assert row["status"] == "committed"
            assert row["committed_at"]
            assert row["receipt"]
    assert sum(row["staged"] for row in rows) == len(written.good)


def _check_map(flow: Deployed, written: Written) -> None:
    """The second run had nothing to do, and drew nothing."""
    (chart,) = flow.artifacts("map")
    markdown = chart["data"]
    assert markdown.startswith("![2 partitions: ")
    assert "(data:image/svg+xml;base64," in markdown
    assert [line for line in markdown.splitlines() if line.startswith("| ")][1:] == [
        "| --: | --: | --: | --: |",
        *(f"| {number} | 0 | {end} | {end} |" for number, end in written.ends.items()),
    ]


def _check_log(flow: Deployed, run_id: str) -> None:
    """The steps are in the run's log, each with its range, and the links to its three artifacts."""

    def lines() -> list[str]:
        found = flow.api.ask("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200})
        return [line["message"] for line in found]

    # Logs are sent in batches, the last one when the process ends.
    wait_until(lambda: any(line.startswith("group.committed") for line in lines()), 60, "the run's log")
    of_a_range = re.compile("(window|delivery|part|group)[.]")
    told = [line for line in lines() if of_a_range.match(line)]
    assert {"window.sealed", "delivery.intended", "part.delivered", "group.committed"} <= {
        line.split()[0] for line in told
    }
    assert [line for line in told if not re.search(r"\[\d\](:| \d+[.][.])\d+", line)] == []
    links = [line.rpartition(": ")[2] for line in lines() if "/artifacts/artifact/" in line]
    assert len(links) == 3
    assert all(link.startswith(f"{flow.server.ui_url}/v2/artifacts/artifact/") for link in links)


def _check_events(flow: Deployed, written: Written, runs: list[dict[str, Any]]) -> None:
    """One of each window, one more where it rejected records, and one of each run, with the flow run beside it."""
    sealed = flow.bench.books(flow.name).sealed
    rejecting = [number for number, entry in sealed.items() if "rejected" in entry]
    assert rejecting
    *events, last = flow.events(len(sealed) + len(rejecting) + len(runs))
    assert [_flow_run(event) for event in (*events, last)] == [runs[0]["id"]] * len(events) + [runs[1]["id"]]
    told = {(event["event"], event["payload"].get("entry")): event["payload"] for event in events}
    assert told.keys() == {
        *(("sluice.window.delivered", number) for number in sealed),
        *(("sluice.window.rejected", number) for number in rejecting),
        ("sluice.run.finished", None),
    }
    delivered = [told["sluice.window.delivered", number] for number in sealed]
    assert sum(payload["rows_accepted"] for payload in delivered) == len(written.good)
    assert told["sluice.run.finished", None]["entries"] == [*sealed]
    assert (last["event"], last["payload"]["entries"], last["payload"]["left_to_read"]) == (
        "sluice.run.finished",
        [],
        0,
    )
    assert last["resource"]["sluice.flow"] == "ingest"
    assert last["payload"]["url"].endswith(f"/runs/flow-run/{runs[1]['id']}")


def _flow_run(event: dict[str, Any]) -> str:
    """The flow run that an event is related to."""
    ids = {item["prefect.resource.role"]: item["prefect.resource.id"] for item in event["related"]}
    return str(ids["flow-run"]).removeprefix("prefect.flow-run.")


@pytest.fixture
def on_call(server: PrefectServer) -> Iterator[list[dict[str, str]]]:
    """The messages that the automations send, to a block of Prefect's own."""
    with (
        receiver() as (address, messages),
        temporary_settings({PREFECT_API_URL: server.api_url}),
        automations_gone(server),
    ):
        told = {"subject": "{{subject}}", "body": "{{body}}"}
        block = CustomWebhookNotificationBlock(name="on call", url=address, json_data=told, headers=None, cookies=None)
        block.save("on-call", overwrite=True)
        arrange(OWN, "custom-webhook/on-call")
        yield messages


def test_a_held_run_is_red_and_says_the_next_step_also_to_people_on_call(
    deploy: Callable[..., Deployed], kafka: Kafka, on_call: list[dict[str, str]]
) -> None:
    written = topic(kafka.bootstrap_servers, 1)
    append(written, 0, [event(0), b"{", b"{"])
    flow = deploy(written.topic, policies={"max_rejected": {"share": 0.1, "of_at_least": 3}})
    run = flow.run()
    assert (run["state_type"], run["state_name"]) == ("FAILED", "Held")
    assert "sluice resolve FILE --entry 1 deliver|redo|drop" in run["state"]["message"]
    assert run["name"].endswith("→ 0 rows, held")
    wait_until(lambda: bool(on_call), 60, "the message")
    (message,) = on_call
    assert message["subject"] == f"Sluice pipeline held: {flow.name}"
    assert run["state"]["message"] in message["body"]
    assert f"/runs/flow-run/{run['id']}" in message["body"]
    held, rejected, finished = flow.events(3)
    assert [held["event"], rejected["event"]] == ["sluice.window.held", "sluice.window.rejected"]
    assert (finished["resource"]["sluice.state"], finished["payload"]["error"]) == ("held", "WindowHeld")
    flow.check_no_canary()


def test_a_failed_run_is_red_and_quotes_no_value(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = topic(kafka.bootstrap_servers, 1)
    append(written, 0, [event(0)])
    flow = deploy(written.topic)
    flow.bench.arize.script("status", status=422, message=f"row 0: label {CANARY}-label-0 is bad", model=flow.name)
    run = flow.run()
    assert run["state_type"] == "FAILED"
    assert "HTTP 422: row … label … is bad" in run["state"]["message"]
    flow.check_no_canary()


def test_a_run_that_ends_by_a_bug_is_told_of_too_by_the_error_s_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[dict[str, str], dict[str, Any]]] = []

    def fails(*_: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("flows.running.run_pipeline", fails)
    monkeypatch.setattr(
        "tasks.emitting.emit_event", lambda name, resource, payload, **_: told.append((resource, payload))
    )
    with pytest.raises(ValueError, match=CANARY):
        ingest.fn("flights")
    ((resource, payload),) = told
    assert (resource["sluice.state"], resource["sluice.problem"]) == ("failed", "ValueError")
    assert CANARY not in json.dumps(payload)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (SourceUnavailable("gone"), True),
        (StoreUnavailable("gone"), True),
        (LedgerMoved("another run"), False),
        (TopicRecreated("another topic"), False),
        (ValueError("a bug"), False),
    ],
)
def test_a_stage_is_tried_again_where_that_may_help(error: Exception, again: bool) -> None:
    assert stage_window.retries == 3
    assert stage_window.retry_condition_fn is not None
    state: State[Any] = Failed(data=error)
    assert stage_window.retry_condition_fn(stage_window, None, state) == again  # type: ignore[arg-type]
    assert [task.retries for task in (plan_run, deliver_part, commit_group, record_run)] == [0] * 4
