"""What `sluice coverage` works on and prints, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.cli_coverage import coverage_text
from sluice.coverage import coverage_of
from sluice.errors import WrongUse
from sluice.ground_truth.report import CoverageReport
from sluice.offsets import Partition
from tests.arrivals import Pair, arrivals_file, event, flights_file

DAY_S = 86_400
F0, A0 = Partition("flights", 0), Partition("arrivals", 0)
WANTS: dict[str, Any] = {"coverage": {"at_least": 0.9, "after_days": 0}}


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Ten predictions; two days later the truth of four of them, one of these twice, and one of nobody."""
    pair = Pair(tmp_path)
    now_s = int(pair.flights.world.now_s)
    pair.flights.kafka.produce(F0, *[event(number, at_s=now_s - 60) for number in range(10)])
    pair.flights.run(file=flights_file())
    pair.flights.world.now_s += 2 * DAY_S
    truths = [event(number, at_s=now_s + DAY_S) for number in (0, 1, 2, 3, 3, 99)]
    pair.arrivals.kafka.produce(A0, *truths)
    pair.arrivals.run(file=arrivals_file())
    return pair


def coverage(pair: Pair, days: int | None = None, **changed: Any) -> CoverageReport:
    return coverage_of(pair.arrivals.person(arrivals_file(**changed)), days)


def test_it_tells_how_many_predictions_have_their_truth_and_where_the_others_are(pair: Pair) -> None:
    found = coverage(pair)
    assert found.verdict == "4 of 10 predictions have their truth (40%); 1 actual matches nothing"
    text = coverage_text(found.as_dict())
    for words in (
        "arrivals, predictions of flights: 4 of 10",
        "truth takes, by event time: p50 24 h",
        "truth takes, by received: p50 2 days",
        "actuals: 5 sent = 4 matched, 0 early, 0 late, 1 unknown; 1 repeated, not sent again",
        "unmatched: arrivals[0] 5..6",
    ):
        assert words in text
    assert "leave the joining window" not in text
    pair.arrivals.world.now_s += 10 * DAY_S
    leaving = "without truth, and leave the joining window of 14 days within: 1 day 0, 3 days 6, 7 days 6"
    assert leaving in coverage_text(coverage(pair).as_dict())


def test_days_with_less_than_the_file_asks_for_are_named(pair: Pair) -> None:
    assert coverage(pair).below == {}
    found = coverage(pair, **WANTS)
    assert [counts.delivered for counts in found.below.values()] == [10]
    (day,) = found.as_dict()["below"]
    assert f"below 90% after 0 days: {day}" in coverage_text(found.as_dict())
    later: dict[str, Any] = {"coverage": {"at_least": 0.9, "after_days": 3}}
    assert coverage(pair, **later).below == {}
    fewer: dict[str, Any] = {"coverage": {"at_least": 0.4, "after_days": 0}}
    assert coverage(pair, **fewer).below == {}


def test_a_longer_look_back_knows_more(pair: Pair) -> None:
    pair.arrivals.world.now_s += 40 * DAY_S
    assert coverage(pair).verdict == "no predictions were delivered in the last 14 days"
    assert coverage(pair, days=60).verdict.startswith("4 of 10 predictions have their truth")
    with pytest.raises(WrongUse, match="shorter than the joining window of 14 "):
        coverage(pair, days=13)


def test_without_a_word_it_looks_back_to_a_week_of_days_that_count(pair: Pair) -> None:
    pair.arrivals.world.now_s += 20 * DAY_S
    assert coverage(pair).coverage.total.delivered == 0
    late: dict[str, Any] = {"coverage": {"at_least": 0.9, "after_days": 18}}
    found = coverage(pair, **late)
    assert (found.days, found.coverage.total.delivered, len(found.below)) == (25, 10, 1)


def test_without_the_pipeline_of_the_predictions_there_is_none(pair: Pair) -> None:
    with pytest.raises(WrongUse, match="flights does not name the pipeline of its predictions"):
        coverage_of(pair.flights.person(flights_file()))


def test_before_anything_was_delivered_it_says_so(tmp_path: Path) -> None:
    found = coverage_of(Pair(tmp_path).arrivals.open(arrivals_file()))
    assert (found.ledger_id, found.verdict) == (None, "no predictions were delivered in the last 14 days")
    assert coverage_text(found.as_dict()).count("\n") == 1
