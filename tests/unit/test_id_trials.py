"""Whether ids of both sides can meet, by the last records; the sides' Kafka is played."""

from __future__ import annotations

from typing import Any

import pytest

from sluice import id_trials
from sluice.errors import NothingMatches
from sluice.id_trials import NothingToCompare, compare_ids, shapes_of
from sluice.pipeline import Pipeline
from sluice.settings import Settings
from tests.arrivals import arrivals_file, flights_file

NUMBER = {"reason": "id: expected string", "count": 3, "at": ["arrivals[1] 17"]}


def seen(*ids: str, reasons: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    rows = [{"prediction_id": id_} for id_ in ids]
    records = len(ids) + sum(item["count"] for item in reasons)
    return {"rows": rows, "reasons": list(reasons), "records": records, "max_rejected": 0.5, "topics": ["arrivals"]}


def compared(monkeypatch: pytest.MonkeyPatch, flights: dict[str, Any], arrivals: dict[str, Any]) -> str:
    found = {"flights": flights, "arrivals": arrivals}

    def previewed(pipeline: Pipeline, *_: object) -> dict[str, Any]:
        return found[pipeline.name]

    monkeypatch.setattr(id_trials, "preview_last", previewed)
    return compare_ids(arrivals_file(), Settings.from_environment({}))


def test_ids_of_one_shape_can_meet_and_none_of_them_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told = compared(monkeypatch, seen("1001", "ab-7"), seen("1007"))
    assert told == "text on both sides (flights: digits, other text; arrivals: digits)"


@pytest.mark.parametrize(
    ("flights", "arrivals", "says"),
    [
        (seen("ord-1001"), seen("1001"), "looks like one of the other (flights: other text; arrivals: digits)"),
        (seen("1"), seen(reasons=(NUMBER,)), "3 records have no id that can be sent (id: expected string; such as "),
        (seen("2", reasons=(NUMBER,)), seen("1"), "flights: 3 of 4 records have no id"),
        (seen("2"), seen("1", reasons=({**NUMBER, "reason": "prediction_id: missing"},)), "(prediction_id: missing;"),
    ],
)
def test_ids_that_can_never_meet_are_told_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, flights: dict[str, Any], arrivals: dict[str, Any], says: str
) -> None:
    with pytest.raises(NothingMatches) as caught:
        compared(monkeypatch, flights, arrivals)
    assert says in str(caught.value)
    assert "the field that holds the prediction's id" in str(caught.value)


def test_a_side_without_a_record_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingToCompare, match="flights: arrivals holds no record that would be sent"):
        compared(monkeypatch, seen(), seen("1"))
    with pytest.raises(NothingToCompare, match="flights does not name its `predictions`"):
        compare_ids(flights_file(), Settings.from_environment({}))


def test_another_reason_than_the_id_s_is_not_the_id_s(monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"reason": "at: older than 1825 days", "count": 9, "at": ["arrivals[0] 1"]}
    assert compared(monkeypatch, seen("1"), seen("2", reasons=(late,))).startswith("text on both sides")


def test_a_few_records_without_an_id_are_rejected_by_the_run_and_stop_nothing_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compared(monkeypatch, seen("1"), seen("2", "3", "4", reasons=(NUMBER,))).startswith("text on both sides")


def test_a_side_of_which_nothing_would_be_sent_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    timeless = {"reason": "prediction_ts: missing", "count": 9, "at": ["arrivals[0] 1"]}
    with pytest.raises(NothingMatches) as caught:
        compared(monkeypatch, seen("1"), seen(reasons=(timeless,)))
    assert "arrivals: none of 9 records would be sent (prediction_ts: missing; such as arrivals[0] 1)" in str(
        caught.value
    )


def test_shapes_are_named_in_their_order() -> None:
    uuid = "0b3d5c4e-8a52-4a7e-9d0a-8d0e2f1c9b7a"
    assert shapes_of(["hmac:ab", "x", uuid, uuid.replace("-", "").upper(), "12", "a\nb"]) == [
        *("digits", "UUIDs", "keyed hashes", "other text"),
    ]
    assert shapes_of([]) == []
