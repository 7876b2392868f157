"""From decoded fields and the records' own to the staged columns, all rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from sluice.decoding.projection import Leaf, event_type
from sluice.decoding.times import seconds_of_rfc3339
from sluice.pipeline import Column, Constant, FromRecord, FromValue
from sluice.records import Headers, Records
from sluice.validation import Rule

PLACE: Final = {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}
_TYPES: Final = {"string": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def schema(columns: Sequence[Column]) -> pl.Schema:
    """Return the staged schema: the same in all windows of a pipeline, whatever is in them."""
    return pl.Schema({**PLACE, **{column.name: _TYPES[column.type] for column in columns}})


def map_columns(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Add the staged columns to a frame of `PLACE`, the decoded leaves and the records' own fields.

    A value that cannot be mapped is null here, and breaks one of `rules`.
    """
    return frame.with_columns(_mapped(column).alias(column.name) for column in columns)


def rules(columns: Sequence[Column]) -> tuple[Rule, ...]:
    """Return the rules that hold for a frame of `map_columns`, in the order of the columns."""
    return tuple(rule for column in columns for rule in _rules(column))


def own_fields(columns: Sequence[Column]) -> tuple[FromRecord, ...]:
    """Return the fields of records that must be asked for: keys, headers and times cost a Python call a record."""
    origins = (column.origin for column in columns)
    asked = (origin for origin in origins if isinstance(origin, FromRecord) and origin.field not in PLACE)
    return tuple(dict.fromkeys(asked))


def own_columns(fields: Sequence[FromRecord], records: Records) -> Iterator[pl.Series]:
    """Yield fields of all records of a range as columns for `map_columns`."""
    headers = records.headers() if any(field.field == "header" for field in fields) else []
    for field in fields:
        if field.field == "timestamp":
            yield pl.Series(_own(field), records.timestamps_ms(), pl.Int64)
            continue
        raw = records.keys() if field.field == "key" else [_header(pairs, field.header) for pairs in headers]
        texts = [_text(value) for value in raw]
        yield pl.Series(_own(field), texts, pl.String)
        is_bad = [text is None and value is not None for text, value in zip(texts, raw, strict=True)]
        yield pl.Series(_own_bad(field), is_bad, pl.Boolean)


def own_texts(field: FromRecord, records: Records) -> list[str | None]:
    """Return the key of each record, or a header; None where there is none, or no text."""
    if field.field == "key":
        keys = records.keys()
        return [_text(key) for key in keys]
    return [_text(_header(pairs, field.header)) for pairs in records.headers()]


def _mapped(column: Column) -> pl.Expr:
    if isinstance(column.origin, Constant):
        return pl.lit(column.origin.value, _TYPES[column.type])
    value = _source(column)
    if column.unit == "rfc3339":
        value = seconds_of_rfc3339(value)
    elif column.unit is not None:
        value = _divided(value.cast(pl.Float64), _PER_SECOND[column.unit])
    value = value.cast(_TYPES[column.type])
    return value if column.default is None else value.fill_null(pl.lit(column.default))


def _divided(value: pl.Expr, by: int) -> pl.Expr:
    """Divide a column of finite numbers, each as exactly as if it were alone.

    By a number, polars multiplies with its reciprocal as soon as there are two rows: a seventh of all milliseconds
    then differ in their last bit from what the same record gives in a window of its own. By a column it divides.
    """
    return value / (value * 0 + by)


def _source(column: Column) -> pl.Expr:
    origin = column.origin
    if isinstance(origin, FromValue):
        return pl.col(_leaf(column).column)
    assert isinstance(origin, FromRecord)  # noqa: S101 - tells the type checker what is left
    return pl.col(origin.field if origin.field in PLACE else _own(origin))


def _rules(column: Column) -> Iterator[Rule]:
    origin = column.origin
    if column.unit == "rfc3339":
        broken = pl.col(_leaf(column).column).is_not_null() & pl.col(column.name).is_null()
        yield Rule(name="rfc3339", reason=f"{_leaf(column)}: expected RFC 3339", broken=broken)
    if isinstance(origin, FromRecord) and origin.field in ("key", "header"):
        words = "key" if origin.header is None else f"header {origin.header}"
        yield Rule(name="utf8", reason=f"{column.name}: {words} is not UTF-8", broken=pl.col(_own_bad(origin)))


def _leaf(column: Column) -> Leaf:
    assert isinstance(column.origin, FromValue)  # noqa: S101 - its callers know
    return Leaf(path=column.origin.path, type=event_type(column))


def _own(field: FromRecord) -> str:
    return f"\x1f{field.field} {field.header}"


def _own_bad(field: FromRecord) -> str:
    return f"\x1fbad {field.field} {field.header}"


def _header(headers: Headers, name: str | None) -> bytes | None:
    """Return a header's value: of several of one name the last, as Kafka's own `lastHeader`."""
    return next((value for key, value in reversed(headers) if key == name), None)


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
