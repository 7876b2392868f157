"""Match actuals with predictions, and count what came of it. Frames of rows are those of `rows.rows_of`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

_KEY = ["space", "model", "prediction_id"]
_PREDICTION = ["prediction_call", "prediction_row"]
_ACTUAL = ["actual_call", "actual_row"]

JOINED = pl.Schema(
    {
        "space": pl.String(),
        "model": pl.String(),
        "prediction_id": pl.String(),
        "prediction_call": pl.Int64(),
        "prediction_row": pl.UInt32(),
        "prediction_received_at": pl.Float64(),
        "actual_call": pl.Int64(),
        "actual_row": pl.UInt32(),
        "actual_received_at": pl.Float64(),
    }
)


def match(rows: pl.DataFrame, looked_at: Collection[int], window_s: float) -> pl.DataFrame:
    """Join the actuals of some calls to predictions that were received at most `window_s` before them, as `JOINED`."""
    age = pl.col("actual_received_at") - pl.col("prediction_received_at")
    pairs = _pairs(_actuals(rows).filter(pl.col("actual_call").is_in(looked_at)), _predictions(rows))
    return pairs.filter(age.is_between(0, window_s)).select(JOINED.names())


def counted(rows: pl.DataFrame, joined: pl.DataFrame, looked_at: Collection[int]) -> dict[str, int]:
    """Count one model's rows.

    - predictions: rows that carry one; of these `complete` brought their truth along, and the joiner gave theirs to
      `predictions_joined`. Both together are `with_truth`.
    - actuals: rows that carry an actual alone: `matched`, `unmatched`, and those that are still `waiting` for a run.
    - early, too_late: unmatched ones that have a prediction, which was received later, or too long before.
    - repeated, corrected: matched ones that came to a prediction that had one already, with the same truth or not.
    """
    predictions, actuals = _predictions(rows), _actuals(rows)
    waiting = ~pl.col("actual_call").is_in(looked_at)
    missed = actuals.filter(~waiting).join(joined, on=_ACTUAL, how="anti")
    missed_pairs = _pairs(missed, predictions)
    is_early = pl.col("prediction_received_at") > pl.col("actual_received_at")
    matched = _distinct(joined, _ACTUAL)
    return {
        "predictions": predictions.height,
        "actuals": actuals.height,
        "matched": matched,
        "unmatched": missed.height,
        "waiting": actuals.filter(waiting).height,
        "early": _distinct(missed_pairs.filter(is_early), _ACTUAL),
        "too_late": _distinct(missed_pairs.filter(~is_early), _ACTUAL),
        "predictions_joined": _distinct(joined, _PREDICTION),
        "complete": predictions.filter("complete").height,
        "with_truth": _with_truth(predictions, joined).height,
        **_again(actuals, joined),
    }


def days(rows: pl.DataFrame, joined: pl.DataFrame) -> list[dict[str, Any]]:
    """Count one model's predictions, and those with their truth, by the day (UTC) of their own timestamp."""
    predictions = _predictions(rows)
    with_truth = _by_day(_with_truth(predictions, joined), "with_truth")
    by_day = _by_day(predictions, "predictions").join(with_truth, on="day", how="left")
    return by_day.with_columns(pl.col("with_truth").fill_null(0)).sort("day").to_dicts()


def _predictions(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter("predicted").select(
        "space",
        "model",
        pl.col("id").alias("prediction_id"),
        pl.col("call").alias("prediction_call"),
        pl.col("row").alias("prediction_row"),
        pl.col("received_at").alias("prediction_received_at"),
        pl.col("actual").alias("complete"),
        "at",
    )


def _actuals(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("actual") & ~pl.col("predicted")).select(
        "space",
        "model",
        pl.col("id").alias("prediction_id"),
        pl.col("call").alias("actual_call"),
        pl.col("row").alias("actual_row"),
        pl.col("received_at").alias("actual_received_at"),
        "truth",
    )


def _pairs(actuals: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    return actuals.join(predictions, on=_KEY)


def _with_truth(predictions: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
    delayed = predictions.filter(~pl.col("complete")).join(joined, on=_PREDICTION, how="semi")
    return pl.concat([predictions.filter("complete"), delayed])


def _again(actuals: pl.DataFrame, joined: pl.DataFrame) -> dict[str, int]:
    told = joined.join(actuals.select(*_ACTUAL, "truth"), on=_ACTUAL).sort("actual_received_at", *_ACTUAL)
    before = pl.col("truth").shift().over(_PREDICTION)
    again = told.with_columns(before=before).filter(pl.col("before").is_not_null())
    same = pl.col("truth") == pl.col("before")
    return {
        "repeated": _distinct(again.filter(same), _ACTUAL),
        "corrected": _distinct(again.filter(~same), _ACTUAL),
    }


def _by_day(predictions: pl.DataFrame, name: str) -> pl.DataFrame:
    day = pl.from_epoch((pl.col("at") * 1e6).cast(pl.Int64), "us").dt.strftime("%Y-%m-%d")
    return predictions.group_by(day.alias("day")).agg(pl.len().alias(name))


def _distinct(frame: pl.DataFrame, columns: list[str]) -> int:
    return frame.select(columns).n_unique()
