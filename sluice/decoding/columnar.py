"""The fast way: many JSON objects into columns in one call of Arrow's reader, or not at all.

Why this reader (measured against polars' `read_ndjson`, performance.md §3): it refuses a number where text is declared
and a key given twice, and is at least as fast. What it gets wrong is refused before it (`unfit`): it takes NaN and
Infinity, checks no UTF-8, and reads memory that is not its own at a null that stands where a document should (a crash,
if it is the first).

Why the answer holds for each value alone: every value that comes here starts with `{` and ends with `}`, and they are
joined by line feeds. No JSON string holds a raw line feed, and no JSON has `}` and then `{` with only white space
between them except between two documents; so each value is one document or more, and as many rows as values means one
each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from sluice.decoding.projection import Leaf, Path, Projection

SPACE: Final = b" \t\r\n"
MAX_WHOLE: Final = 2**53  # from here on a double no longer tells one integer from the next
_TYPES: Final = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_LOOSE_TYPES: Final = _TYPES | {"int": pa.float64()}
_SUSPECT: Final = r"\}[ \t\r\n]*n|(?:NaN|Inf|Infinity)[ \t\r\n]*[,\]}]"
_SUSPECT_RE: Final = re.compile(_SUSPECT.encode())
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Values as columns, one for each leaf.

    Attributes:
        doubtful: the rows with a number that the column cannot hold, or perhaps cannot: infinite (as 1e309 is read),
            not whole, or too large to know whether it is.
    """

    columns: list[pl.Series]
    doubtful: pl.Series


def unfit(values: Sequence[bytes]) -> list[int]:
    """Return the positions of values that are no JSON object for sure, and that `read` must never be handed."""
    raw = pl.Series(pa.array(values, pa.binary()))
    text = _texts(raw)
    found: set[int] = set()
    if not (raw.bin.starts_with(b"{") & raw.bin.ends_with(b"}")).all():
        found.update(at for at, value in enumerate(values) if not _is_braced(value))
    found.update(at for at in text.str.contains(_SUSPECT).arg_true() if _is_foul(values[at]))
    found.update(text.is_null().arg_true())
    return sorted(found)


def parse(values: Sequence[bytes], projection: Projection, *, may_be_loose: bool = True) -> Any:
    """Read values, none of them unfit, into an Arrow table; None if one is no object of the projection's types.

    Args:
        may_be_loose: a producer that keeps its integers as floats writes 7.0, which the reader takes for no int64: then
            read all ints as doubles, and leave it to `columns` to tell which of them are whole.
    """
    joined = b"\n".join(values)
    try:
        table = _parse(joined, projection, _TYPES)
    except _NumberRefused:
        table = _parse(joined, projection, _LOOSE_TYPES) if may_be_loose else None
    return table if table is not None and table.num_rows == len(values) else None


def is_loose(table: Any, projection: Projection) -> bool:
    """Whether a table has its ints as doubles."""
    return any(leaf.type == "int" and _field(table, leaf).type == pa.float64() for leaf in projection.leaves)


def columns(tables: Sequence[Any], projection: Projection) -> Read:
    """Take the leaves out of tables, which are all loose or all not."""
    nothing = pa.schema(_fields([(leaf.path, _TYPES[leaf.type]) for leaf in projection.leaves])).empty_table()
    table = pa.concat_tables(tables) if tables else nothing
    found: list[pl.Series] = []
    doubtful = pl.repeat(False, table.num_rows, dtype=pl.Boolean, eager=True)
    for leaf in projection.leaves:
        series = pl.Series(leaf.column, _field(table, leaf))
        if series.dtype == pl.Float64:
            is_sure = _is_whole(series) if leaf.type == "int" else series.is_finite()
            doubtful |= ~is_sure.fill_null(True)
            series = series.cast(pl.Int64, strict=False) if leaf.type == "int" else series
        found.append(series)
    return Read(columns=found, doubtful=doubtful)


class _NumberRefused(Exception):
    pass


def _is_braced(value: bytes) -> bool:
    bare = value.strip(SPACE)
    return bare.startswith(b"{") and bare.endswith(b"}")


def _texts(raw: pl.Series) -> pl.Series:
    """Return values as text, null where one is not UTF-8."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:  # at least one is not, whatever `strict` says
        return pl.Series([_text(value) for value in raw], dtype=pl.String)


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _is_foul(value: bytes) -> bool:
    return _SUSPECT_RE.search(_STRING.sub(b"", value)) is not None


def _parse(joined: bytes, projection: Projection, types: dict[str, Any]) -> Any:
    schema = pa.schema(_fields([(leaf.path, types[leaf.type]) for leaf in projection.leaves]))
    try:
        return pj.read_json(
            pa.BufferReader(joined),
            # One block: blocks are cut at line feeds, which a value may hold.
            read_options=pj.ReadOptions(use_threads=False, block_size=len(joined) + 64),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as error:
        # Only to save time: a text that could not be parsed cannot be with other types of number either.
        if types is _LOOSE_TYPES or "JSON parse error" in str(error):
            return None
        raise _NumberRefused from None


def _fields(leaves: Iterable[tuple[Path, Any]]) -> list[Any]:
    """Nest leaves into Arrow fields, each key once, in the order of its first leaf."""
    below: dict[str, list[tuple[Path, Any]]] = {}
    for path, type_ in leaves:
        below.setdefault(path[0], []).append((path[1:], type_))
    return [pa.field(key, rest[0][1] if rest[0][0] == () else pa.struct(_fields(rest))) for key, rest in below.items()]


def _field(table: Any, leaf: Leaf) -> Any:
    field = table.column(leaf.path[0])
    for key in leaf.path[1:]:
        field = pc.struct_field(field, key)
    return field


def _is_whole(series: pl.Series) -> pl.Series:
    return (series.abs() < MAX_WHOLE) & (series == series.floor())
