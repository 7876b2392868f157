"""Where rows that were made again differ from those that were delivered: counted, never shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from sluice.mapping import PLACE

_KEY: Final = list(PLACE)
MOST_PLACES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """How two frames of rows differ, each row known by its topic, partition and offset.

    Attributes:
        only_before: rows that were delivered and are not made any more.
        only_now: rows that are made now and were not delivered.
        changed: rows of both that are not the same.
        columns: in how many of these each column differs, or is missing on one side; in the order of the file.
        places: the first of all these rows, as `flights[3] 1207`.
    """

    only_before: int
    only_now: int
    changed: int
    columns: Mapping[str, int]
    places: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        told = [f"{self.only_before:,} rows only then, {self.only_now:,} only now, {self.changed:,} changed"]
        told += [f"in {', '.join(f'{name} ({count:,})' for name, count in self.columns.items())}"] * bool(self.columns)
        return " ".join(told) + (f"; the first at {', '.join(self.places[:3])}" if self.places else "")

    def as_dict(self) -> dict[str, Any]:
        return {
            "only_before": self.only_before,
            "only_now": self.only_now,
            "changed": self.changed,
            "columns": dict(self.columns),
            "places": list(self.places),
        }


def differences(before: pl.DataFrame, now: pl.DataFrame) -> Differences:
    """Compare the rows that were delivered with those that are made now, value by value as the content hash does."""
    pairs = before.select(_KEY).with_row_index("one").join(now.select(_KEY).with_row_index("other"), on=_KEY)
    one, other = before[pairs["one"]], now[pairs["other"]]
    names = dict.fromkeys(name for name in (*before.columns, *now.columns) if name not in PLACE)
    differ = pl.DataFrame([_differ(one, other, name).alias(name) for name in names])
    changed = one.select(_KEY).filter(pl.any_horizontal(*differ)) if names else one.select(_KEY).clear()
    lost, found = _without(before, now), _without(now, before)
    return Differences(
        only_before=lost.height,
        only_now=found.height,
        changed=changed.height,
        columns={where.name: int(where.sum()) for where in differ if where.any()},
        places=_places(pl.concat([lost, found, changed])),
    )


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows.select(_KEY).join(others.select(_KEY), on=_KEY, how="anti")


def _places(rows: pl.DataFrame) -> tuple[str, ...]:
    first = rows.sort(_KEY).head(MOST_PLACES).iter_rows()
    return tuple(f"{topic}[{partition}] {offset}" for topic, partition, offset in first)


def _differ(one: pl.DataFrame, other: pl.DataFrame, name: str) -> pl.Series:
    """Say of each pair of rows whether they differ in a column; all do where one side has it not, or otherwise."""
    if one.schema.get(name) != other.schema.get(name):
        return pl.repeat(value=True, n=one.height, dtype=pl.Boolean, eager=True)
    mine, theirs = one[name], other[name]
    found = ~mine.eq_missing(theirs)
    return found | (_is_minus_zero(mine) != _is_minus_zero(theirs)) if mine.dtype.is_float() else found


def _is_minus_zero(column: pl.Series) -> pl.Series:
    """Say where a value is -0.0, which equals 0.0 but for the content hash."""
    return ((column == 0.0) & (1.0 / column < 0.0)).fill_null(value=False)
