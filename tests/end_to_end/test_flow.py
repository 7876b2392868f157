"""The flow on a real Prefect server: what it delivers, what it leaves for people, and what it costs."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prefect.client.schemas.objects import State
from prefect.states import Failed

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import PREFECT_YAML, PrefectServer, running_prefect
from deployments.local.processes import Child, wait_until
from sluice.errors import LedgerMoved, SourceUnavailable, StoreUnavailable, TopicRecreated
from tasks.limits import limit_of
from tasks.verbs import commit_group, deliver_part, plan_run, record_run, stage_window
from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.events import CANARY, Written, append, event, everything, group_positions, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

RUN_S = 120.0
PLACE = ("topic", "partition", "start", "stop")


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A pipeline of a test's own, deployed as the sample is, with its schedule out of the way."""

    name: str
    deployment: str
    api: PrefectApi
    server: PrefectServer
    bench: Bench

    def trigger(self, **variables: str) -> str:
        return self.api.trigger(self.deployment, None, **variables)

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.api.wait_for(run_id, deadline_s=RUN_S)

    def run(self) -> dict[str, Any]:
        """Trigger a run and wait for its end; a worker must be there."""
        return self.ended(self.trigger())

    def artifacts(self, kind: str) -> list[dict[str, Any]]:
        """The artifacts of this pipeline, oldest first: `plan` or `offsets`."""
        found = self.api.artifacts(sort="CREATED_DESC", limit=200)
        return [item for item in reversed(found) if item["key"].startswith(f"{kind}-{self.name}-")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One server with the deployments of `prefect.yaml`."""
    with running_prefect(tmp_path_factory.mktemp("prefect")) as running:
        running.make_pool()
        running.deploy()
        yield running


@pytest.fixture(scope="module")
def worker(server: PrefectServer, bench: Bench) -> Iterator[Child]:
    """One worker for all tests; who kills it starts it again."""
    with server.worker({**bench.environment, "SLUICE_STORE": bench.store}) as running:
        yield running


@pytest.fixture
def deploy(server: PrefectServer, worker: Child, bench: Bench, tmp_path: Path) -> Callable[..., Deployed]:
    def deployed(topics: str, **changed: Any) -> Deployed:
        name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", topics, **changed)
        file = yaml.safe_load(PREFECT_YAML.read_text())
        sample = file["deployments"][0]
        ours = {**sample, "name": name, "parameters": {"pipeline": name}, "schedules": []}
        (tmp_path / "prefect.yaml").write_text(yaml.safe_dump({"pull": [], "deployments": [ours]}))
        server.deploy(tmp_path / "prefect.yaml")
        api = PrefectApi(server.api_url)
        found = api.deployment(f"ingest/{name}")
        return Deployed(name=name, deployment=found["id"], api=api, server=server, bench=bench)

    return deployed


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


def test_a_run_delivers_names_itself_and_leaves_plan_and_ledger(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    run, again = flow.run(), flow.run()
    assert run["state_type"] == "COMPLETED", run["state"]
    assert flow.bench.ids(flow.name) == written.good
    assert run["name"] == f"{flow.name} {sum(written.ends.values())} offsets of 2 partitions → {len(written.good)} rows"
    assert (again["state_type"], again["name"]) == ("COMPLETED", f"{flow.name} nothing new → 0 rows")
    _check_plan(flow, written)
    _check_ledger_page(flow, written)
    _check_log(flow, run["id"])
    _check_no_canary(flow)


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


def _check_log(flow: Deployed, run_id: str) -> None:
    """The steps are in the run's log, each with its range, and the links to its two artifacts."""

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
    assert len([line for line in lines() if "/v2/artifacts/artifact/" in line]) == 2


def _check_no_canary(flow: Deployed) -> None:
    """Neither a value of an event nor a secret is anywhere in Prefect's database."""
    database = sqlite3.connect(f"file:{flow.server.directory / 'prefect.db'}?mode=ro", uri=True)
    dump = "\n".join(database.iterdump())
    assert flow.name in dump
    for secret in (CANARY, *flow.bench.secrets):
        assert secret not in dump


@pytest.mark.parametrize("step", ["window.sealed:2", "group.committing:1"])
def test_a_worker_and_its_run_killed_at_a_step_are_finished_by_the_next_run(
    step: str, deploy: Callable[..., Deployed], worker: Child, kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    dead = flow.trigger(SLUICE_DRILL=f"{step}:parent")
    wait_until(lambda: not worker.alive, RUN_S, "the worker to be killed")
    worker.restart()
    assert flow.api.run(dead)["state_type"] == "RUNNING"
    flow.api.crash(dead, "as Prefect's automation for missing heartbeats does")
    run = flow.run()
    assert run["state_type"] == "COMPLETED", run["state"]
    assert flow.bench.ids(flow.name) == written.good
    flow.bench.books(flow.name).audit(written)
    flow.bench.books(flow.name).audit_delivered()
    assert group_positions(flow.name, written) == written.ends


def test_a_server_restarted_in_the_middle_costs_no_row_and_doubles_none(
    deploy: Callable[..., Deployed], kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    flow.bench.arize.script("slow", seconds=4, model=flow.name)
    first = flow.trigger()
    wait_until(lambda: bool(flow.bench.sends(flow.name)), RUN_S, "the first send")
    flow.server.process.restart(crash=True)
    ended, run = flow.ended(first), flow.run()
    assert (ended["state_type"], run["state_type"]) == ("COMPLETED", "COMPLETED"), (ended["state"], run["state"])
    assert flow.bench.ids(flow.name) == written.good
    flow.bench.books(flow.name).audit_delivered()


def test_the_runs_of_a_space_share_its_limit(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    limit = f"/v2/concurrency_limits/{limit_of(flow.bench.arize.space_id)}"
    name = limit.rpartition("/")[2]
    flow.api.ask("POST", "/v2/concurrency_limits/", {"name": name, "limit": 1})
    try:
        flow.bench.arize.script("slow", seconds=3, model=flow.name)
        run = flow.trigger()
        wait_until(lambda: bool(flow.bench.sends(flow.name)), RUN_S, "the first send")
        assert flow.api.ask("GET", limit)["active_slots"] == 1
        assert flow.ended(run)["state_type"] == "COMPLETED"
        assert flow.api.ask("GET", limit)["active_slots"] == 0
    finally:
        flow.api.ask("DELETE", limit)


def test_a_held_run_is_red_and_says_the_next_step(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = topic(kafka.bootstrap_servers, 1)
    append(written, 0, [event(0), b"{", b"{"])
    flow = deploy(written.topic, policies={"max_rejected": {"share": 0.1, "of_at_least": 3}})
    run = flow.run()
    assert (run["state_type"], run["state_name"]) == ("FAILED", "Held")
    assert "sluice resolve FILE --entry 1 deliver|redo|drop" in run["state"]["message"]
    assert run["name"].endswith("→ 0 rows, held")
    _check_no_canary(flow)


def test_a_failed_run_is_red_and_quotes_no_value(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = topic(kafka.bootstrap_servers, 1)
    append(written, 0, [event(0)])
    flow = deploy(written.topic)
    flow.bench.arize.script("status", status=422, message=f"row 0: label {CANARY}-label-0 is bad", model=flow.name)
    run = flow.run()
    assert run["state_type"] == "FAILED"
    assert "HTTP 422: row … label … is bad" in run["state"]["message"]
    _check_no_canary(flow)


def test_the_command_runs_through_prefect_where_an_api_is_named(
    bench: Bench, server: PrefectServer, kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic)
    api = PrefectApi(server.api_url)
    done = cold(bench, "run", name, "--json", **server.environment())
    assert (done.code, done.found["state"], done.found["pipeline"]) == (0, "done", name)
    assert api.run(done.found["run_id"])["state_type"] == "COMPLETED"
    assert done.found["totals"]["rows_accepted"] == len(written.good)
    bare = cold(bench, "run", name, "--json", "--no-prefect").found
    assert (set(bare), set(bare["totals"])) == (set(done.found), set(done.found["totals"]))


@pytest.mark.parametrize("flags", [[], ["--no-prefect"]])
def test_a_wrong_setting_ends_the_command_alike_with_prefect_and_without(
    bench: Bench, server: PrefectServer, flights: Written, flags: list[str]
) -> None:
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", flights.topic)
    done = cold(bench, "run", name, "--json", *flags, **server.environment(), ARIZE_API_KEY="")
    assert (done.code, done.found["error"]) == (2, "WrongSettings")
    assert done.found["message"] in done.err
    assert (done.found["state"], done.found["windows"]) == ("failed", [])
    assert done.found["totals"]["rows_accepted"] == 0


def test_a_prefect_that_does_not_answer_is_told_in_a_sentence(
    bench: Bench, server: PrefectServer, flights: Written
) -> None:
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", flights.topic)
    nobody = {**server.environment(), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = cold(bench, "run", name, "--json", **nobody)
    assert (done.code, done.found["error"], done.found["see"]) == (
        *(1, "PrefectUnavailable"),
        "docs/runbook.md#prefect-unavailable",
    )
    assert "--no-prefect" in done.err


def test_an_artifact_that_cannot_be_written_fails_no_delivery(
    bench: Bench, server: PrefectServer, kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic)
    counted = _in_process(bench, server, name, "artifacts fail")
    assert counted["state"] == "Completed", counted
    assert counted["failed_artifacts"] == 2
    assert bench.ids(name) == written.good


def test_a_hundred_windows_cost_at_most_400_requests_to_the_api(
    bench: Bench, server: PrefectServer, kafka: Kafka
) -> None:
    written = topic(kafka.bootstrap_servers, 1)
    append(written, 0, [event(number, "one") for number in range(100)])
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic, limits={"max_records": 1})
    counted = _in_process(bench, server, name, "count")
    assert counted["state"] == "Completed", counted
    assert counted["windows"] == 100
    assert 0 < counted["requests"] <= 400
    assert bench.ids(name) == written.good


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


def _in_process(bench: Bench, server: PrefectServer, name: str, what: str) -> dict[str, Any]:
    """Run the flow in a process of its own that counts its requests to the API, or whose artifacts fail."""
    script = Path(__file__).with_name("counted_flow.py")
    environment = {**bench.environment, **server.environment(), "SLUICE_STORE": bench.store}
    done = subprocess.run(
        [sys.executable, str(script), name, what],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stderr
    counted: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counted
