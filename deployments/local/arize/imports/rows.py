"""The rules that each row must keep. One row that breaks one fails its whole file.

They are those of the SDK's own validation (which refuses a call, where this fails a file), and stricter where Arize's
ingestion is said to be: scores and embeddings must be finite. Features and tags may hold nulls, NaN and Inf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from deployments.local.arize.imports.mapping import FileRefused
from deployments.local.arize.wire import actual, predicted

_DAY_S = 86_400
_AHEAD_DAYS = 365
_ID_CHARACTERS = 512
_TAG_CHARACTERS = 20_000
_DIMENSIONS = (2, 20_000)
_FLOATS = (pl.Float32, pl.Float64)
_TEXT = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules for a file's mapped columns. now_s is the clock, by which timestamps are judged."""

    columns: Mapping[str, str]
    now_s: float
    max_past_days: int

    def taken(self, batch: Any, *, first_row: int) -> Any:
        """Check some rows of a file and give them as they are kept: a pyarrow Table of the mapped columns.

        Ids and versions become strings, timestamps seconds.

        Args:
            first_row: the number of the first of them, which counts from 1 in the file.

        Raises:
            FileRefused: with the first row that breaks a rule.
        """
        table = pa.Table.from_batches([batch])
        frame = pl.DataFrame(pl.from_arrow(table.select(list(dict.fromkeys(self.columns.values())))))
        kept = frame.with_columns(*self._plain(frame.schema))
        rules = list(self._rules(kept.schema))
        broken = kept.select(where.fill_null(value=True).alias(str(at)) for at, (where, _) in enumerate(rules))
        bad = [(found[0], at) for at, column in enumerate(broken) if len(found := column.arg_true())]
        if bad:
            row, at = min(bad)
            raise FileRefused("INVALID_VALUE", rules[at][1], first_row + row)
        return kept.to_arrow(compat_level=pl.CompatLevel.oldest())

    def _plain(self, schema: pl.Schema) -> Iterator[pl.Expr]:
        for name, column in self.columns.items():
            kind, read = schema[column], pl.col(column)
            if name in ("prediction_id", "prediction_group_id", "version", "batch_id"):
                yield read.cast(pl.String)
            elif name in ("timestamp", "change_timestamp"):
                yield _seconds(read, kind)
            elif isinstance(kind, (pl.Categorical, pl.Enum)):
                yield read.cast(pl.String)
            elif isinstance(kind, pl.Array):
                yield read.arr.to_list()

    def _rules(self, schema: pl.Schema) -> Iterator[tuple[pl.Expr, str]]:
        """Give each rule as where it is broken (null is broken, too), and what is said of it."""
        for name, column in self.columns.items():
            read, kind = pl.col(column), schema[column]
            if name == "prediction_id":
                yield from _id(read, column)
            elif name == "timestamp":
                yield from self._time(read, column)
            elif name == "rank":
                yield ~read.is_between(1, 100), f"{column}: missing, or not from 1 to 100"
            elif name.endswith("/vector"):
                yield from _vector(read, column)
            elif name.startswith("tag/") and isinstance(kind, _TEXT):
                too_long = read.str.len_chars() > _TAG_CHARACTERS
                yield too_long.fill_null(value=False), f"{column}: longer than {_TAG_CHARACTERS} characters"
            elif kind in _FLOATS and not name.startswith(("feature/", "tag/")):
                yield (~read.is_finite()).fill_null(value=False), f"{column}: not finite"
        yield from self._outcome()

    def _time(self, read: pl.Expr, column: str) -> Iterator[tuple[pl.Expr, str]]:
        earliest, latest = self.now_s - self.max_past_days * _DAY_S, self.now_s + _AHEAD_DAYS * _DAY_S
        readable = read.cast(pl.Float64).is_finite()
        yield ~readable, f"{column}: missing, or neither seconds nor as RFC 3339 says"
        yield read < earliest, f"{column}: more than {self.max_past_days} days past"
        yield read > latest, f"{column}: more than a year ahead (it counts seconds)"

    def _outcome(self) -> Iterator[tuple[pl.Expr, str]]:
        outcomes = [*predicted(self.columns), *actual(self.columns)]
        # Of SHAP values alone, the id says whose they are.
        if outcomes:
            yield pl.all_horizontal(pl.col(name).is_null() for name in outcomes), f"{' and '.join(outcomes)}: missing"


def _seconds(read: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, _TEXT):
        stamps = read.cast(pl.String).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        return stamps.dt.epoch("us") / 1e6
    return read.cast(pl.Int64 if kind.is_integer() else pl.Float64)


def _id(read: pl.Expr, column: str) -> Iterator[tuple[pl.Expr, str]]:
    yield read.is_null() | (read.str.strip_chars_end("\0") == ""), f"{column}: missing or empty"
    yield read.str.len_chars() > _ID_CHARACTERS, f"{column}: longer than {_ID_CHARACTERS} characters"


def _vector(read: pl.Expr, column: str) -> Iterator[tuple[pl.Expr, str]]:
    lowest, highest = _DIMENSIONS
    sized, finite = read.list.len().is_between(lowest, highest), read.list.eval(pl.element().is_finite()).list.all()
    yield (~sized).fill_null(value=False), f"{column}: not of {lowest} to {highest} dimensions"
    yield (~finite).fill_null(value=False), f"{column}: not finite"
