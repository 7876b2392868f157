"""Count what arrived: the questions that a proof of exactly-once asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from deployments.local.arize.store import Call, Store

_VERSION = ("space", "model", "environment", "version", "kind")
_MODEL = ("space", "model", "environment", "kind")
_Part = tuple[Call, str | None]  # the rows of a call that are of a version, or all of them


def summary(store: Store) -> dict[str, Any]:
    """Sum up by model and by version: rows, distinct prediction ids, ids seen twice or more, rows in excess.

    Rows are counted whichever way they came, by a call or by a file that an import job took.
    """
    kept = [call for call in store.calls if call.kept]
    calls = [call for call in store.calls if not call.job]
    return {
        "rows": sum(call.rows for call in kept),
        "files": sum(bool(call.job) for call in kept),
        "calls": {
            "received": len(calls),
            "stored": sum(call.stored for call in calls),
            "lost": sum(call.lost for call in calls),
            "not_stored": sum(not call.stored for call in calls),
        },
        "models": _grouped(store, kept, _MODEL),
        "versions": _grouped(store, kept, _VERSION),
    }


def ids(store: Store, calls: Iterable[Call], *, repeated: bool, version: str | None = None) -> dict[str, Any]:
    """List every prediction id, one for each row as it arrived; or only those seen twice or more, with their counts.

    version leaves out the rows of other versions, here and below: an imported file may hold several.
    """
    series = _ids(store, ((call, version) for call in calls))
    if not repeated:
        return {"ids": series.to_list()}
    counts = series.drop_nulls().value_counts().filter(pl.col("count") > 1)
    return {"ids": dict(counts.sort(series.name).iter_rows())}


def rows(
    store: Store, calls: Iterable[Call], *, limit: int, prediction_id: str | None, version: str | None = None
) -> list[dict[str, Any]]:
    """Give rows with their columns named in Arize's words, each with the call, or the job and path, that brought it."""
    found: list[dict[str, Any]] = []
    for call in calls:
        table = arrow(store, call, version)
        if prediction_id is not None:
            table = table.filter(pc.equal(pc.cast(table["prediction_id"], pa.string()), prediction_id))
        found += table.slice(0, limit - len(found)).to_pylist()
        if len(found) >= limit:
            break
    return found


def arrow(store: Store, call: Call, version: str | None = None) -> Any:
    """Read a call as a pyarrow Table with its columns named in Arize's words, and where each row came from."""
    table = _table(store, call, version)
    named = {name: table[column] for name, column in call.columns.items() if name != "version"}
    named.setdefault("prediction_id", pa.nulls(table.num_rows, pa.string()))
    origin = {
        "call": pa.scalar(call.number, pa.int64()),
        "job": pa.scalar(call.job or None, pa.string()),
        "path": pa.scalar(call.path or None, pa.string()),
        "received_at": pa.scalar(call.received_at, pa.float64()),
        "environment": pa.scalar(call.environment, pa.string()),
    }
    named |= {name: pa.repeat(value, table.num_rows) for name, value in origin.items()}
    return pa.table(named | {"model_version": _versions(table, call)})


def alike(tables: list[Any]) -> list[Any]:
    """Give tables one schema: a column that one call lacks is null there."""
    if not tables:
        return []
    schema = pa.unify_schemas([table.schema for table in tables], promote_options="permissive")
    return [pa.concat_tables([schema.empty_table(), table], promote_options="permissive") for table in tables]


def ids_of(table: Any, call: Call) -> pl.Series:
    """Give the prediction ids of a call's table: one may come as an integer, and is compared as Arize shows it."""
    column = call.columns.get("prediction_id")
    if column is None:
        return pl.Series("prediction_id", [None] * table.num_rows, dtype=pl.String)
    return pl.Series("prediction_id", table[column]).cast(pl.String)


def _grouped(store: Store, calls: list[Call], by: tuple[str, ...]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[_Part]] = {}
    for call in calls:
        for version in call.by_version if "version" in by else [None]:
            key = tuple(version if name == "version" and version is not None else getattr(call, name) for name in by)
            groups.setdefault(key, []).append((call, version))
    return [dict(zip(by, key, strict=True)) | _counts(store, groups[key]) for key in sorted(groups)]


def _counts(store: Store, parts: list[_Part]) -> dict[str, Any]:
    named = _ids(store, parts).drop_nulls()
    seen = named.value_counts()["count"]
    return {
        "rows": sum(call.rows if version is None else call.by_version[version] for call, version in parts),
        "prediction_ids": len(seen),
        "repeated_ids": int((seen > 1).sum()),
        "excess_rows": len(named) - len(seen),
        "calls": sum(not call.job for call, _ in parts),
        "files": sum(bool(call.job) for call, _ in parts),
        "last_call_at": max(call.received_at for call, _ in parts),
    }


def _ids(store: Store, parts: Iterable[_Part]) -> pl.Series:
    empty = pl.Series("prediction_id", [], dtype=pl.String)
    return pl.concat([empty, *(ids_of(_table(store, call, version), call) for call, version in parts)])


def _table(store: Store, call: Call, version: str | None) -> Any:
    table = store.table(call)
    if version is None or "version" not in call.columns:
        return table
    return table.filter(pc.equal(_versions(table, call), version))


def _versions(table: Any, call: Call) -> Any:
    """Give the version of each row: its own, if it carries one, else the call's."""
    column = call.columns.get("version")
    if column is None:
        return pa.repeat(pa.scalar(call.version, pa.string()), table.num_rows)
    return pc.fill_null(pc.cast(table[column], pa.string()), "")
