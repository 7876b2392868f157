"""The flow in a process of its own, on a real Prefect server: by the command, and what it costs the API."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types import SecretDict
from pydantic import SecretStr

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import PrefectServer
from flows.cli import main
from flows.cli_automations import OWN
from sluice.errors import WrongSettings
from tasks.blocks import SluiceArize, SluiceKafka, find_block
from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.deployed import RUN_S, automations_gone
from tests.end_to_end.events import Written, append, event, everything, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka


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


def test_all_runs_of_a_space_keep_one_pace(bench: Bench, server: PrefectServer, thirty: Written) -> None:
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", thirty.topic)
    api, limit = PrefectApi(server.api_url), f"/v2/concurrency_limits/arize-rows-{bench.arize.space_id}"
    done = cold(bench, "run", name, "--json", **server.environment(), SLUICE_ROWS_PER_SECOND="3")
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    made = api.ask("GET", limit)
    assert (made["limit"], made["slot_decay_per_second"]) == (30, 3.0)
    assert made["active_slots"] <= 30
    assert made["updated"] > made["created"], "slots were taken; on a busy machine they are back by now"
    append(thirty, 0, [event(30)])
    done = cold(bench, "run", name, "--json", **server.environment(), SLUICE_ROWS_PER_SECOND="300.5")
    assert (done.code, done.found["totals"]["rows_accepted"]) == (0, 1), done.err
    made = api.ask("GET", limit)
    assert (made["limit"], made["slot_decay_per_second"]) == (3005, 300.5), "as the settings say now"


def test_a_connection_may_be_a_block_of_its_name(bench: Bench, server: PrefectServer, thirty: Written) -> None:
    elsewhere = {"connection": "elsewhere"}
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", thirty.topic, source={"kafka": elsewhere}, arize=elsewhere)
    arize = bench.arize
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        SluiceKafka(properties=SecretDict({"bootstrap.servers": bench.servers, "socket.keepalive.enable": True})).save(
            "elsewhere"
        )
        SluiceArize(
            api_key=SecretStr(arize.api_key), space_id=arize.space_id, host=arize.host, port=arize.port, scheme="http"
        ).save("elsewhere")
        SluiceKafka(properties=SecretDict({"group.id": "x"})).save("wrong")
        assert find_block("arize", "nowhere") is None
        with pytest.raises(WrongSettings, match=r"kafka/wrong: missing: bootstrap.servers\n.*group.id: Sluice"):
            find_block("kafka", "wrong")
    without = {"SLUICE_KAFKA_BOOTSTRAP_SERVERS": "", "ARIZE_API_KEY": "", "ARIZE_SPACE_ID": ""}
    done = cold(bench, "run", name, "--json", **server.environment(), **without)
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    assert bench.ids(name) == thirty.good
    status = cold(bench, "status", name, "--json", **server.environment(), **without)
    assert status.found["partitions"]
    alone = cold(bench, "status", name, "--json", **without)
    assert (alone.code, alone.found["error"]) == (2, "WrongSettings")


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


def test_an_artifact_or_event_that_cannot_be_written_fails_no_delivery(
    bench: Bench, server: PrefectServer, kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic)
    counted = _in_process(bench, server, name, "artifacts fail")
    assert counted["state"] == "Completed", counted
    assert counted["failed_artifacts"] == 4, "plan, ledger page, chart, and the bar"
    assert counted["failed_events"] == counted["windows"] + 1
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


def test_the_automations_are_made_once_and_what_people_decided_stays(
    server: PrefectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: server.api_url}), automations_gone(server) as api:
        assert main(["automations"]) == 0
        assert "do-nothing: nobody is told" in capsys.readouterr().out
        made = {item["name"]: item for item in api.ask("POST", "/automations/filter", {})}
        assert made.keys() == {item["name"] for item in yaml.safe_load(OWN.read_text())["automations"]}
        held, silent = made["Sluice pipeline held"], made["Sluice pipeline silent"]
        theirs = [{"type": "pause-deployment", "source": "inferred"}]
        older = {"description": "Of an older file.", "trigger": silent["trigger"], "actions": theirs, "tags": ["ours"]}
        api.ask("PUT", f"/automations/{held['id']}", {"name": held["name"], **older})
        api.ask("PATCH", f"/automations/{silent['id']}", {"enabled": False})
        assert main(["automations", "--json"]) == 0
        done = json.loads(capsys.readouterr().out)["automations"]
        assert [item["name"] for item in done if item["did"] != "left"] == [held["name"]]
        assert [item["name"] for item in done if not item["is_on"]] == [silent["name"]]
        now = {item["name"]: item for item in api.ask("POST", "/automations/filter", {})}
        assert {name: item["id"] for name, item in now.items()} == {name: item["id"] for name, item in made.items()}
        assert now[held["name"]]["description"] == held["description"]
        assert now[held["name"]]["trigger"]["match"] == held["trigger"]["match"]
        assert (now[held["name"]]["actions"][0]["type"], now[held["name"]]["tags"]) == ("pause-deployment", ["ours"])
        assert now[silent["name"]]["enabled"] is False


def test_whom_the_automations_tell_is_a_block_that_takes_messages(
    server: PrefectServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with temporary_settings({PREFECT_API_URL: server.api_url}), automations_gone(server) as api:
        SluiceKafka(properties=SecretDict({"bootstrap.servers": "kafka:9092"})).save("no-messages")
        for arguments, says in (
            (["--notify", "slack-webhook/nobody"], "There is no block slack-webhook/nobody"),
            (["--notify", "sluice-kafka/no-messages"], "The block sluice-kafka/no-messages takes no messages"),
            ([str(tmp_path / "none.yaml")], "none.yaml: No such file"),
        ):
            assert main(["automations", *arguments]) == 2
            assert says in capsys.readouterr().err
        assert api.ask("POST", "/automations/filter", {}) == []


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
