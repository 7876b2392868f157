"""`sluice check --connect`: each thing that a run needs is tried, and whatever is wrong is told with the rest."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # no __all__

from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import ENOUGH_S, Written, append
from tests.end_to_end.kafka_hands import allow, logged_in
from tests.end_to_end.truths import Pair, prediction, topics, truth, write

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka


@pytest.fixture
def name(bench: Bench, flights: Written) -> str:
    return bench.pipeline(f"connect-{uuid.uuid4().hex[:8]}", flights.topic)


def trials(done: Done) -> dict[str, tuple[bool | None, str]]:
    """By what was tried without where it is from: whether it went well, and what is said."""
    return {trial["what"].split(" (")[0]: (trial["ok"], trial["says"]) for trial in done.found["trials"]}


def check(bench: Bench, name: str, **variables: str) -> Done:
    return bench.sluice("check", name, "--connect", **variables)


@pytest.mark.parametrize("on", ["bench", "bench_on_s3"])
def test_all_is_well_where_a_run_would_be(on: str, flights: Written, request: pytest.FixtureRequest) -> None:
    bench: Bench = request.getfixturevalue(on)
    name = bench.pipeline(f"connect-{uuid.uuid4().hex[:8]}", flights.topic, hash=["id"])
    done = check(bench, name, SLUICE_HASH_KEY="a key of sixteen letters")
    assert (done.code, done.found["state"]) == (0, "done"), done.out
    told = trials(done)
    kafka = ["kafka default", f"topic {flights.topic}", f"consumer group {name}"]
    assert list(told) == [*kafka, "store", "arize default", "hash key"]
    assert {ok for ok, _ in told.values()} == {True}
    offsets = sum(flights.ends.values())
    assert told[f"topic {flights.topic}"][1] == f"2 partitions with {offsets} offsets, and it may be read"
    assert done.found["trials"][0]["what"] == "kafka default (variables)"


def test_everything_that_is_wrong_is_told_at_once(bench: Bench, name: str) -> None:
    wrong = {"SLUICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "SLUICE_STORE": "/nowhere/at/all"}
    done = check(bench, name, **wrong, ARIZE_API_KEY="another-key")
    assert (done.code, done.found["state"]) == (1, "failed")
    told = trials(done)
    assert [ok for ok, _ in told.values()] == [False, None, None, False, False]
    assert "Kafka does not answer (127.0.0.1:9)" in told["kafka default"][1]
    assert "/nowhere/at" in told["store"][1]
    assert "Arize refuses the key (HTTP 401)" in told["arize default"][1]
    assert all("docs/runbook.md#" in says for ok, says in told.values() if ok is False)


def test_a_space_that_the_key_does_not_see_is_not_called_wrong(bench: Bench, name: str) -> None:
    done = check(bench, name, ARIZE_SPACE_ID="another/space")
    assert (done.code, trials(done)["arize default"][0]) == (0, None)
    assert "is the space's id right?" in trials(done)["arize default"][1]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ARIZE_API_PORT": "9"}, "Arize does not answer at 127.0.0.1 (ConnectionError)"),
        ({"ARIZE_SPACE_ID": ""}, "not set: arize needs ARIZE_SPACE_ID"),
    ],
)
def test_an_arize_that_cannot_be_asked_is_told(bench: Bench, name: str, variables: dict[str, str], says: str) -> None:
    done = check(bench, name, **variables)
    assert (done.code, trials(done)["arize default"][0]) == (1, False)
    assert says in trials(done)["arize default"][1]


def test_what_an_acl_lets_see_and_not_read_is_told(bench: Bench, flights: Written, kafka: Kafka) -> None:
    name = bench.pipeline(f"connect-{uuid.uuid4().hex[:8]}", flights.topic)
    me = logged_in(kafka, "stranger")
    told = trials(check(bench, name, **me))
    assert told[f"topic {flights.topic}"][0] is told[f"consumer group {name}"][0] is False
    assert "Kafka forbids topic" in told[f"topic {flights.topic}"][1]
    allow(flights, "stranger", topics=[flights.topic], groups=[name], operation=AclOperation.DESCRIBE)
    told = trials(check(bench, name, **me))
    assert "and forbids to read it" in told[f"topic {flights.topic}"][1]
    assert "and forbids to commit to it" in told[f"consumer group {name}"][1]


def test_a_group_with_a_live_member_is_told(bench: Bench, name: str, flights: Written) -> None:
    live = Consumer({"bootstrap.servers": bench.servers, "group.id": name})
    live.subscribe([flights.topic])
    try:
        wait_until(lambda: bool(live.poll(0.1) is None and live.assignment()), ENOUGH_S, "the group's assignment")
        ok, says = trials(check(bench, name))[f"consumer group {name}"]
        assert (ok, "has live members: 1" in says) == (False, True)
    finally:
        live.close()


def test_nothing_is_begun_by_looking(bench: Bench, name: str) -> None:
    assert check(bench, name).code == 0
    assert not (Path(bench.store) / "ledger" / name).exists()
    assert bench.sends(name) == []


# --- deployments


@pytest.fixture
def pipelines(bench: Bench, tmp_path: Path) -> dict[str, Any]:
    """The variables of a folder with two pipeline files."""
    for name in ("orders", "refunds"):
        (tmp_path / f"{name}.yaml").write_text("")
    return {"SLUICE_PIPELINES": str(tmp_path)}


def test_pipelines_without_an_entry_are_named_with_the_lines_to_paste(
    bench: Bench, pipelines: dict[str, Any], tmp_path: Path
) -> None:
    deployed = tmp_path / "deployed"
    ours = "definitions:\n  - &ingest {entrypoint: flows.ingest.ingest}\ndeployments:\n"
    audit = "  - {name: a, entrypoint: flows.audit.audit, parameters: {pipeline: refunds}}\n"
    deployed.write_text(ours + audit + "  - <<: *ingest\n    name: a\n    parameters: {pipeline: orders}\n")
    done = bench.sluice("check", "--deployments", str(deployed), **pipelines)
    assert (done.code, done.found["deployed"], done.found["missing"]) == (1, ["orders"], ["refunds"])
    with deployed.open("a") as file:
        file.write(done.found["lines"])
    done = bench.sluice("check", "--deployments", str(deployed), **pipelines)
    assert (done.code, done.found["deployed"], done.found["lines"]) == (0, ["orders", "refunds"], "")
    (tmp_path / "orders.yaml").unlink()
    done = bench.sluice("check", "--deployments", str(deployed), **pipelines)
    assert (done.code, done.found["unknown"]) == (1, ["orders"])


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "No such file"), ("a: [", "is not YAML"), ("a: b", "has no list of deployments"), ("[]", "has no list")],
)
def test_a_file_that_holds_no_deployments_is_told(
    bench: Bench, pipelines: dict[str, Any], tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "deployed").write_text(text)
    done = bench.sluice("check", "--deployments", str(tmp_path / "deployed"), **pipelines)
    assert (done.code, done.found["error"]) == (2, "WrongUse")
    assert says in done.said


@pytest.mark.parametrize("arguments", [[], ["flights", "--deployments"], ["--connect", "--deployments"]])
def test_check_takes_a_file_or_the_deployments(bench: Bench, arguments: list[str]) -> None:
    done = bench.sluice("check", *arguments)
    assert (done.code, done.found["error"]) == (2, "WrongUse")


# --- actuals and their predictions


def test_ids_that_can_never_meet_are_told_before_a_run(bench: Bench) -> None:
    predictions, actuals = topics(bench.servers)
    pair = Pair.of(bench, predictions, actuals)
    what = f"ids of {pair.flights}"
    assert trials(check(bench, pair.arrivals))[what][0] is None
    write(predictions, [prediction(number) for number in range(3)])
    append(actuals, 0, [json.dumps({**truth(number), "id": number}).encode() for number in range(3)])
    done = check(bench, pair.arrivals)
    ok, says = trials(done)[what]
    assert (done.code, ok) == (1, False)
    assert f"{pair.arrivals}: 3 of 3 records have no id that can be sent (id: expected string; such as " in says
    assert "docs/runbook.md#nothing-matches" in says
    write(actuals, [truth(number) for number in range(97)])
    assert trials(check(bench, pair.arrivals))[what][0] is True
