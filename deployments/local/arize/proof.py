"""Count what arrived: the questions that a proof of exactly-once asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from deployments.local.arize.store import Call, Store
from deployments.local.arize.wire import actual, predicted

_VERSION = ("space", "model", "environment", "version", "kind")
_MODEL = ("space", "model", "environment", "kind")
_DAY_S = 86_400.0


def summary(store: Store) -> dict[str, Any]:
    """Sum up by model and by version: rows, distinct prediction ids, ids seen twice or more, rows in excess."""
    calls = store.calls
    kept = [call for call in calls if call.kept]
    return {
        "rows": sum(call.rows for call in kept),
        "calls": {
            "received": len(calls),
            "stored": sum(call.stored for call in calls),
            "lost": sum(call.lost for call in calls),
            "not_stored": sum(not call.stored for call in calls),
        },
        "models": _grouped(store, kept, _MODEL),
        "versions": _grouped(store, kept, _VERSION),
        "join": store.joined,
    }


def ids(store: Store, calls: Iterable[Call], *, repeated: bool) -> dict[str, Any]:
    """List every prediction id, one for each row as it arrived; or only those seen twice or more, with their counts."""
    series = _ids(store, calls)
    if not repeated:
        return {"ids": series.to_list()}
    counts = series.drop_nulls().value_counts().filter(pl.col("count") > 1)
    return {"ids": dict(counts.sort(series.name).iter_rows())}


def rows(store: Store, calls: Iterable[Call], *, limit: int, prediction_id: str | None) -> list[dict[str, Any]]:
    """Give rows with their columns named in Arize's words, each with the call that brought it."""
    found: list[dict[str, Any]] = []
    for call in calls:
        table = arrow(store, call)
        if prediction_id is not None:
            table = table.filter(pc.equal(pc.cast(table["prediction_id"], pa.string()), prediction_id))
        found += table.slice(0, limit - len(found)).to_pylist()
        if len(found) >= limit:
            break
    return found


def arrow(store: Store, call: Call) -> Any:
    """Read a call as a pyarrow Table with its columns named in Arize's words, and where each row came from."""
    table = store.table(call)
    named = {name: table[column] for name, column in call.columns.items()}
    origin = {
        "call": pa.scalar(call.number, pa.int64()),
        "received_at": pa.scalar(call.received_at, pa.float64()),
        "environment": pa.scalar(call.environment, pa.string()),
        "model_version": pa.scalar(call.version, pa.string()),
    }
    named.setdefault("prediction_id", pa.nulls(table.num_rows, pa.string()))
    return pa.table(named | {name: pa.repeat(value, table.num_rows) for name, value in origin.items()})


def alike(tables: list[Any]) -> list[Any]:
    """Give tables one schema: a column that one call lacks is null there."""
    if not tables:
        return []
    schema = pa.unify_schemas([table.schema for table in tables], promote_options="permissive")
    return [pa.concat_tables([schema.empty_table(), table], promote_options="permissive") for table in tables]


def join(store: Store, *, now: float, window_days: float) -> dict[str, Any]:
    """Join actuals to predictions received up to so many days earlier, on model and id, whatever the version."""
    calls = [call for call in store.calls if call.kept]
    models = sorted({(call.space, call.model) for call in calls})
    results = []
    for space, model in models:
        mine = [call for call in calls if (call.space, call.model) == (space, model)]
        counts = _joined(pl.concat([_marked(store, call) for call in mine]), window_days * _DAY_S)
        results.append({"space": space, "model": model, **counts})
    return {"at": now, "window_days": window_days, "models": results}


def _grouped(store: Store, calls: list[Call], by: tuple[str, ...]) -> list[dict[str, Any]]:
    def key(call: Call) -> tuple[str, ...]:
        return tuple(getattr(call, name) for name in by)

    return [
        dict(zip(by, values, strict=True)) | _counts(store, [call for call in calls if key(call) == values])
        for values in sorted({key(call) for call in calls})
    ]


def _counts(store: Store, calls: list[Call]) -> dict[str, Any]:
    named = _ids(store, calls).drop_nulls()
    seen = named.value_counts()["count"]
    return {
        "rows": sum(call.rows for call in calls),
        "prediction_ids": len(seen),
        "repeated_ids": int((seen > 1).sum()),
        "excess_rows": len(named) - len(seen),
        "calls": len(calls),
        "last_call_at": max(call.received_at for call in calls),
    }


def _ids(store: Store, calls: Iterable[Call]) -> pl.Series:
    empty = pl.Series("prediction_id", [], dtype=pl.String)
    return pl.concat([empty, *(_ids_of(store.table(call), call) for call in calls)])


def _ids_of(table: Any, call: Call) -> pl.Series:
    """An id may come as an integer: it is compared as Arize shows it, as a string."""
    column = call.columns.get("prediction_id")
    if column is None:
        return pl.Series("prediction_id", [None] * call.rows, dtype=pl.String)
    return pl.Series("prediction_id", table[column]).cast(pl.String)


def _marked(store: Store, call: Call) -> pl.DataFrame:
    table = store.table(call)
    return pl.DataFrame(
        {
            "id": _ids_of(table, call),
            "received_at": pl.repeat(call.received_at, call.rows, dtype=pl.Float64, eager=True),
            "predicted": _any_valid(table, predicted(call.columns)),
            "actual": _any_valid(table, actual(call.columns)),
        }
    )


def _any_valid(table: Any, columns: list[str]) -> pl.Series:
    any_of: Callable[[Any, Any], Any] = pc.or_
    valid = pa.repeat(pa.scalar(False), table.num_rows)
    for column in columns:
        valid = any_of(valid, pc.is_valid(table[column]))
    return pl.Series(valid)


def _joined(frame: pl.DataFrame, window_s: float) -> dict[str, int]:
    predictions = frame.filter("predicted").select("id", predicted_at="received_at").with_row_index("prediction")
    actuals = frame.filter("actual").select("id", actual_at="received_at").with_row_index("actual")
    pairs = actuals.join(predictions, on="id").with_columns(age=pl.col("actual_at") - pl.col("predicted_at"))
    met = pairs.filter(pl.col("age").is_between(0, window_s))
    missed = pairs.join(met, on="actual", how="anti")
    matched = met["actual"].n_unique()
    return {
        "predictions": predictions.height,
        "actuals": actuals.height,
        "matched": matched,
        "unmatched": actuals.height - matched,
        "early": missed.filter(pl.col("age") < 0)["actual"].n_unique(),
        "too_late": missed.filter(pl.col("age") > window_s)["actual"].n_unique(),
        "predictions_joined": met["prediction"].n_unique(),
    }
