"""Rows as Arize received them: many in one go, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Rows of one part of an entry.

    Attributes:
        ids: of `ids.PREDICTIONS` or `ids.ACTUALS`, a row each.
        at_s: when they were received, in whole epoch seconds.
        is_sent: row by row, whether it was sent; None: all were. An actual that repeats an earlier one was not.
    """

    ids: pl.DataFrame
    at_s: int
    is_sent: pl.Series | None = None

    def __post_init__(self) -> None:
        if self.is_sent is not None and len(self.is_sent) != self.ids.height:
            raise ValueError(f"a mask of {len(self.is_sent)} rows is not one of {self.ids.height}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Rows that were received, and whose ids nobody knows any more: their files are gone."""

    rows: int
