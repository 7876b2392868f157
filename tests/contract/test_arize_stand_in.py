"""The real SDK against the stand-in: what it takes, refuses, keeps and loses."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import requests
from arize.exceptions.auth import AuthenticationError
from arize.exceptions.http import APIError
from arize.ml.types import EmbeddingColumnNames, Environments, ModelTypes, Schema

from deployments.local.arize import ArizeStandIn, arize_process, running_arize
from deployments.local.processes import wait_until
from tests.sdk_calls import ACTUALS, predictions, send


@pytest.fixture
def arize(tmp_path: Path) -> Iterator[ArizeStandIn]:
    with running_arize(tmp_path) as standing_in:
        yield standing_in


def post(arize: ArizeStandIn, body: bytes, **headers: str | None) -> requests.Response:
    """Post what the SDK never would."""
    usual = {"authorization": arize.api_key, "arize-space-id": arize.space_id, "number-of-rows": "1"}
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in (usual | changed).items() if value is not None}
    return requests.post(f"{arize.url}/v1/pandas_arrow", data=body, headers=sent, timeout=20)


def body_of_a_call(arize: ArizeStandIn, directory: Path) -> bytes:
    """Have the SDK make a body, and forget that it was ever sent."""
    send(arize, 1)
    body = next((directory / "rows").iterdir()).read_bytes()
    arize.reset()
    return body


# What it takes


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("arrow_backed", [True, False])
def test_the_real_sdk_is_accepted(arize: ArizeStandIn, validate: bool, arrow_backed: bool) -> None:
    frame = predictions(100)
    if arrow_backed:
        frame = pa.Table.from_pandas(frame, preserve_index=False).to_pandas(types_mapper=pd.ArrowDtype)
    assert "realTimeIngestionUri" in send(arize, frame, validate=validate).json()
    assert arize.ids("delay") == [f"flight-{n}" for n in range(100)]


def test_each_row_keeps_its_features_and_tags(arize: ArizeStandIn) -> None:
    send(arize, 1_000)
    table = arize.table("delay")
    offsets = dict(zip(table["prediction_id"].to_pylist(), table["tag/offset"].to_pylist(), strict=True))
    assert offsets == {f"flight-{n}": str(1000 + n) for n in range(1_000)}
    [row] = arize.rows("delay", id="flight-7")
    assert (row["feature/carrier"], row["feature/distance"], row["prediction_label"]) == ("UA", 7.0, "on_time")
    assert (row["model_version"], row["environment"], row["call"]) == ("1", "production", 0)


def test_the_same_id_twice_is_two_rows(arize: ArizeStandIn) -> None:
    send(arize, 10)
    send(arize, 4, model_version="2")
    [model] = arize.summary()["models"]
    assert (model["rows"], model["prediction_ids"], model["repeated_ids"], model["excess_rows"]) == (14, 10, 4, 4)
    assert [version["repeated_ids"] for version in arize.summary()["versions"]] == [0, 0]
    assert arize.repeated_ids("delay") == {f"flight-{n}": 2 for n in range(4)}


def test_an_actual_is_no_repetition_of_its_prediction(arize: ArizeStandIn) -> None:
    send(arize, 10)
    send(arize, 10, schema=ACTUALS, model_version=None)
    assert {(model["kind"], model["repeated_ids"]) for model in arize.summary()["models"]} == {
        ("predictions", 0),
        ("actuals", 0),
    }
    assert {row["model_version"] for row in arize.rows("delay", kind="actuals")} == {""}


def test_regression_scores_arrive_as_labels(arize: ArizeStandIn) -> None:
    schema = Schema(prediction_id_column_name="id", prediction_score_column_name="score")
    send(arize, 10, schema=schema, model_type=ModelTypes.REGRESSION)
    assert arize.rows("delay", id="flight-7")[0]["prediction_label"] == 0.07
    assert arize.calls()[0]["model_type"] == "numeric"


def test_embeddings_shap_values_and_batches_have_names(arize: ArizeStandIn) -> None:
    schema = Schema(
        prediction_id_column_name="id",
        prediction_label_column_name="label",
        actual_label_column_name="carrier",  # before production the SDK wants both
        shap_values_column_names={"carrier": "score"},
        embedding_feature_column_names={
            "text": EmbeddingColumnNames(vector_column_name="v", data_column_name="offset")
        },
    )
    frame = predictions(2).assign(v=pd.Series([[0.5, 0.25], [1.0, 2.0]]))
    send(arize, frame, schema=schema, environment=Environments.VALIDATION, batch_id="b7")
    [row] = arize.rows("delay", id="flight-1", environment="validation")
    assert (row["shap/carrier"], row["embedding/text/vector"], row["embedding/text/data"]) == (0.01, [1.0, 2.0], "1001")
    assert arize.calls()[0]["batch_id"] == "b7"


def test_calls_with_other_columns_are_read_as_one(arize: ArizeStandIn) -> None:
    send(arize, 10)
    send(arize, predictions(5).assign(distance=1), schema=ACTUALS, model_version=None)
    table = arize.table("delay")
    assert table.num_rows == 15
    assert table["actual_label"].null_count == 10


def test_headers_are_kept_and_the_key_is_not(arize: ArizeStandIn) -> None:
    send(arize, 10, default_headers={"x-sluice-delivery": "7"})
    [call] = arize.calls(model="delay", version="1")
    assert (call["headers"]["x-sluice-delivery"], call["headers"]["number-of-rows"]) == ("7", "10")
    assert arize.api_key not in str(call)


# What it refuses


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (None, "must provide authorization header"),
        ("Bearer local-api-key", "unable to validate authorization header"),
        ("another-key", "invalid api-key"),
    ],
)
def test_strangers_are_refused_in_arizes_words(arize: ArizeStandIn, authorization: str | None, words: str) -> None:
    response = post(arize, b"", authorization=authorization)
    assert (response.status_code, response.text) == (403, words)


def test_the_sdk_raises_for_a_wrong_key_or_space(arize: ArizeStandIn) -> None:
    with pytest.raises(AuthenticationError, match="invalid api-key"):
        send(arize, api_key="another-key")
    with pytest.raises(AuthenticationError, match="space"):
        send(arize, space_id="another-space")
    assert [(call["status"], call["stored"]) for call in arize.calls()] == [(403, False), (403, False)]


def test_a_body_must_be_what_its_headers_say(arize: ArizeStandIn, tmp_path: Path) -> None:
    body = body_of_a_call(arize, tmp_path)
    assert post(arize, body).status_code == 200
    assert "the body holds 1" in post(arize, body, number_of_rows="2").text
    assert "the body holds 1" in post(arize, body, number_of_rows=None).text
    for broken in (b"", b"no arrow", body[:-200], pa.table({"id": ["a"]}).to_pandas().to_json().encode()):
        assert post(arize, broken).status_code == 400
    assert post(arize, body, arize_space_id=None).status_code == 400
    assert len(arize.ids("delay")) == 1


def test_a_table_without_arizes_schema_is_refused(arize: ArizeStandIn) -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({"id": ["a"]})
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    response = post(arize, sink.getvalue().to_pybytes())
    assert (response.status_code, "arize-schema" in response.text) == (400, True)


# How it fails when told to


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 503])
def test_a_scripted_status_meets_one_call(arize: ArizeStandIn, status: int, stored: bool) -> None:
    arize.script("status", status=status, store=stored)
    with pytest.raises(AuthenticationError if status in (401, 403) else APIError, match=f"scripted {status}"):
        send(arize)
    send(arize, predictions(10, first=10))
    assert len(arize.ids("delay")) == (20 if stored else 10)
    assert [(call["status"], call["stored"]) for call in arize.calls()] == [(status, stored), (200, True)]


def test_retry_after_is_on_the_wire(arize: ArizeStandIn, tmp_path: Path) -> None:
    body = body_of_a_call(arize, tmp_path)
    arize.script("status", status=429, retry_after_s=2)
    response = post(arize, body)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")


@pytest.mark.parametrize(("kind", "kept"), [("drop", 0), ("store_then_drop", 10)])
def test_a_dropped_connection_tells_nothing(arize: ArizeStandIn, kind: str, kept: int) -> None:
    arize.script(kind)
    with pytest.raises(requests.exceptions.ConnectionError):
        send(arize)
    assert len(arize.ids("delay")) == kept
    assert [call["status"] for call in arize.calls()] == [None]


@pytest.mark.parametrize("stored", [False, True])
def test_a_hanging_call_ends_by_the_clients_timeout(arize: ArizeStandIn, stored: bool) -> None:
    arize.script("hang", store=stored)
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(arize, timeout=0.3)
    assert len(arize.ids("delay")) == (10 if stored else 0)


@pytest.mark.parametrize("stored", [False, True])
def test_a_hanging_call_ends_when_faults_are_cleared(arize: ArizeStandIn, stored: bool) -> None:
    arize.script("hang", store=stored)
    with in_the_background(lambda: send(arize)) as sent:
        wait_until(lambda: len(arize.calls()) == 1, 20, "the call to hang")
        assert not sent.done()
        arize.clear_faults()
        if stored:
            assert sent.result(20).status_code == 200
        else:
            assert isinstance(sent.exception(20), requests.exceptions.ConnectionError)


def test_a_dripping_answer_outlives_any_read_timeout(arize: ArizeStandIn) -> None:
    arize.script("drip", seconds=0.02)
    with in_the_background(lambda: send(arize, timeout=0.2)) as sent:
        with pytest.raises(TimeoutError):
            sent.result(1)
        arize.clear_faults()
        assert isinstance(sent.exception(20), requests.exceptions.RequestException)


def test_a_slow_answer_comes(arize: ArizeStandIn) -> None:
    arize.script("slow", seconds=0.3)
    began = time.monotonic()
    assert send(arize).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_an_accepted_file_can_be_lost_whole(arize: ArizeStandIn) -> None:
    arize.script("accept_then_lose")
    assert send(arize).status_code == 200
    assert arize.ids("delay") == []
    assert [(call["status"], call["stored"], call["lost"]) for call in arize.calls()] == [(200, True, True)]


def test_an_accepted_file_can_be_lost_later(arize: ArizeStandIn) -> None:
    arize.script("accept_then_lose", seconds=0.2)
    send(arize)
    wait_until(lambda: arize.ids("delay") == [], 20, "the file to be lost")


def test_a_fault_meets_the_calls_it_names(arize: ArizeStandIn) -> None:
    arize.script("status", version="2", after=1, times=2)
    statuses = [status_of(arize, version) for version in ("1", "2", "2", "1", "2", "2")]
    assert statuses == [200, 200, 503, 200, 503, 200]
    assert arize.faults()[0]["met"] == 2


def test_a_fault_without_an_end_meets_all_until_cleared(arize: ArizeStandIn) -> None:
    arize.script("status", times=None)
    assert [status_of(arize, "1") for _ in range(3)] == [503] * 3
    arize.clear_faults()
    assert status_of(arize, "1") == 200


@pytest.mark.parametrize(
    "fault", [{"kind": "explode"}, {"kind": "drop", "store": True}, {"kind": "slow", "minutes": 1}]
)
def test_a_fault_that_makes_no_sense_is_refused(arize: ArizeStandIn, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="400"):
        arize.script(**fault)


# What it keeps


def test_what_was_stored_outlives_a_kill(tmp_path: Path) -> None:
    with arize_process(tmp_path) as arize:
        send(arize, 1_000)
        arize.script("store_then_drop")
        with pytest.raises(requests.exceptions.ConnectionError):
            send(arize, predictions(10, first=1_000))
        arize.script("accept_then_lose")
        send(arize, predictions(10, first=2_000))
        send(arize, predictions(10), schema=ACTUALS, model_version=None)
        arize.move_past_join()
        before, now = (arize.summary(), arize.calls(), arize.joined_ids("delay"), arize.join_runs()), arize.now()
        arize.process.restart(crash=True)
        assert (arize.summary(), arize.calls(), arize.joined_ids("delay"), arize.join_runs()) == before
        assert (len(arize.joined_ids("delay")), arize.now() > now) == (10, True)
        assert arize.ids("delay", kind="predictions") == [f"flight-{n}" for n in range(1_010)]
        send(arize, predictions(1, first=3_000))
        assert [call["number"] for call in arize.calls()] == [0, 1, 2, 3, 4]


def test_what_was_never_acknowledged_is_swept(tmp_path: Path) -> None:
    with running_arize(tmp_path) as arize:
        send(arize)
    (tmp_path / "rows" / "00000001.arrow").write_bytes(b"a file without its line")
    with (tmp_path / "calls.jsonl").open("ab") as journal:
        journal.write(b'{"call": {"number": 1, "rece')
    with running_arize(tmp_path) as arize:
        send(arize, predictions(10, first=10))
        assert len(arize.ids("delay")) == 20
    assert len(list((tmp_path / "rows").iterdir())) == 2


def test_a_reset_forgets_everything(arize: ArizeStandIn) -> None:
    send(arize)
    arize.reset()
    assert (arize.summary()["rows"], arize.calls(), arize.ids("delay")) == (0, [], [])
    send(arize)
    assert len(arize.ids("delay")) == 10


def test_a_big_call_is_taken_and_proven_within_seconds(arize: ArizeStandIn) -> None:
    frame = predictions(120_000)
    began = time.monotonic()
    for _ in range(4):
        send(arize, frame, validate=False)
    assert arize.summary()["models"][0]["excess_rows"] == 360_000
    assert time.monotonic() - began < 15


def test_calls_at_the_same_time_are_all_kept(arize: ArizeStandIn) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: send(arize, predictions(10, first=10 * n)), range(40)))
    assert sorted(arize.ids("delay")) == sorted(f"flight-{n}" for n in range(400))


def test_the_page_shows_what_arrived_and_escapes_it(arize: ArizeStandIn) -> None:
    send(arize, 1_234, model_name="<b>delay</b>")
    arize.script("status", status=429, times=None)
    page = requests.get(arize.url, timeout=20).text
    assert "1,234" in page
    assert "&lt;b&gt;delay" in page
    assert "<b>delay</b>" not in page
    assert "0 of all" in page


def status_of(arize: ArizeStandIn, version: str) -> int:
    try:
        return send(arize, 1, model_version=version).status_code
    except APIError as exc:
        return exc.status_code


class in_the_background:  # noqa: N801 - reads as a verb
    """Make a call on another thread, and give its future."""

    def __init__(self, call: Callable[[], requests.Response]) -> None:
        self._threads = ThreadPoolExecutor(1)
        self._future = self._threads.submit(call)

    def __enter__(self) -> Future[requests.Response]:
        return self._future

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True)
