"""Times in events, as epoch seconds: RFC 3339 read for a whole column at once."""

from __future__ import annotations

from typing import Final

import polars as pl

# The space is RFC 3339's own allowance (5.6, NOTE). There is no second 60: the last leap second was in 2016, longer
# ago than Arize takes. [0-9], as \d is any script's digit.
_RFC3339: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,9})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])\z"
)


def seconds_of_rfc3339(text: pl.Expr) -> pl.Expr:
    """Return epoch seconds of texts like `2013-01-01T05:15:00.25-05:00`; null for any other text."""
    kept = pl.when(text.str.contains(_RFC3339)).then(text)
    day = kept.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).dt.epoch("d").cast(pl.Int64)
    clock = (_digits(kept, 11) * 60 + _digits(kept, 14)) * 60 + _digits(kept, 17)
    fraction = ("0" + kept.str.extract(r"(\.[0-9]+)")).cast(pl.Float64).fill_null(0.0)
    return (day * 86_400 + clock - _offset(kept)).cast(pl.Float64) + fraction


def _digits(text: pl.Expr, start: int) -> pl.Expr:
    return text.str.slice(start, 2).cast(pl.Int64)


def _offset(text: pl.Expr) -> pl.Expr:
    """The seconds by which local time is ahead of UTC."""
    seconds = (
        text.str.slice(-5, 2).cast(pl.Int64, strict=False) * 60 + text.str.slice(-2, 2).cast(pl.Int64, strict=False)
    ) * 60
    sign = pl.when(text.str.slice(-6, 1) == "-").then(-1).otherwise(1)
    return pl.when(text.str.slice(-1, 1).str.to_lowercase() == "z").then(0).otherwise(sign * seconds)
