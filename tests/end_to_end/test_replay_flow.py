"""The flow `replay` on a real Prefect server: from ledger pages, changed and deleted ones too, by links, once."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.events.worker import EventsWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from deployments.local.api import PrefectApi
from flows.ingest import ingest
from flows.replay import replay
from tests.end_to_end.bench import Bench
from tests.end_to_end.deployed import RUN_S, Deployed
from tests.end_to_end.events import Written, append, event, group_positions, topic

if TYPE_CHECKING:
    from deployments.local.prefect_server import PrefectServer

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def api(server: PrefectServer) -> PrefectApi:
    return PrefectApi(server.api_url)


@contextmanager
def in_this_process(server: PrefectServer, bench: Bench) -> Iterator[None]:
    """Runs of flows in this very process are those of the server and of the bench: a process costs seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**bench.environment, "SLUICE_STORE": bench.store}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "executable", str(Path(bench.warm).with_name("python")))  # senders, too, are forked
        quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings({PREFECT_API_URL: server.api_url, **quiet}):
            yield
            EventsWorker.drain_all()  # while the server is there


@pytest.fixture
def here(server: PrefectServer, bench: Bench) -> Iterator[None]:
    with in_this_process(server, bench):
        yield


@pytest.fixture(scope="module")
def past(server: PrefectServer, bench: Bench) -> str:
    """A pipeline with two runs in its past: entries 1 and 2 by the first, 3 by the second, 30 rows each."""
    made = topic(bench.servers, partitions=1)
    name = bench.pipeline(f"past-{uuid.uuid4().hex[:8]}", made.topic, limits={"max_records": 30})
    with in_this_process(server, bench):
        for first, last in ((0, 60), (60, 90)):
            append(made, 0, [event(number) for number in range(first, last)])
            assert ingest(name, return_state=True).is_completed()
    return name


def pages(api: PrefectApi, kind: str, name: str) -> list[dict[str, Any]]:
    """The artifacts of a pipeline, oldest first."""
    found = api.artifacts(sort="CREATED_DESC", limit=200)
    return [item for item in reversed(found) if item["key"].startswith(f"{kind}-{name}-")]


def kept(bench: Bench, name: str) -> list[str]:
    """What is in the store of a pipeline."""
    store = bench.books(name).store
    return [*store.keys(f"ledger/{name}/"), *store.keys(f"staged/{name}/")]


def linked(text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The forms that a page links: by the words of each link the page of the deployment, and the parameters."""
    found = {}
    for words, address in re.findall(r"\[([^\]]*)\]\((http[^)]*/run\?parameters=[^)]*)\)", text):
        at = urlsplit(address)
        found[words] = (at.path, json.loads(parse_qs(at.query)["parameters"][0]))
    return found


def state(pipeline: str, **parameters: Any) -> tuple[str, str]:
    """Run the flow here; return the name of the state that it ended in, and its message."""
    ended = replay(pipeline, **parameters, return_state=True)
    return str(ended.name), str(ended.message)


def plan(api: PrefectApi, name: str) -> str:
    return str(pages(api, "replay-plan", name)[-1]["data"])


def test_the_form_explains_every_field_and_runs_dry_unless_it_is_told(api: PrefectApi) -> None:
    schema = api.deployment("replay/replay")["parameter_openapi_schema"]
    assert schema["required"] == ["pipeline"]
    assert schema["properties"]["dry_run"]["default"] is True
    assert all(len(field["description"]) > 15 and "`" not in field["description"] for name, field in
               schema["properties"].items() if name != "pipeline")  # fmt: skip


@pytest.mark.usefixtures("worker", "here")
def test_links_of_a_ledger_page_start_a_replay_that_two_runs_bring_out_once(
    api: PrefectApi, server: PrefectServer, bench: Bench, flights: Written
) -> None:
    name = bench.pipeline(f"past-{uuid.uuid4().hex[:8]}", flights.topic)
    assert ingest(name, return_state=True).is_completed()
    deployment = api.deployment("replay/replay")["id"]
    links = linked(pages(api, "offsets", name)[-1]["description"])
    assert {words: given for words, (_, given) in links.items()} == {
        "Replay this run →": {"pipeline": name, "entries": ["1", "2", "3"]},
        **{number: {"pipeline": name, "entries": [number]} for number in ("1", "2", "3")},
    }
    assert {page for page, _ in links.values()} == {f"/v2/deployments/deployment/{deployment}/run"}

    before = kept(bench, name)
    told = state(**links["Replay this run →"][1])
    assert told[0] == "Completed"
    assert f"Arize would count {len(flights.good)} rows twice: only with count-twice" in told[1]
    run_it = linked(plan(api, name))["Run it"][1]
    assert (run_it["dry_run"], run_it["entries"]) == (False, ["1", "2", "3"])
    assert kept(bench, name) == before
    asked = {**run_it, "model": f"{name}-new", "reason": "tried"}
    runs = [api.trigger(deployment, asked) for _ in range(2)]
    for run in runs:
        ended = api.wait_for(run, deadline_s=RUN_S)
        assert ended["state_type"] == "COMPLETED", ended["state"]
        assert ended["name"].startswith(f"replay of {name}: 3 entries → ")
    assert bench.ids(f"{name}-new") == flights.good
    assert group_positions(name, flights) == flights.ends
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert [entry["kind"] for entry in books.entries] == ["genesis", *["window"] * 3, *["derived"] * 3]
    proofs = "\n".join(item["data"] for item in pages(api, "replay", name))
    for then, now in zip(books.entries[1:4], books.entries[4:], strict=True):
        assert then["staged"]["content"] == now["staged"]["content"]
        assert f"`{then['staged']['content'][:12]}` | `{now['staged']['content'][:12]}` | yes |" in proofs
    rejecting = [("sluice.window.rejected", number) for number in (1, 2, 3) if "rejected" in books.entries[number]]
    expected = sorted([*(("sluice.window.delivered", number) for number in range(1, 7)), *rejecting])
    flow = Deployed(name=name, deployment=deployment, api=api, server=server, bench=bench)
    found = flow.events(len(expected) + 3)
    assert sorted((item["event"], item["payload"]["entry"]) for item in found if "entry" in item["payload"]) == expected
    finished = [item for item in found if item["event"] == "sluice.run.finished"]
    assert len(finished) == 3, "of the ingest and of both replays; none of the dry run"


@pytest.mark.usefixtures("here")
def test_a_page_is_meant_by_link_or_id_as_one_run_and_by_key_as_the_newest(api: PrefectApi, past: str) -> None:
    first, second = pages(api, "offsets", past)
    for words, entries in (
        (f"http://ui.example/v2/artifacts/artifact/{first['id']}?tab=Raw", ["1", "2"]),
        (f"http://ui.example/artifacts/key/{first['key']}", ["3"]),
        (second["key"], ["3"]),
    ):
        ended = state(past, artifact=words, model="another")
        assert ended[0] == "Completed"
        assert f"{30 * len(entries)} rows of {len(entries)} entr" in ended[1]
        run_it = linked(plan(api, past))["Run it"][1]
        assert (run_it["entries"], run_it["artifact"], run_it["model"]) == (entries, "", "another")


@pytest.mark.usefixtures("here")
def test_of_a_page_that_was_changed_the_ledger_is_gone_by_and_that_is_told(
    api: PrefectApi, bench: Bench, past: str
) -> None:
    page, *_ = pages(api, "offsets", past)
    rows, model = json.loads(page["data"]), f"{past}-{uuid.uuid4().hex[:8]}"

    def with_rows(*changed: Any) -> tuple[str, str]:
        api.ask("PATCH", f"/artifacts/{page['id']}", {"data": json.dumps(changed)})
        return state(past, artifact=page["id"], model="another")

    try:
        name, message = with_rows({**rows[0], "start": 5, "staged": 0, "content": "a secret"}, rows[1])
        wrong = "differs in start, staged, content"
        assert (name, "Entry 1: " in message, wrong in message) == ("Completed", True, True), message
        assert message.startswith("Would bring out 60 rows of 2 entries")
        assert wrong in plan(api, past)
        done = state(past, artifact=page["id"], model=model, dry_run=False, reason="tried")
        result = str(pages(api, "replay", past)[-1]["data"])
        assert (done[0], wrong in done[1], wrong in result, result.count("| yes |")) == ("Completed", True, True, 2)
        assert len(set(bench.ids(model))) == len(bench.ids(model)) == 60, "all rows of the entry, as it was sealed"
        assert "a secret" not in message + plan(api, past) + done[1] + result
        for changed, says in (
            ((rows[0], {**rows[1], "entry": 99}), "names entry 99, and the ledger has no such window"),
            (({**rows[0], "entry": 0},), "names entry 0, and the ledger has no such window"),
            ((rows[0], {"entry": "a secret"}), "has a row that names no entry"),
            ((), "or no row"),
        ):
            name, message = with_rows(*changed)
            assert (name, says in message) == ("Failed", True), message
            assert "a secret" not in message
    finally:
        with_rows(*rows)


@pytest.mark.usefixtures("here")
def test_a_replay_works_after_all_artifacts_are_deleted(
    api: PrefectApi, server: PrefectServer, bench: Bench, thirty: Written
) -> None:
    name = bench.pipeline(f"past-{uuid.uuid4().hex[:8]}", thirty.topic)
    assert ingest(name, return_state=True).is_completed()
    ledger = pages(api, "offsets", name)[-1]
    for kind in ("plan", "offsets", "map"):
        for page in pages(api, kind, name):
            api.ask("DELETE", f"/artifacts/{page['id']}")
    for gone in (ledger["id"], ledger["key"]):
        ended, message = state(name, artifact=gone)
        assert (ended, f"There is no artifact {gone}" in message, "by number, too" in message) == ("Failed", True, True)
    by_number = ("--entry", "1", "--model", f"{name}-new", "--reason", "tried", "--run")
    done = bench.sluice("replay", name, *by_number, **server.environment())
    assert (done.code, done.found["items"][0]["goes_out_as"]) == (0, [2])
    assert bench.ids(f"{name}-new") == thirty.good
    assert "| yes |" in pages(api, "replay", name)[-1]["data"], "the command ran the flow"


@pytest.mark.usefixtures("here")
def test_what_failed_is_on_the_result_with_the_form_that_tries_it_again(
    api: PrefectApi, bench: Bench, past: str
) -> None:
    model = f"{past}-{uuid.uuid4().hex[:8]}"
    bench.arize.script("status", status=400, model=model)
    asked: dict[str, Any] = {"entries": ["1", "3"], "model": model, "dry_run": False, "reason": "tried"}
    name, message = state(past, **asked)
    assert name == "Failed"
    assert "30 rows of 1 entry went out" in message
    assert "1 of 2 entries did not go. First: " in message
    _, again = linked(pages(api, "replay", past)[-1]["data"])["Try again"]
    assert again["entries"] == ["1"]
    assert state(**again)[0] == "Completed"
    assert len(bench.ids(model)) == 60


@pytest.mark.usefixtures("here")
def test_rejected_records_that_pass_by_the_mended_file_go_out_once(api: PrefectApi, bench: Bench) -> None:
    made = topic(bench.servers, partitions=1)
    far = [event(number, features={"carrier": "x", "distance": "far"}) for number in range(10, 13)]
    append(made, 0, [*(event(number) for number in range(10)), *(json.dumps(item).encode() for item in far), b"{"])
    name = bench.pipeline(f"past-{uuid.uuid4().hex[:8]}", made.topic)
    assert ingest(name, return_state=True).is_completed()
    columns = {"carrier": "string", "distance": "string"}
    bench.pipeline(name, made.topic, map={"features": {"from": "features", "columns": columns}})
    assert "Would bring out 3 rows of 1 entry" in state(name, entries=["1"], what="rejected")[1]
    assert "| 4 | 0 | 0 | 3 | 1 |" in plan(api, name)
    run_it = linked(plan(api, name))["Run it"][1]
    for count in (3, 0):
        ended, message = state(**{**run_it, "reason": "the mapping is mended"})
        assert (ended, f"{count} rows of" in message) == ("Completed", True), message
    assert bench.ids(name) == sorted([*made.good, *(item["id"] for item in far)])
    assert "| 4 | 3 | 0 | 0 | 1 |" in str(pages(api, "replay", name)[-1]["data"])
    books = bench.books(name)
    books.audit(made)
    books.audit_delivered()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "Name either entries or an artifact"),
        ({"entries": ["1"], "artifact": UNKNOWN}, "Name either entries or an artifact"),
        ({"entries": ["one"]}, "Write entries as 12"),
        ({"entries": ["99"]}, "There is no entry 99; the ledger's last one is"),
        ({"entries": ["1/0"]}, "There is no entry 1/0"),
        ({"entries": ["1"], "dry_run": False, "model": "another"}, "Give a reason"),
        ({"entries": ["1"], "dry_run": False, "reason": "tried"}, "Arize has 30 of the 30 rows of entry 1"),
        ({"entries": ["1"], "what": "rejected", "model": "another"}, "Leave out model"),
        ({"artifact": "the newest"}, "neither link, id nor key"),
        ({"artifact": UNKNOWN}, "it was deleted, or is on another server"),
        ({"artifact": "plan-{slug}"}, "is no ledger page"),
        ({"artifact": "map-{slug}"}, "is no ledger page"),
        ({"artifact": "offsets-another"}, "There is no artifact offsets-another"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_is_a_sentence_and_nothing_runs(
    api: PrefectApi, bench: Bench, past: str, asked: dict[str, Any], says: str
) -> None:
    slug = pages(api, "offsets", past)[-1]["key"].removeprefix("offsets-")
    before = kept(bench, past)
    given = {**asked, **({"artifact": asked["artifact"].format(slug=slug)} if "artifact" in asked else {})}
    name, message = state(past, **given)
    assert (name, says in message) == ("Failed", True), message
    assert kept(bench, past) == before


@pytest.mark.usefixtures("here")
def test_the_page_of_another_pipeline_is_refused_and_so_is_a_pipeline_that_is_not_there(
    api: PrefectApi, bench: Bench, past: str, thirty: Written
) -> None:
    other = bench.pipeline(f"past-{uuid.uuid4().hex[:8]}", thirty.topic)
    key = pages(api, "offsets", past)[-1]["key"]
    assert "has no ledger yet" in state(other, artifact=key)[1]
    bench.finished(other)
    assert f"The artifact {key} is of another pipeline" in state(other, artifact=key)[1]
    assert f"did you mean {other}" in state(f"{other}x", artifact=key)[1]
