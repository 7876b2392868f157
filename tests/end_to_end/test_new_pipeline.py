"""A new YAML file goes to a delivered window without touching Python: by the installed command, as a person would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from tests.end_to_end.bench import Bench, cold
from tests.end_to_end.events import CANARY, Written, append, topic

PREDICTIONS = """
    name: new-predictions
    kind: predictions
    source:
      kafka: {topics: [TOPIC], group: new-predictions}
    map:
      prediction_id: meta.id
      timestamp: {path: when, unit: rfc3339}
      prediction: {label: said, score: how_sure}
      features:
        columns: {amount: float, retries: int, first_time: bool, country: {path: from.country, type: string}}
      tags: {partition: $partition, offset: $offset, stage: {value: live}}
      version: "7"
    arize: {model: new-predictions, type: binary_classification}
"""
REGRESSION = """
    name: new-regression
    kind: predictions
    source:
      kafka: {topics: [TOPIC], group: new-regression}
    map:
      prediction_id: meta.id
      timestamp: $timestamp
      prediction: {label: amount}
      features: {columns: {retries: int}}
      version: {path: model, default: none}
    arize: {model: new-regression, type: regression}
"""
ACTUALS = """
    name: new-actuals
    kind: actuals
    source:
      kafka: {topics: [TOPIC], group: new-actuals}
    map:
      prediction_id: meta.id
      timestamp: {path: when, unit: rfc3339}
      actual: {label: said}
    arize: {model: new-actuals, type: binary_classification}
"""


@pytest.fixture(scope="module")
def written(bench: Bench) -> Written:
    """Five events of a shape that no pipeline here knows yet, a bad one, and a tombstone."""
    made = topic(bench.servers, partitions=2)
    events = [
        {
            "id": f"{CANARY}-{number}",
            "version": "",
            "model": "v9",
            "meta": {"id": f"{CANARY}-{number}"},
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * number)),
            "said": f"{CANARY}-yes",
            "how_sure": 0.25 * number,
            "amount": 10.5 * number,
            "retries": number,
            "first_time": number == 0,
            "from": {"country": f"{CANARY}-land"},
        }
        for number in range(4)
    ]
    append(made, 0, [*events[:2], b"{"])
    append(made, 1, [*events[2:], None])
    return made


def check_predictions(row: dict[str, Any], number: int) -> None:
    assert (row["prediction_label"], row["prediction_score"]) == (f"{CANARY}-yes", 0.25 * number)
    assert (row["feature/amount"], row["feature/retries"]) == (10.5 * number, number)
    assert row["feature/country"] == f"{CANARY}-land"
    assert (row["tag/partition"], row["tag/offset"], row["tag/stage"]) == (number // 2, number % 2, "live")
    assert row["model_version"] == "7"


def check_regression(row: dict[str, Any], number: int) -> None:
    assert (row["prediction_label"], row["feature/retries"]) == (10.5 * number, number)
    assert row["model_version"] == "v9"


def check_actuals(row: dict[str, Any], number: int) -> None:
    assert row["actual_label"] == f"{CANARY}-yes"
    assert "prediction_label" not in row


@pytest.mark.parametrize(
    ("name", "text", "check"),
    [
        ("new-predictions", PREDICTIONS, check_predictions),
        ("new-regression", REGRESSION, check_regression),
        ("new-actuals", ACTUALS, check_actuals),
    ],
)
def test_a_new_file_goes_to_a_delivered_window(
    bench: Bench, written: Written, name: str, text: str, check: Callable[[dict[str, Any], int], None]
) -> None:
    bench.file(name).write_text(dedent(text).replace("TOPIC", written.topic))
    checked = cold(bench, "check", name)
    assert (checked.code, checked.err) == (0, "")
    assert f"is valid: pipeline {name}" in checked.out
    plan = cold(bench, "plan", name)
    assert (plan.code, plan.err) == (0, "")
    assert "1 window, 6 offsets" in plan.out
    run = cold(bench, "run", name, "--no-prefect")
    assert (run.code, run.err) == (0, "")
    assert "entry    1  6 = 4 staged + 1 tombstones + 1 rejected → 4 accepted, committed" in run.out
    rows = {row["prediction_id"]: row for row in bench.arize.rows(name)}
    assert sorted(rows) == written.good == bench.ids(name)
    for number in range(4):
        check(rows[f"{CANARY}-{number}"], number)
    status = cold(bench, "status", name, "--json")
    assert {item["lag"] for item in status.found["partitions"]} == {0}
    bench.books(name).audit(written)
    bench.books(name).audit_delivered()


def test_what_a_file_maps_wrongly_is_rejected_record_by_record_and_not_sent(bench: Bench, written: Written) -> None:
    name = "new-wrong"
    text = PREDICTIONS.replace("new-predictions", name).replace("amount: float", "amount: bool")
    bench.file(name).write_text(dedent(text).replace("TOPIC", written.topic))
    assert bench.finished(name).found["totals"]["rejected"] == 5
    assert bench.ids(name) == []
    books = bench.books(name)
    books.audit()
    rejected = books.frame(books.sealed[1]["rejected"])
    assert rejected["reason"].to_list().count("amount: expected bool") == 4
    assert json.loads(rejected["value"][0])["meta"]["id"] == f"{CANARY}-0"
