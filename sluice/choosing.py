"""Which records of a range are the pipeline's (`when`): the others are filtered, and nobody looks at them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from sluice.decoding.json import ROW, decode
from sluice.decoding.projection import Leaf, Projection
from sluice.decoding.strict import is_of_a_field
from sluice.mapping import own_texts
from sluice.pipeline import FromValue, When
from sluice.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The pipeline's among the records of a range that have a value.

    Attributes:
        at: their positions among the records.
        values: theirs.
        unclear: why of a record nobody can tell whose it is, by its position: its value is no JSON object.
        filtered: how many are somebody else's.
    """

    at: Sequence[int]
    values: list[bytes]
    unclear: Mapping[int, str]
    filtered: int


def choose(when: When | None, records: Records) -> Chosen:
    """Tell the pipeline's records from others; without `when` all are the pipeline's.

    A field that is missing, null or of another type is not equal to anything.
    """
    every = records.values()
    values = [value for value in every if value is not None]
    whole = len(values) == len(every)
    at = range(len(every)) if whole else [index for index, value in enumerate(every) if value is not None]
    if when is None:
        return Chosen(at=at, values=values, unclear={}, filtered=0)
    if isinstance(when.field, FromValue):
        mine, unclear = _by_value(when, when.field, values)
    else:
        texts = own_texts(when.field, records)
        mine, unclear = [row for row, index in enumerate(at) if texts[index] in when.equals], {}
    return Chosen(
        at=[at[row] for row in mine],
        values=[values[row] for row in mine],
        unclear={at[row]: reason for row, reason in unclear.items()},
        filtered=len(values) - len(mine) - len(unclear),
    )


def _by_value(when: When, field: FromValue, values: Sequence[bytes]) -> tuple[list[int], dict[int, str]]:
    leaf = Leaf(path=field.path, type=when.type)
    decoded = decode(values, Projection((leaf,)))
    mine = decoded.frame.filter(pl.col(leaf.column).is_in(list(when.equals)))[ROW].to_list()
    return mine, {row: reason for row, reason in decoded.rejected.items() if not is_of_a_field(reason)}
