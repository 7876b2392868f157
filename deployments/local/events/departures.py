"""Real departures, scored by a small model: what a sample prediction says."""

from __future__ import annotations

from datetime import date

import polars as pl

from deployments.local.events.flights import TOTAL, data_folder, flights, shift_to

NEW_MODEL_FROM = date(2013, 4, 9)  # 60 % of the first 150,000 departures lie before it

_DELAYED_FROM = 0.35
_CARRIER_LEAN = {"EV": 0.35, "F9": 0.4, "FL": 0.4, "YV": 0.3, "MQ": 0.2, "B6": 0.1}
_CARRIER_LEAN |= {"AA": -0.2, "DL": -0.2, "AS": -0.6, "HA": -0.8}
_REGIONS = {-5: "eastern", -6: "central", -7: "mountain", -8: "pacific", -9: "alaska", -10: "hawaii"}


def departures(reference: date, *, start: int = 0, stop: int = TOTAL) -> pl.DataFrame:
    """Score the departures from number `start` up to, not including, number `stop`, in the order of scoring.

    The columns id, version and scored_at (milliseconds since the epoch) are inside of `event` too, which is JSON.
    """
    is_new = pl.col("day") >= NEW_MODEL_FROM + shift_to(reference)
    scored = (
        _with_surroundings(flights(reference, start=start, stop=stop))
        .with_columns(version=pl.when(is_new).then(pl.lit("2013.5")).otherwise(pl.lit("2013.4")))
        .with_columns(score=_score())
    )
    return scored.select("id", "version", "scored_at", event=_event().struct.json_encode())


def _with_surroundings(leaving: pl.DataFrame) -> pl.DataFrame:
    folder = data_folder()
    weather = pl.read_csv(folder / "weather.csv", null_values="NA", infer_schema_length=None)
    weather = weather.select(
        "origin", pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"), "visib", "wind_speed", "precip"
    )
    airports = pl.read_csv(folder / "airports.csv", columns=["faa", "tz"])
    return leaving.join(weather, on=["origin", "time_hour"], how="left", maintain_order="left").join(
        airports, left_on="dest", right_on="faa", how="left", maintain_order="left"
    )


def _score() -> pl.Expr:
    """A logistic model of hour, carrier and weather that knows no outcome; the newer version leans more on weather."""
    weather = (
        0.8 * (pl.col("precip").fill_null(0) > 0)
        + 0.05 * (10 - pl.col("visib").fill_null(10))
        + 0.03 * (pl.col("wind_speed").fill_null(0).clip(15, 60) - 15)
    )
    carrier = pl.col("carrier").replace_strict(_CARRIER_LEAN, default=0.0, return_dtype=pl.Float64)
    trust = pl.when(pl.col("version") == "2013.4").then(1.0).otherwise(1.5)
    leaning = -2.1 + 0.105 * (pl.col("hour") - 6).clip(0, 15) + carrier + trust * weather
    return (1 / (1 + (-leaning).exp())).round(4)


def _event() -> pl.Expr:
    late = pl.when(pl.col("score") >= _DELAYED_FROM)
    return pl.struct(
        "id",
        "scored_at",
        type=pl.lit("prediction"),
        prediction=pl.struct("score", label=late.then(pl.lit("delayed")).otherwise(pl.lit("on_time"))),
        features=_features(),
        region=pl.col("tz").replace_strict(_REGIONS, default="caribbean"),
        meta=pl.struct(host=pl.format("scorer-{}", pl.col("flight") % 4)),
        model=pl.struct("version"),
    )


def _features() -> pl.Expr:
    return pl.struct(
        "carrier",
        "origin",
        "dest",
        pl.col("distance").cast(pl.Float64),
        "hour",
        "precip",
        pl.col("wind_speed").round(1),
        month=pl.col("day").dt.month(),
        visibility="visib",
        weekday=pl.col("day").dt.weekday(),
        night=(pl.col("hour") >= 21) | (pl.col("hour") < 6),
        scheduled_minute=pl.col("hour") * 60 + pl.col("minute"),
    )
