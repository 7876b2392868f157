"""The rules of a row: each alone, and that the real SDK refuses nothing that keeps them all."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import polars as pl
import pytest
from arize.client import ArizeClient
from arize.exceptions.base import ValidationFailure
from arize.ml.types import Environments, ModelTypes, Schema
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.destinations.sdk_answers import answer_of
from sluice.destinations.sdk_rows import read_part
from sluice.pipeline import Pipeline, parse_pipeline
from sluice.validation import MARGIN_S, MAX_TAG_LENGTH, YEAR_S, reasons, rules

PREDICTIONS = """\
name: flights
kind: predictions
source: {kafka: {topics: [flights], group: sluice-flights}}
map:
  prediction_id: id
  timestamp: $timestamp
  prediction: {label: said.label, score: said.score}
  actual: {label: was.label}
  features: {columns: {carrier: string, hour: int, distance: float, night: bool}}
  tags: {region: string, weight: float}
  version: {path: version}
arize: {model: delay, type: binary_classification}
"""
REGRESSION = """\
name: minutes
kind: predictions
source: {kafka: {topics: [flights], group: sluice-minutes}}
map:
  prediction_id: id
  timestamp: $timestamp
  prediction: {label: said}
  actual: {label: was}
  features: {columns: {hour: int}}
  version: {path: version}
arize: {model: minutes, type: regression}
"""
LABELS = """\
name: flights-labels
kind: actuals
source: {kafka: {topics: [flights], group: sluice-labels}}
map:
  prediction_id: id
  timestamp: $timestamp
  actual: {label: label, score: score}
arize: {model: delay, type: binary_classification}
"""
ACTUALS = """\
name: flights-actuals
kind: actuals
source: {kafka: {topics: [flights], group: sluice-actuals}}
map:
  prediction_id: id
  timestamp: $timestamp
  actual: {label: minutes}
  tags: {region: string}
arize: {model: delay, type: regression}
"""
TYPES = {"string": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
NOW_S = time.time()  # the SDK looks at the real clock


def pipeline(text: str = PREDICTIONS) -> Pipeline:
    return parse_pipeline(text.encode(), "test.yaml")


GOOD: dict[str, Any] = {
    "prediction_id": "a",
    "prediction_ts": NOW_S,
    "version": "1",
    "prediction_label": "late",
    "prediction_score": 0.5,
}


def frame_of(pipeline: Pipeline, *rows: dict[str, Any]) -> pl.DataFrame:
    schema = {column.name: TYPES[column.type] for column in pipeline.columns()}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def reason_of(pipeline: Pipeline, **changes: Any) -> str | None:
    found = reasons(frame_of(pipeline, GOOD, GOOD | changes, GOOD), rules(pipeline, now_s=NOW_S))
    assert found[0] is found[2] is None
    reason: str | None = found[1]
    return reason


EARLIEST = NOW_S - 5 * YEAR_S + MARGIN_S
LATEST = NOW_S + YEAR_S


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prediction_id": None}, "prediction_id: missing"),
        ({"prediction_id": ""}, "prediction_id: empty"),
        ({"prediction_id": "\0\0"}, "prediction_id: empty"),
        ({"prediction_id": "é" * 513}, "prediction_id: longer than 512 characters"),
        ({"prediction_ts": None}, "prediction_ts: missing"),
        ({"prediction_ts": math.nan}, "prediction_ts: not finite"),
        ({"prediction_ts": math.inf}, "prediction_ts: not finite"),
        ({"prediction_ts": EARLIEST - 1}, "prediction_ts: older than 1824 days"),
        ({"prediction_ts": 0.0}, "prediction_ts: older than 1824 days"),
        ({"prediction_ts": LATEST + 1}, "prediction_ts: more than 1 year ahead"),
        ({"prediction_ts": NOW_S * 1000}, "prediction_ts: more than 1 year ahead"),
        ({"version": None}, "version: missing"),
        ({"version": ""}, "version: empty"),
        ({"version": " \t\x1f\u3000"}, "version: empty"),
        ({"prediction_label": None, "prediction_score": None}, "prediction_label and prediction_score: missing"),
        (
            {"prediction_label": None, "prediction_score": None, "actual_label": "late"},
            "prediction_label and prediction_score: missing",
        ),
        ({"prediction_score": math.nan}, "prediction_score: not finite"),
        ({"prediction_score": -math.inf}, "prediction_score: not finite"),
        ({"tag/region": "é" * (MAX_TAG_LENGTH + 1)}, "tag/region: longer than 20000 characters"),
        ({"prediction_id": "", "version": "", "prediction_ts": 0.0}, "prediction_id: empty"),
    ],
)
def test_a_broken_rule_rejects_its_row_and_no_other(changes: dict[str, Any], reason: str) -> None:
    assert reason_of(pipeline(), **changes) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_id": "é" * 512},
        {"prediction_id": " "},
        {"prediction_ts": EARLIEST},
        {"prediction_ts": LATEST},
        {"prediction_label": None},
        {"prediction_score": None},
        {"prediction_label": ""},
        {"prediction_score": -1e308},
        {"version": " 1"},
        {"tag/region": "é" * MAX_TAG_LENGTH},
        {"tag/region": ""},
        {"tag/weight": math.nan},
        {"feature/carrier": "x" * 100_000},
        {"feature/distance": math.inf},
    ],
)
def test_what_is_just_allowed_is_kept(changes: dict[str, Any]) -> None:
    assert reason_of(pipeline(), **changes) is None


def test_how_old_a_row_may_be_is_configurable() -> None:
    frame = frame_of(pipeline(), GOOD | {"prediction_ts": NOW_S - 3 * YEAR_S})
    found = reasons(frame, rules(pipeline(f"{PREDICTIONS}\npolicies: {{max_past_days: 730}}\n"), now_s=NOW_S))
    assert found[0] == "prediction_ts: older than 729 days"


@pytest.mark.parametrize("text", [PREDICTIONS, ACTUALS])
def test_no_row_breaks_no_rule(text: str) -> None:
    frame = frame_of(pipeline(text))
    assert reasons(frame, rules(pipeline(text), now_s=NOW_S)).to_list() == []


def test_rules_are_named_and_their_reasons_start_with_a_column() -> None:
    for text in (PREDICTIONS, ACTUALS):
        names = {column.name for column in pipeline(text).columns()}
        for rule in rules(pipeline(text), now_s=NOW_S):
            assert rule.name
            assert set(rule.reason.partition(":")[0].split(" and ")) <= names


class _Taker(BaseHTTPRequestHandler):
    """Takes any body: what the SDK refuses, it refuses before it sends."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def client() -> Iterator[ArizeClient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ArizeClient(api_key="k", api_host="127.0.0.1", api_port=server.server_port, api_scheme="http")
        server.shutdown()


def send(client: ArizeClient, pipeline: Pipeline, frame: pl.DataFrame, version: str | None) -> int:
    """Send staged rows as a sender reads them, by a call that validates; return how many went over the wire."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as staged:
        frame.write_parquet(staged.name)
        rows, arguments = read_part(staged.name, version, rows=frame.height)
    response = client.ml.log(
        space_id="s",
        model_name="m",
        model_type=ModelTypes[pipeline.arize.type.upper()],
        dataframe=rows,
        schema=Schema(**arguments),
        environment=Environments.PRODUCTION,
        model_version=version,  # type: ignore[arg-type]
        validate=True,
    )
    return int(response.request.headers["number-of-rows"])


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_id": None},
        {"prediction_id": ""},
        {"prediction_id": "é" * 513},
        {"prediction_ts": None},
        {"prediction_ts": NOW_S * 1000},
        {"prediction_ts": NOW_S - 5 * YEAR_S - 60},
        {"prediction_ts": LATEST + 86_400},  # a day: the suite may take its time between collecting and running this
        {"version": ""},
        {"version": "\x1f\u3000"},
        {"prediction_label": None, "prediction_score": None},
        {"tag/region": "é" * (MAX_TAG_LENGTH + 1)},
    ],
)
def test_the_sdk_refuses_the_whole_call_for_one_such_row(client: ArizeClient, changes: dict[str, Any]) -> None:
    frame = frame_of(pipeline(), GOOD | {"version": changes.get("version", "1")}, GOOD | changes)
    with pytest.raises(ValidationFailure):
        send(client, pipeline(), frame, frame["version"][1])
    assert reason_of(pipeline(), **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prediction_id": None}, "Invalid_Missing_Value (prediction_id)"),
        ({"prediction_id": "value" * 200}, "Invalid_String_Length_In_Column (prediction_id)"),
        ({"prediction_ts": NOW_S * 1000}, "Invalid_Timestamp_Value (prediction_ts)"),
        ({"tag/region": "value" * 5000}, "Invalid_Tag_Length (region)"),
    ],
)
def test_what_the_sdk_refuses_is_told_by_code_and_column_and_without_a_value(
    client: ArizeClient, changes: dict[str, Any], told: str
) -> None:
    frame = frame_of(pipeline(), GOOD | changes)
    with pytest.raises(ValidationFailure) as refused:
        send(client, pipeline(), frame, "1")
    answer = answer_of(refused.value, begun=False, columns=["prediction_id", "prediction_ts", "region"])
    assert (answer.kind, told in answer.reason, "value" in answer.reason) == ("refused", True, False)


def or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def at_most(length: int) -> st.SearchStrategy[str]:
    """Texts, some of them about as long as may be."""
    around = st.integers(length - 1, length + 1)
    return st.text(max_size=5) | st.builds(lambda text, size: (text * size)[:size], st.text(min_size=1), around)


times = st.one_of(
    st.floats(NOW_S - 6 * YEAR_S, NOW_S + 2 * YEAR_S),
    st.floats(),
    st.builds(
        lambda bound, near: bound + near, st.sampled_from([EARLIEST, LATEST, EARLIEST - MARGIN_S]), st.floats(-5, 5)
    ),
)
prediction_rows = st.fixed_dictionaries(
    {
        "prediction_id": or_null(at_most(512)),
        "prediction_ts": or_null(times),
        "version": or_null(st.text(max_size=2) | st.sampled_from(["1", "2", " ", "\x1f", "\u2003"])),
        "prediction_label": or_null(st.text(max_size=3)),
        "prediction_score": or_null(st.floats()),
        "actual_label": or_null(st.text(max_size=3)),
        "feature/carrier": or_null(st.text(max_size=3)),
        "feature/hour": or_null(st.integers(-(2**63), 2**63 - 1)),
        "feature/distance": or_null(st.floats()),
        "feature/night": or_null(st.booleans()),
        "tag/region": or_null(at_most(MAX_TAG_LENGTH)),
        "tag/weight": or_null(st.floats()),
    }
)
actual_rows = st.fixed_dictionaries(
    {
        "prediction_id": or_null(at_most(512)),
        "prediction_ts": or_null(times),
        "actual_label": or_null(st.floats()),
        "tag/region": or_null(st.text(max_size=3)),
    }
)


regression_rows = st.fixed_dictionaries(
    {
        "prediction_id": or_null(at_most(512)),
        "prediction_ts": or_null(times),
        "version": or_null(st.sampled_from(["1", "2", " "])),
        "prediction_label": or_null(st.floats()),
        "actual_label": or_null(st.floats()),
        "feature/hour": or_null(st.integers(-(2**63), 2**63 - 1)),
    }
)
label_rows = st.fixed_dictionaries(
    {
        "prediction_id": or_null(at_most(512)),
        "prediction_ts": or_null(times),
        "actual_label": or_null(st.text(max_size=3)),
        "actual_score": or_null(st.floats()),
    }
)


def kept(pipeline: Pipeline, rows: list[dict[str, Any]]) -> pl.DataFrame:
    frame = frame_of(pipeline, *rows)
    return frame.filter(reasons(frame, rules(pipeline, now_s=NOW_S)).is_null())


# What makes it right that the senders leave the SDK's own validation out.
@pytest.mark.parametrize(
    ("text", "given_rows"), [(PREDICTIONS, prediction_rows | st.just(GOOD)), (REGRESSION, regression_rows)]
)
@settings(max_examples=100)
@given(data=st.data())
def test_the_sdk_refuses_no_prediction_that_keeps_the_rules(
    client: ArizeClient, text: str, given_rows: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(given_rows, min_size=1, max_size=8))
    for (version,), part in kept(pipeline(text), rows).group_by("version"):
        assert send(client, pipeline(text), part, str(version)) == part.height


@pytest.mark.parametrize(("text", "given_rows"), [(ACTUALS, actual_rows), (LABELS, label_rows)])
@settings(max_examples=100)
@given(data=st.data())
def test_the_sdk_refuses_no_actual_that_keeps_the_rules(
    client: ArizeClient, text: str, given_rows: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    frame = kept(pipeline(text), data.draw(st.lists(given_rows, min_size=1, max_size=8)))
    if frame.height:
        assert send(client, pipeline(text), frame, None) == frame.height


@given(st.text(max_size=4))
def test_a_version_is_blank_exactly_where_python_strips_it_away(version: str) -> None:
    assert (reason_of(pipeline(), version=version) == "version: empty") == (not version.strip())
