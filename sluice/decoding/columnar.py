"""The fast way: many JSON objects into columns in one call of Arrow's reader, or not at all.

Why this reader (measured against polars' `read_ndjson`, performance.md §3): it refuses a number where text is declared
and a key given twice, and reads 100,000 events one and a half times as fast. What it gets wrong is refused before it
(`unfit`): it takes NaN and Infinity, checks no UTF-8, ends at a NUL, and crashes on a null between documents.

Why the answer holds for each value alone: every value that comes here starts with `{` and ends with `}`, and they are
joined by line feeds. No JSON string holds a raw line feed, and no JSON has `}` and then `{` with only white space
between them except between two documents; so each value is one document or more, and as many rows as values means one
each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from sluice.decoding.projection import Path, Projection

SPACE: Final = b" \t\r\n"
MAX_WHOLE: Final = 2**53  # from here on a double no longer tells one integer from the next
_TYPES: Final = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_SUSPECT: Final = rb"\}[ \t\r\n]*n|(?:NaN|Inf|Infinity)[ \t\r\n]*[,\]}]|\x00"
_SUSPECT_RE: Final = re.compile(_SUSPECT)
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def unfit(values: Sequence[bytes]) -> list[int]:
    """Return the positions of values that are no JSON object for sure, and that `read` must never be handed."""
    raw = pa.array(values, pa.binary())
    found: set[int] = set()
    if not pc.all(pc.and_(pc.starts_with(raw, "{"), pc.ends_with(raw, "}"))).as_py():
        found.update(at for at, value in enumerate(values) if not _is_braced(value))
    suspects = pc.match_substring_regex(raw, _SUSPECT)
    if pc.any(suspects).as_py():
        found.update(at for at in pc.indices_nonzero(suspects).to_pylist() if _is_foul(values[at]))
    if not _is_utf8(raw):
        found.update(at for at in range(len(raw)) if not _is_utf8(raw[at : at + 1]))
    return sorted(found)


def read(values: Sequence[bytes], projection: Projection) -> pl.DataFrame | None:
    """Read values, none of them unfit, into a row each; None if at least one is no object of the projection's types."""
    joined = b"\n".join(values)
    whole = _parse(joined, len(values), projection, _TYPES)
    if whole is None and any(leaf.type == "int" for leaf in projection.leaves):
        # A producer that keeps its integers as floats writes 7.0, which the reader takes for no int64.
        whole = _parse(joined, len(values), projection, _TYPES | {"int": pa.float64()})
    return whole


def _is_braced(value: bytes) -> bool:
    bare = value.strip(SPACE)
    return bare.startswith(b"{") and bare.endswith(b"}")


def _is_foul(value: bytes) -> bool:
    return b"\0" in value or _SUSPECT_RE.search(_STRING.sub(b"", value)) is not None


def _is_utf8(raw: Any) -> bool:
    try:
        raw.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _parse(joined: bytes, count: int, projection: Projection, types: dict[str, Any]) -> pl.DataFrame | None:
    schema = pa.schema(_fields([(leaf.path, types[leaf.type]) for leaf in projection.leaves]))
    try:
        table = pj.read_json(
            pa.BufferReader(joined),
            # One block: blocks are cut at line feeds, which a value may hold.
            read_options=pj.ReadOptions(use_threads=False, block_size=len(joined) + 64),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    return _columns(table, projection) if table.num_rows == count else None


def _fields(leaves: Iterable[tuple[Path, Any]]) -> list[Any]:
    """Nest leaves into Arrow fields, each key once, in the order of its first leaf."""
    below: dict[str, list[tuple[Path, Any]]] = {}
    for path, type_ in leaves:
        below.setdefault(path[0], []).append((path[1:], type_))
    return [pa.field(key, rest[0][1] if rest[0][0] == () else pa.struct(_fields(rest))) for key, rest in below.items()]


def _columns(table: Any, projection: Projection) -> pl.DataFrame | None:
    found: dict[str, pl.Series] = {}
    for leaf in projection.leaves:
        field = table.column(leaf.path[0]).combine_chunks()
        for key in leaf.path[1:]:
            field = pc.struct_field(field, key)
        series = _checked(pl.Series(leaf.column, field), is_int=leaf.type == "int")
        if series is None:
            return None
        found[leaf.column] = series
    return pl.DataFrame(found)


def _checked(series: pl.Series, *, is_int: bool) -> pl.Series | None:
    """Return the series if its floats are finite (1e309 is read as infinite) and, where declared int, whole."""
    if series.dtype != pl.Float64:
        return series
    if not is_int:
        return series if series.is_finite().all() else None
    is_whole = (series.abs() < MAX_WHOLE) & (series == series.floor())
    return series.cast(pl.Int64) if is_whole.all() else None
