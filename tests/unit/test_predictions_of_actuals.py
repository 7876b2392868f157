"""Actuals that name the pipeline of their predictions: what they have from it, and what each error says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from sluice.errors import WrongPipelineFile
from sluice.pipeline import load_pipeline, parse_pipeline
from sluice.pipeline.schema import json_schema

FLIGHTS: dict[str, Any] = {
    "name": "flights",
    "kind": "predictions",
    "source": {"kafka": {"topics": ["flights.predictions"], "group": "sluice-flights"}},
    "map": {
        "prediction_id": "id",
        "timestamp": {"path": "at", "unit": "ms"},
        "prediction": {"label": "label"},
        "version": "1",
    },
    "arize": {"connection": "ops", "model": "delay", "type": "regression", "path": "object_store"},
}
ARRIVALS: dict[str, Any] = {
    "name": "arrivals",
    "kind": "actuals",
    "predictions": "flights",
    "source": {"kafka": {"topics": ["flights.actuals"], "group": "sluice-arrivals"}},
    "map": {"prediction_id": "id", "timestamp": {"path": "at", "unit": "ms"}, "actual": {"label": "label"}},
}
SCHEMA = jsonschema.Draft202012Validator(json_schema())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path, FLIGHTS)
    return tmp_path


def write(directory: Path, data: dict[str, Any]) -> Path:
    path = directory / f"{data['name']}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def problem(path: Path) -> str:
    with pytest.raises(WrongPipelineFile) as caught:
        load_pipeline(path)
    return caught.value.what.replace(f"{path.parent}/", "")


def test_actuals_go_where_their_predictions_went_by_a_path_of_their_own(directory: Path) -> None:
    loaded = load_pipeline(write(directory, ARRIVALS))
    arize = loaded.pipeline.arize
    assert (arize.connection, arize.model, arize.type, arize.environment) == (
        "ops",
        "delay",
        "regression",
        "production",
    )
    assert arize.path == "sdk"
    assert loaded.predictions is not None
    assert loaded.predictions.pipeline.name == "flights"
    assert load_pipeline(directory / "flights.yaml").predictions is None


def test_ids_are_hashed_on_both_sides_or_on_neither(directory: Path) -> None:
    hashed = {**ARRIVALS, "hash": ["id"]}
    assert "hash: the prediction id is hashed here, and not in flights" in problem(write(directory, hashed))
    write(directory, {**FLIGHTS, "hash": ["id"]})
    assert "hash: the prediction id is hashed in flights, and not here" in problem(write(directory, ARRIVALS))
    assert load_pipeline(write(directory, hashed)).predictions is not None


def test_what_is_the_path_s_own_stays_the_file_s(directory: Path) -> None:
    loaded = load_pipeline(write(directory, {**ARRIVALS, "arize": {"path": "object_store"}}))
    assert (loaded.pipeline.arize.path, loaded.pipeline.limits.max_records) == ("object_store", 1_000_000)


def test_a_file_that_was_kept_is_read_without_the_other_one(directory: Path) -> None:
    text = write(directory, ARRIVALS).read_bytes()
    aim = {"connection": "then", "model": "then", "type": "regression", "environment": "production"}
    assert parse_pipeline(text, "kept", aim).arize.model == "then"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"predictions": "flihgts"},
            "arrivals.yaml:3: predictions: no pipeline file flihgts.yaml; did you mean flights",
        ),
        ({"predictions": "arrivals"}, "arrivals.yaml:3: predictions: names the file itself"),
        ({"arize": {"model": "mine"}}, "arize.model: is that of the pipeline flights, which `predictions` names"),
        ({"predictions": None}, "arrivals.yaml:1: arize: missing"),
        ({"policies": {"wait_for": "others"}}, "policies.wait_for: allowed: flights"),
        (
            {"predictions": None, "arize": {"model": "m", "type": "regression"}, "policies": {"wait_for": "flights"}},
            "policies.wait_for: allowed: none, unless `predictions` names their pipeline",
        ),
        (
            {"predictions": None, "arize": {"model": "m", "type": "regression"}, "coverage": {"at_least": "90%"}},
            "coverage: nobody knows of which predictions",
        ),
        ({"map": {**ARRIVALS["map"], "timestamp": None}}, "map.timestamp: "),
    ],
)
def test_a_wrong_file_of_actuals_says_what_is_allowed(directory: Path, changed: dict[str, Any], words: str) -> None:
    assert words in problem(write(directory, {**ARRIVALS, **changed}))


@pytest.mark.parametrize(
    ("join_window_days", "kept", "words"),
    [
        (14, "28d", None),
        (10, "28d", None),
        (15, "29d", "arrivals.yaml:17: policies.join_window_days: 15, and flights keeps its ids for 29 days"),
        (15, "30d", None),
    ],
)
def test_predictions_keep_their_ids_for_as_long_as_their_actuals_may_come(
    directory: Path, join_window_days: int, kept: str, words: str | None
) -> None:
    write(directory, {**FLIGHTS, "keep": {"ids": kept}})
    path = write(directory, {**ARRIVALS, "policies": {"join_window_days": join_window_days}})
    if words is None:
        assert load_pipeline(path).predictions is not None
        return
    assert problem(path).startswith(words)
    with pytest.raises(WrongPipelineFile, match=r"Let keep\.ids in flights\.yaml be 30d or more, or leave it out"):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("data", "kept", "words"),
    [
        (FLIGHTS, "27d", "keep.ids: actuals could not be matched: Arize's joining window is 14 days; allowed: 28d or"),
        (ARRIVALS, "13d", "keep.ids: actuals could not be matched: policies.join_window_days is 14 days; allowed: 14d"),
    ],
)
def test_ids_are_kept_for_the_joining_window_at_least(
    directory: Path, data: dict[str, Any], kept: str, words: str
) -> None:
    assert words in problem(write(directory, {**data, "keep": {"ids": kept}}))


def test_actuals_are_no_predictions_of_others(directory: Path) -> None:
    write(directory, ARRIVALS)
    others = write(directory, {**ARRIVALS, "name": "others", "predictions": "arrivals"})
    assert "predictions: arrivals.yaml:3: predictions: this is a pipeline of actuals" in problem(others)
    write(directory, {**ARRIVALS, "predictions": None, "arize": {"model": "m", "type": "regression"}})
    assert "predictions: arrivals is a pipeline of actuals; allowed: one of predictions" in problem(others)


def test_a_wrong_file_of_predictions_is_told_with_its_line(directory: Path) -> None:
    write(directory, {**FLIGHTS, "kind": "prediction"})
    assert "predictions: flights.yaml:2: kind: " in problem(write(directory, ARRIVALS))


@pytest.mark.parametrize(
    "changed",
    [
        {"predictions": "flights"},
        {"coverage": {"at_least": "90%"}},
        {"policies": {"wait_for": "flights"}},
        {"policies": {"corrections": "hold"}},
        {"policies": {"join_window_days": 7}},
    ],
)
def test_predictions_know_nothing_of_ground_truth(directory: Path, changed: dict[str, Any]) -> None:
    arize = {} if "predictions" in changed else FLIGHTS["arize"]
    assert "not for predictions" in problem(write(directory, {**FLIGHTS, "name": "others", "arize": arize, **changed}))


@pytest.mark.parametrize(
    ("data", "is_right"),
    [
        (ARRIVALS, True),
        ({**ARRIVALS, "arize": {"path": "object_store"}}, True),
        ({**ARRIVALS, "arize": {"model": "mine"}}, False),
        ({key: value for key, value in ARRIVALS.items() if key != "predictions"}, False),
        ({key: value for key, value in FLIGHTS.items() if key != "arize"}, False),
        ({**FLIGHTS, "arize": {"model": "m"}}, False),
        (FLIGHTS, True),
    ],
)
def test_the_schema_for_editors_says_the_same(data: dict[str, Any], is_right: bool) -> None:
    assert SCHEMA.is_valid(data) == is_right
