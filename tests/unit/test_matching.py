"""From two ledgers to coverage, over what is really sealed, delivered and let go of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sluice.ground_truth.coverage import Coverage
from sluice.ground_truth.matching import Side, match
from sluice.ledger.went import Sent
from sluice.sweep import let_go
from sluice.windows import MappedWindow
from tests import parts
from tests.desk import A0, Desk
from tests.parts import REFUSES, pipeline_file

DELAY = Sent(space="space", model="delay", environment="production")
KEEPS = pipeline_file(keep="{staged: 1d}")
DAY_S = 86_400


def map_with_ids(*arguments: Any, **more: Any) -> MappedWindow:
    """As `parts.map_simply`; the offset is the id, and the hour of the event the day's first."""
    mapped = parts.map_simply(*arguments, **more)
    ids = {"prediction_id": pl.col("offset").cast(pl.String), "prediction_ts": pl.lit(1_700_000_000.0)}
    return MappedWindow(frame=mapped.frame.with_columns(**ids), rejected=mapped.rejected, counted=mapped.counted)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Desk]:
    """Predictions 0 to 5, in two windows; actuals 4 to 9, two days later."""
    monkeypatch.setattr("sluice.windows.map_window", map_with_ids)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "actuals").mkdir()
    predictions, actuals = Desk(tmp_path / "predictions"), Desk(tmp_path / "actuals")
    predictions.kafka.produce(A0, *[b"good 1", b"good 2"] * 3)
    predictions.run()
    actuals.world.now_s += 2 * DAY_S
    actuals.kafka.produce(A0, *[parts.MARKER] * 4, *[b"good 1"] * 6)
    actuals.run()
    return predictions, actuals


def matched(both: tuple[Desk, Desk], days: int = 30) -> Coverage:
    now_s = max(desk.world.now_s for desk in both)
    guesses, truths = (
        Side(store=run.store, ledger=run.ledger, staging=run.staging) for run in (desk.person() for desk in both)
    )
    return match(guesses, truths, DELAY, now_s=int(now_s), days=days)


def test_what_was_delivered_on_both_sides_is_matched_by_id(both: tuple[Desk, Desk]) -> None:
    found = matched(both)
    assert (found.total.delivered, found.total.joined, found.total.none, found.total.waiting) == (6, 2, 4, 4)
    assert (found.actuals.matched, found.actuals.unknown) == (2, 4)
    assert [str(item) for item in found.places.ranges] == ["a[0] 6..10"]
    assert found.days.keys() == {date(2023, 11, 14)}
    assert found.total.received_delays.within(1) in range(2 * DAY_S, 2 * DAY_S + DAY_S // 64)


def test_what_waits_for_delivery_is_on_neither_side(both: tuple[Desk, Desk]) -> None:
    predictions, actuals = both
    predictions.kafka.produce(A0, *[b"good 1"] * 4)
    predictions.run(REFUSES)
    before = matched(both)
    assert (before.total.delivered, before.actuals.unknown) == (6, 4)
    predictions.world.now_s = actuals.world.now_s + 60
    predictions.run()
    after = matched(both)
    assert (after.total.delivered, after.total.early) == (10, 4)
    assert (after.actuals.early, after.actuals.unknown) == (4, 0)


def test_ids_are_known_when_staged_files_are_gone_and_said_to_be_unknown_when_nobody_ever_asked(
    both: tuple[Desk, Desk],
) -> None:
    predictions, _ = both
    predictions.world.now_s += 3 * DAY_S
    known = matched(both)
    assert len(let_go(predictions.person(KEEPS), is_trial=False)) == 2
    assert matched(both) == known
    for key in [key for key in predictions.store.objects if key.startswith("ids/")]:
        predictions.store.delete(key)
    gone = matched(both)
    assert (gone.total.delivered, gone.unknown_predictions, gone.actuals.unknown) == (0, 6, 6)


def test_predictions_before_the_days_are_there_for_their_actuals_alone(both: tuple[Desk, Desk]) -> None:
    for desk in both:
        desk.world.now_s += 13 * DAY_S  # predictions are 15 days old, actuals 13
    found = matched(both, days=14)
    assert (found.total.delivered, found.actuals.matched) == (0, 2)
    with pytest.raises(ValueError, match="shorter than the joining window"):
        matched(both, days=13)
