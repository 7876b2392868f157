"""The stand-in's joiner: at its hour, by a clock that is moved, over what Arize's documentation says and no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from arize.ml.types import Schema

from deployments.local.arize import ArizeStandIn, running_arize
from tests.sdk_calls import ACTUALS, predictions, send

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
NO_VERSION = {"schema": ACTUALS, "model_version": None}


@pytest.fixture
def arize(tmp_path: Path) -> Iterator[ArizeStandIn]:
    """A stand-in whose clock stands still but for being moved."""
    with running_arize(tmp_path, clock=BEGIN.timestamp) as standing_in:
        yield standing_in


def hours(arize: ArizeStandIn) -> list[datetime]:
    return [datetime.fromtimestamp(run["at"], UTC) for run in arize.join_runs()]


def flights(*numbers: int) -> list[str]:
    return [f"flight-{number}" for number in numbers]


def test_the_joiner_runs_once_for_each_five_oclock_that_is_passed(arize: ArizeStandIn) -> None:
    assert hours(arize) == []
    send(arize, 1)
    arize.move_to(datetime(2026, 3, 3, 4, 59, 59, tzinfo=UTC))
    assert hours(arize) == []
    arize.advance(seconds=1)
    assert hours(arize) == [datetime(2026, 3, 3, 5, tzinfo=UTC)]
    arize.advance(hours=1)
    arize.move_past_join()
    arize.advance(days=398)
    assert hours(arize) == [datetime(2026, 3, 3, 5, tzinfo=UTC) + timedelta(days=n) for n in range(400)]


def test_a_run_looks_at_what_was_received_the_day_before(arize: ArizeStandIn) -> None:
    send(arize, 3)
    send(arize, predictions(1), **NO_VERSION)
    arize.move_to(datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC))
    send(arize, predictions(1, first=1), **NO_VERSION)
    arize.advance(seconds=1)
    send(arize, predictions(1, first=2), **NO_VERSION)
    arize.advance(hours=5)
    assert arize.joined_ids("delay") == flights(0, 1)
    assert arize.join_counts("delay")["waiting"] == 1
    arize.advance(days=1)
    assert arize.joined_ids("delay") == flights(0, 1, 2)
    assert [(run["calls"], run["joined"]) for run in arize.join_runs()] == [(2, 2), (1, 1)]


def test_actuals_join_predictions_of_any_version_for_fourteen_days(arize: ArizeStandIn) -> None:
    send(arize, 10, model_version="1")
    send(arize, 4, model_name="another")
    arize.advance(days=14)
    send(arize, predictions(5), **NO_VERSION)
    arize.advance(seconds=1)
    send(arize, predictions(10, first=10), model_version="2")
    send(arize, predictions(10, first=5), **NO_VERSION)
    arize.move_past_join()
    assert arize.joined_ids("delay") == flights(0, 1, 2, 3, 4, 10, 11, 12, 13, 14)
    counts = arize.join_counts("delay")
    assert (counts["matched"], counts["unmatched"], counts["too_late"], counts["early"]) == (10, 5, 5, 0)
    assert (counts["predictions"], counts["with_truth"], arize.joined_ids("another")) == (20, 10, [])


def test_an_actual_without_a_prediction_is_kept_and_not_looked_at_again(arize: ArizeStandIn) -> None:
    send(arize, predictions(3), **NO_VERSION)
    arize.advance(seconds=1)
    send(arize, 2)
    arize.advance(days=20)
    assert arize.joined_ids("delay") == []
    counts = arize.join_counts("delay")
    assert (counts["actuals"], counts["unmatched"], counts["early"], counts["waiting"]) == (3, 3, 2, 0)
    assert arize.ids("delay", kind="actuals") == flights(0, 1, 2)


def test_the_same_id_twice_is_two_predictions_and_both_are_joined(arize: ArizeStandIn) -> None:
    send(arize, 2)
    send(arize, 1, model_version="2")
    send(arize, predictions(1), **NO_VERSION)
    arize.move_past_join()
    joined = arize.joined("delay").select(["prediction_call", "prediction_row", "actual_call", "actual_row"])
    assert sorted(tuple(row.values()) for row in joined.to_pylist()) == [(0, 0, 2, 0), (1, 0, 2, 0)]
    counts = arize.join_counts("delay")
    assert (counts["matched"], counts["predictions_joined"], arize.joined_ids("delay")) == (1, 2, flights(0, 0))


def test_a_second_actual_is_counted_as_repeated_or_as_corrected(arize: ArizeStandIn) -> None:
    send(arize, 4)
    send(arize, predictions(4), **NO_VERSION)
    arize.move_past_join()
    corrected = predictions(2, first=1)
    corrected.loc[0, "label"] = "cancelled"
    send(arize, corrected, **NO_VERSION)
    arize.move_past_join()
    counts = arize.join_counts("delay")
    assert (counts["actuals"], counts["matched"], counts["repeated"], counts["corrected"]) == (6, 6, 1, 1)
    assert (counts["predictions_joined"], arize.joined("delay").num_rows) == (4, 6)


def test_a_row_that_carries_both_has_its_truth_without_the_joiner(arize: ArizeStandIn) -> None:
    both = Schema(
        prediction_id_column_name="id", prediction_label_column_name="label", actual_label_column_name="carrier"
    )
    send(arize, 5, schema=both)
    counts = arize.join_counts("delay")
    assert (counts["predictions"], counts["complete"], counts["with_truth"], counts["actuals"]) == (5, 5, 5, 0)


def test_predictions_with_their_truth_are_counted_by_their_own_day(arize: ArizeStandIn) -> None:
    days = predictions(5).assign(at=[1_772_323_199 + n // 3 for n in range(5)])
    send(arize, days)
    send(arize, predictions(2, first=2), **NO_VERSION)
    arize.move_past_join()
    assert arize.join_days("delay") == [
        {"day": "2026-02-28", "predictions": 3, "with_truth": 1},
        {"day": "2026-03-01", "predictions": 2, "with_truth": 1},
    ]


def test_the_joiner_can_be_told_to_look_now_and_looks_at_each_actual_once(arize: ArizeStandIn) -> None:
    send(arize, 3)
    arize.advance(days=15)
    send(arize, predictions(2), **NO_VERSION)
    assert arize.join(window_days=20)["models"][0]["matched"] == 2
    arize.move_past_join()
    assert [(run["told"], run["joined"]) for run in arize.join_runs()[-2:]] == [(True, 2), (False, 0)]
    assert arize.join_counts("delay")["matched"] == 2


def test_a_run_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    with running_arize(tmp_path, clock=BEGIN.timestamp) as arize:
        send(arize, 3)
        send(arize, predictions(2), **NO_VERSION)
        arize.move_past_join()
        runs, summary = arize.join_runs(), arize.summary()
    journal = tmp_path / "joiner.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    with running_arize(tmp_path, clock=BEGIN.timestamp) as arize:
        assert (arize.join_runs(), arize.summary()) == (runs, summary)
        assert arize.joined_ids("delay") == flights(0, 1)


def test_a_reset_forgets_what_was_joined_and_not_the_time(arize: ArizeStandIn) -> None:
    send(arize, 3)
    send(arize, predictions(2), **NO_VERSION)
    arize.move_past_join()
    now = arize.now()
    arize.reset()
    assert (arize.summary()["join"], arize.join_runs(), arize.now()) == (None, [], now)
    send(arize, 1)
    assert arize.joined_ids("delay") == []


@pytest.mark.parametrize("moved", [{"seconds": -1}, {"seconds": "inf"}, {"at": 0}, {}])
def test_the_clock_never_goes_back(arize: ArizeStandIn, moved: dict[str, object]) -> None:
    assert requests.put(f"{arize.url}/standin/clock", json=moved, timeout=20).status_code == 400
    assert arize.now() == BEGIN.timestamp()


def test_the_page_shows_what_is_joined(arize: ArizeStandIn) -> None:
    send(arize, 1_234, model_name="<b>delay</b>")
    send(arize, predictions(1_111), model_name="<b>delay</b>", **NO_VERSION)
    page = requests.get(arize.url, timeout=20).text
    assert "daily at 05:00 UTC: not yet, next for 2026-03-03 05:00" in page
    arize.move_past_join()
    page = requests.get(arize.url, timeout=20).text
    assert "last for 2026-03-03 05:00, next for 2026-03-04 05:00" in page
    assert page.count("1,111") >= 3
    assert "<b>delay</b>" not in page.replace("<b>&lt;", "")
