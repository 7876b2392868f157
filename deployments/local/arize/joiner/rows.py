"""Read what the joiner needs of the rows that were received."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from deployments.local.arize.proof import ids_of
from deployments.local.arize.store import Call, Store
from deployments.local.arize.wire import actual, predicted

_SCHEMA = pl.Schema(
    {
        "space": pl.String(),
        "model": pl.String(),
        "call": pl.Int64(),
        "row": pl.UInt32(),
        "id": pl.String(),
        "received_at": pl.Float64(),
        "at": pl.Float64(),
        "predicted": pl.Boolean(),
        "actual": pl.Boolean(),
        "truth": pl.String(),
    }
)


def rows_of(store: Store, calls: Iterable[Call]) -> pl.DataFrame:
    """Give the rows of calls, each named by its call's number and its place in the call, which counts from 0.

    received_at and at, the row's own timestamp, are seconds since the epoch; a row without one happened when it was
    received. predicted and actual say what it carries, and truth is all that it says of what came true, as one text.
    """
    return pl.concat([_SCHEMA.to_frame(), *(_rows(call, store.table(call)) for call in calls)])


def _rows(call: Call, table: Any) -> pl.DataFrame:
    of_each = pl.DataFrame(
        {
            "row": pl.arange(table.num_rows, dtype=pl.UInt32, eager=True),
            "id": ids_of(table, call),
            "at": _at(call, table),
            "predicted": _any_valid(table, predicted(call.columns)),
            "actual": _any_valid(table, actual(call.columns)),
            "truth": _truth(call, table),
        }
    )
    of_all = {"space": call.space, "model": call.model, "call": call.number, "received_at": call.received_at}
    named = [pl.lit(value, dtype=_SCHEMA[name]).alias(name) for name, value in of_all.items()]
    return of_each.with_columns(named).select(_SCHEMA.names())


def _at(call: Call, table: Any) -> pl.Series:
    column = call.columns.get("timestamp")
    if column is None:
        return pl.repeat(call.received_at, table.num_rows, dtype=pl.Float64, eager=True)
    stamps = pl.Series(table[column])
    if stamps.dtype.is_temporal():
        stamps = stamps.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
    return stamps.cast(pl.Float64)


def _any_valid(table: Any, columns: list[str]) -> pl.Series:
    any_of: Callable[[Any, Any], Any] = pc.or_
    valid = pa.repeat(pa.scalar(False), table.num_rows)
    for column in columns:
        valid = any_of(valid, pc.is_valid(table[column]))
    return pl.Series(valid)


def _truth(call: Call, table: Any) -> pl.Series:
    brought = set(actual(call.columns))
    named = {name: column for name, column in sorted(call.columns.items()) if column in brought}
    if not named:
        return pl.repeat(None, table.num_rows, dtype=pl.String, eager=True)
    said = pl.DataFrame({name: pl.Series(table[column]) for name, column in named.items()})
    numbers = pl.selectors.numeric().cast(pl.Float64)  # 1 and 1.0 are the same truth
    return said.with_columns(numbers).select(pl.struct(pl.all()).struct.json_encode()).to_series()
