"""The rows of a part as the SDK takes them: a pandas frame of Arrow columns under their names on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sluice.destinations.sdk_answers import NotSent, class_names

FEATURE, TAG = "feature/", "tag/"
_ARGUMENTS = {
    "prediction_id": "prediction_id_column_name",
    "prediction_ts": "timestamp_column_name",
    "prediction_label": "prediction_label_column_name",
    "prediction_score": "prediction_score_column_name",
    "actual_label": "actual_label_column_name",
    "actual_score": "actual_score_column_name",
}


def read_part(file: str, version: str | None, *, rows: int) -> tuple[Any, dict[str, Any]]:
    """Read the rows of one version, or all, in the file's order, and only the columns that are sent.

    Returns:
        The frame, with the index 0..n-1, and the arguments of its `arize.ml.types.Schema`.

    Raises:
        NotSent: the file cannot be read, or does not hold so many rows of the part.
    """
    import pandas as pd

    try:
        table = _table(file, version)
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file raises whatever the reader stumbles over
        raise NotSent(f"the staged file cannot be read ({class_names(error)})") from None
    if table.num_rows != rows:
        raise NotSent(f"the staged file holds {table.num_rows} rows of this part, not {rows}")
    names, arguments = wire_names(table.column_names)
    renamed = table.rename_columns([names[name] for name in table.column_names])
    return renamed.to_pandas(types_mapper=pd.ArrowDtype), arguments


def wire_names(columns: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the name on the wire of each column that is sent, and the arguments of the SDK's `Schema`.

    A feature may be called `prediction_score`: then the score gives way, for nobody sees the name of its column.

    Raises:
        NotSent: a feature and a tag have one name, which the SDK cannot express.
    """
    features = {name: name.removeprefix(FEATURE) for name in columns if name.startswith(FEATURE)}
    tags = {name: name.removeprefix(TAG) for name in columns if name.startswith(TAG)}
    if both := sorted(set(features.values()) & set(tags.values())):
        raise NotSent(f"a feature and a tag are both called {both[0]}")
    taken = {*features.values(), *tags.values()}
    own = {name: _free(name, taken) for name in columns if name in _ARGUMENTS}
    lists = {
        "feature_column_names": list(features.values()) or None,
        "tag_column_names": list(tags.values()) or None,
    }
    return features | tags | own, {_ARGUMENTS[name]: wire for name, wire in own.items()} | lists


def _table(file: str, version: str | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with Path(file).open("rb") as opened, pq.ParquetFile(opened) as parquet:
        stored = parquet.schema_arrow
        sent = list(wire_names(stored.names)[0])
        by_version = version is not None and "version" in stored.names
        parts = [  # batch by batch, so that the rows of other versions are never held all at once
            (_of_version(batch, version) if by_version else batch).select(sent)
            for batch in parquet.iter_batches(columns=[*sent, "version"] if by_version else sent)
        ]
    schema = pa.schema([stored.field(name) for name in sent])
    return pa.Table.from_batches(parts, schema).cast(pa.schema([(at.name, _plain(at.type)) for at in schema]))


def _of_version(batch: Any, version: str | None) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return batch.filter(pc.equal(batch.column("version").cast(pa.string()), version))


def _plain(type_: Any) -> Any:
    """Replace what polars writes and the SDK refuses: large and view types, dictionaries."""
    import pyarrow as pa

    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_large_list(type_):
        return pa.list_(_plain(type_.value_type))
    return _plain(type_.value_type) if pa.types.is_dictionary(type_) else type_


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
