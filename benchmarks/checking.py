"""Whether a system wrote every row, once, with typed flat columns. If not, its number is void."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.events import columns

_OURS: Final = {"prediction_id": "id", "prediction_ts": "scored_at"}


def problem_of(directory: Path, rows: int) -> str:
    """Return what is wrong with the Parquet files below a directory; nothing where all is right.

    Args:
        rows: so many there must be, with the ids from 0 on.
    """
    files = sorted(directory.rglob("*.parquet"))
    if not files:
        return "no Parquet file"
    try:
        frame = pl.concat([_read(file) for file in files])
    except pl.exceptions.PolarsError as error:  # a column is missing, or of another type in each file
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    number = frame["id"].str.strip_prefix("p-").cast(pl.Int64)
    found = (frame.height, number.n_unique(), int(number.sum()))
    wanted = (rows, rows, rows * (rows - 1) // 2)
    if found != wanted:
        return f"rows, distinct ids and their sum are {found}, not {wanted}"
    nulls = sum(frame.null_count().row(0))
    return f"{nulls} values are missing" if nulls else _wrong_types(frame)


def taken_once(directory: Path, records: int) -> str:
    """Return what is wrong with the files in Sluice's store; nothing where each record is staged or rejected, once."""
    places = ["topic", "partition", "offset"]
    files = sorted(directory.rglob("*.parquet"))
    frame = pl.concat([pl.read_parquet(file, columns=places) for file in files]) if files else pl.DataFrame()
    found = (frame.height, frame.n_unique())
    return "" if found == (records, records) else f"records and distinct offsets are {found}, not {(records, records)}"


def _read(file: Path) -> pl.DataFrame:
    names = {name: _plain(name) for name in pl.read_parquet_schema(file)}
    kept = {name: plain for name, plain in names.items() if plain in columns()}
    return pl.read_parquet(file, columns=list(kept)).rename(kept).select(list(columns()))


def _plain(name: str) -> str:
    return _OURS.get(name, name.removeprefix("feature/").removeprefix("tag/").removeprefix("prediction_"))


def _wrong_types(frame: pl.DataFrame) -> str:
    wanted = {name: type_ for name, type_ in columns().items() if name != "scored_at"}  # a time may be any number
    wrong = [name for name, type_ in wanted.items() if _type(frame.schema[name]) != type_]
    return f"of another type: {', '.join(wrong)}" if wrong else ""


def _type(found: pl.DataType) -> str:
    if found == pl.Boolean:
        return "bool"
    if found == pl.String:
        return "string"
    return "int" if found.is_integer() else "float" if found.is_float() else str(found)
