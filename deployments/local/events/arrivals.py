"""What came true of the sample departures, hours after they were scored: their arrivals, as they were reported.

The model of the departures says whether a flight will be delayed; that came true of one that left 15 minutes late or
more. With it come the minutes by which it left and arrived late, and whether it was diverted: then it has no delay of
arrival. A flight that was cancelled never arrives; 8,255 of 336,776 were.

Most are reported when they arrive. By number and seed it is settled which are not, so that each departure is the
subject of one of these at most, and each report is of one `Kind`.
"""

from __future__ import annotations

import random
from datetime import date
from typing import Literal

import polars as pl

from deployments.local.events.flights import SCORED_BEFORE, TOTAL, beginning_of, flights

Kind = Literal["first", "late", "early", "repeated", "corrected", "relabelled", "unpredicted", "cancelled", "under_way"]
"""What a row of `arrivals` is.

- ``first``: reported when it arrived.
- ``late``: reported 30 to 120 days after that.
- ``early``: reported before it was even scored, by somebody whose clock is wrong.
- ``repeated``: the same report once more, minutes to hours later, byte for byte.
- ``corrected``: a second report, an hour to three days later, with other delays and the same label.
- ``relabelled``: as ``corrected``, and the label is another, too.
- ``unpredicted``: of an id that starts with ``unpredicted-``, of which there is no departure.
- ``cancelled``, ``under_way``: no report, for ever, or for not before the reference date.
"""

_ONE_IN: dict[Kind, int] = {"late": 500, "early": 1_000, "repeated": 400, "corrected": 300, "unpredicted": 1_000}

_DELAYED_FROM = 15
_ON_THE_GROUND = 30  # minutes between gate and air, at both ends together: what a flight takes on average
_MILES_A_MINUTE = 7
_DIVERTED = 180  # minutes more than the direct way
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000  # in milliseconds


def arrivals(reference: date, *, seed: int, start: int = 0, stop: int = TOTAL) -> pl.DataFrame:
    """Report the arrivals of the departures from number `start` up to, not including, number `stop`, in order of time.

    Columns: number, of the departure; id; kind; at, when the report is written to Kafka, in milliseconds since the
    epoch; event, which is JSON. Behind the reports come the departures that have none, without at and event.
    """
    begins = int(beginning_of(reference).timestamp() * 1_000)
    numbered = flights(reference, start=start, stop=stop).hstack(_drawn(seed, start=start, stop=stop))
    first = _first(_landed(numbered), begins)
    settled = first.filter(kind="first")
    again = [_repeated(settled), _corrected(settled), _unpredicted(settled)]
    reports = pl.concat([first, *(frame.filter(pl.col("at") < begins) for frame in again)])
    event = pl.when(pl.col("at").is_not_null()).then(_event().struct.json_encode())
    reports = reports.with_columns(event=event).sort("at", "id", nulls_last=True)
    return reports.select("number", "id", "kind", "at", "event")


def _drawn(seed: int, *, start: int, stop: int) -> pl.DataFrame:
    """Draw for each departure a kind of report, and how much, from 0 to 1, of what that kind asks for."""
    chance = random.Random(f"{seed}-arrivals")
    kinds, weights = [*_ONE_IN, "first"], [1 / many for many in _ONE_IN.values()]
    drawn = chance.choices(kinds, [*weights, 1 - sum(weights)], k=stop)[start:]
    chance = random.Random(f"{seed}-amounts")
    amounts = [chance.random() for _ in range(stop)][start:]
    return pl.DataFrame({"number": range(start, stop), "drawn": drawn, "amount": amounts})


def _landed(numbered: pl.DataFrame) -> pl.DataFrame:
    """Add what came true; all of it is null if the flight was cancelled."""
    detour = pl.col("distance") / _MILES_A_MINUTE + _DIVERTED
    minutes = pl.col("dep_delay") + _ON_THE_GROUND + pl.col("air_time").fill_null(detour)
    leaves_at = pl.col("scored_at") + int(SCORED_BEFORE.total_seconds() * 1_000)
    return numbered.select(
        "number",
        "id",
        "drawn",
        "amount",
        "scored_at",
        arrived_at=leaves_at + (minutes * _MINUTE).cast(pl.Int64),
        departure_delay=pl.col("dep_delay").cast(pl.Float64),
        arrival_delay=pl.col("arr_delay").cast(pl.Float64),
    )


def _first(landed: pl.DataFrame, begins: int) -> pl.DataFrame:
    drawn, arrived_at = pl.col("drawn"), pl.col("arrived_at")
    reported_at = (
        pl.when(drawn == "late")
        .then(arrived_at + _amount(30 * _DAY, 120 * _DAY))
        .when((drawn == "early") & arrived_at.is_not_null())
        .then(pl.col("scored_at") - _amount(10 * _MINUTE, 6 * _HOUR))
        .otherwise(arrived_at)
    )
    kind = (
        pl.when(arrived_at.is_null())
        .then(pl.lit("cancelled"))
        .when(pl.col("reported_at") >= begins)
        .then(pl.lit("under_way"))
        .when(drawn.is_in(["late", "early"]))
        .then(drawn)
        .otherwise(pl.lit("first"))
    )
    at = pl.when(pl.col("reported_at") < begins).then(pl.col("reported_at"))
    return landed.with_columns(reported_at=reported_at).with_columns(kind=kind, at=at)


def _repeated(first: pl.DataFrame) -> pl.DataFrame:
    again = first.filter(drawn="repeated")
    return again.with_columns(kind=pl.lit("repeated"), at=pl.col("at") + _amount(_MINUTE, 3 * _HOUR))


def _corrected(first: pl.DataFrame) -> pl.DataFrame:
    sign = pl.when(pl.col("number") % 2 == 0).then(1).otherwise(-1)
    minutes = sign * _amount(5, 60)
    reported_at = pl.col("reported_at") + _amount(_HOUR, 3 * _DAY)
    again = first.filter(drawn="corrected").with_columns(was_delayed=_is_delayed())
    again = again.with_columns(pl.col("departure_delay", "arrival_delay") + minutes, at=reported_at)
    same = pl.when(_is_delayed() == pl.col("was_delayed"))
    kind = same.then(pl.lit("corrected")).otherwise(pl.lit("relabelled"))
    return again.with_columns(kind=kind, reported_at="at").select(first.columns)


def _unpredicted(first: pl.DataFrame) -> pl.DataFrame:
    strangers = first.filter(drawn="unpredicted")
    return strangers.with_columns(kind=pl.lit("unpredicted"), id=pl.format("unpredicted-{}", "id"))


def _amount(least: int, most: int) -> pl.Expr:
    return (pl.col("amount") * (most - least)).cast(pl.Int64) + least


def _is_delayed() -> pl.Expr:
    return pl.col("departure_delay") >= _DELAYED_FROM


def _event() -> pl.Expr:
    label = pl.when(_is_delayed()).then(pl.lit("delayed")).otherwise(pl.lit("on_time"))
    return pl.struct(
        "id",
        "reported_at",
        "arrived_at",
        type=pl.lit("actual"),
        actual=pl.struct(label.alias("label"), _is_delayed().cast(pl.Float64).alias("score")),
        arrival=pl.struct("departure_delay", "arrival_delay", pl.col("arrival_delay").is_null().alias("diverted")),
    )
