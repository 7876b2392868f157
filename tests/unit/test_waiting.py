"""Actuals that wait for their predictions: nothing is taken that came behind what of these is delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.cli_text import status_text
from sluice.offsets import Partition
from sluice.status import status
from tests.arrivals import Pair, arrivals_file, event, flights_file
from tests.parts import MARKER, REFUSES

F0, F1 = Partition("flights", 0), Partition("flights", 1)
A0 = Partition("arrivals", 0)
WAITS = arrivals_file(policies={"wait_for": "flights"})
NOON_MS = 1_699_963_200_000
MINUTE_MS = 60_000


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """One record of each kind a minute, from noon on."""
    pair = Pair(tmp_path)
    for minute in range(4):
        for desk, at in ((pair.flights, F0), (pair.arrivals, A0)):
            desk.kafka.stamp_ms = NOON_MS + minute * MINUTE_MS
            desk.kafka.produce(at, event(minute))
    return pair


def taken(pair: Pair, file: object = WAITS) -> int:
    return pair.arrivals.run(file=file).rows_accepted  # type: ignore[arg-type]


def test_nothing_is_taken_before_any_prediction_was_delivered_and_all_of_it_behind(pair: Pair) -> None:
    assert taken(pair) == 0
    pair.flights.run(file=flights_file())
    assert taken(pair) == 4


def test_what_came_from_the_first_prediction_on_that_is_not_delivered_waits(pair: Pair) -> None:
    pair.flights.run(file=flights_file(limits={"max_records": 2, "max_windows": 1}))
    assert taken(pair) == 2
    assert pair.arrivals.kafka.group[A0].offset == 2
    pair.flights.run(file=flights_file())
    assert taken(pair) == 2


def test_status_and_run_say_up_to_when_predictions_are_delivered(pair: Pair) -> None:
    pair.flights.run(file=flights_file(limits={"max_records": 2, "max_windows": 1}))
    found = status(pair.arrivals.open(WAITS))
    assert found["predictions"] == {"pipeline": "flights", "delivered_until": "2023-11-14T12:02:00Z"}
    assert "waits for flights, which is delivered up to 2023-11-14T12:02:00Z" in status_text(found)
    waiting = pair.arrivals.open(WAITS)
    waiting.plan()
    assert waiting.waits_from == datetime(2023, 11, 14, 12, 2, tzinfo=UTC)
    pair.flights.run(file=flights_file())
    waiting.plan()
    assert waiting.waits_from is None
    assert status(pair.arrivals.open(arrivals_file()))["predictions"] == {
        "pipeline": "flights",
        "delivered_until": None,
    }
    assert status(pair.flights.open(flights_file()))["predictions"] is None


def test_a_sealed_window_that_is_not_delivered_is_waited_for(pair: Pair) -> None:
    pair.flights.run(REFUSES, file=flights_file())
    assert taken(pair) == 0


def test_the_partition_that_is_furthest_behind_decides_by_its_first_record(pair: Pair) -> None:
    pair.flights.run(file=flights_file())
    pair.flights.kafka.stamp_ms = NOON_MS + MINUTE_MS
    pair.flights.kafka.produce(F1, MARKER, MARKER, event(7))
    assert taken(pair) == 1


def test_markers_alone_are_nothing_to_wait_for(pair: Pair) -> None:
    pair.flights.run(file=flights_file())
    pair.flights.kafka.stamp_ms = NOON_MS
    pair.flights.kafka.produce(F1, MARKER, MARKER)
    assert taken(pair) == 4


def test_who_does_not_wait_takes_what_there_is(pair: Pair) -> None:
    assert taken(pair, arrivals_file()) == 4


def test_nothing_of_the_predictions_is_changed(pair: Pair) -> None:
    pair.flights.run(file=flights_file())
    before = {key: value for key, value in pair.flights.store.objects.items() if "/flights/" in key}
    group = dict(pair.flights.kafka.group)
    taken(pair)
    assert {key: value for key, value in pair.flights.store.objects.items() if "/flights/" in key} == before
    assert pair.flights.kafka.group == group
