"""What most values of a field look like: times in a unit, somebody's addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from sluice.decoding.times import seconds_of_rfc3339
from sluice.pipeline import TimeUnit

MOST: Final = 0.9  # of the values: what the others are counts as the exception
# From 1985 to 2128: no two of these meet.
_EPOCHS: Final[dict[TimeUnit, tuple[float, float]]] = {
    "s": (5e8, 5e9),
    "ms": (5e11, 5e12),
    "us": (5e14, 5e15),
    "ns": (5e17, 5e18),
}
# What is looked for, and the share of texts that must hold it: no text is an e-mail address by chance.
_LOOKS: Final = {
    "e-mail addresses": (re.compile(r"[^@\s]@[^@\s]+\.[^@\s]"), 0.1),
    "IP addresses": (re.compile(r"\A([0-9]{1,3}(\.[0-9]{1,3}){3}|(?=.*::|(?:.*:){5})[0-9a-fA-F:]{2,39})\Z"), MOST),
    "phone numbers": (re.compile(r"\A\+[0-9][0-9 ()./-]{6,20}\Z"), MOST),
}
# A date, or a number of seconds since 1970 or of less.
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{10}([0-9]{3}){0,3}")


def looks_like(texts: Sequence[str]) -> str | None:
    """Say whose addresses texts look like."""
    found = ((name, sum(map(bool, map(look.search, texts))), share) for name, (look, share) in _LOOKS.items())
    return next((name for name, count, share in found if count and count >= share * len(texts)), None)


def are_dated(texts: Sequence[str]) -> bool:
    """Whether most texts are dates, or times written as they like, or numbers in quotes that may be times."""
    return _are_most(map(_DATED.fullmatch, texts), texts)


def unit_of_numbers(numbers: Sequence[float]) -> TimeUnit | None:
    for unit, (low, high) in _EPOCHS.items():
        if _are_most((low <= number < high for number in numbers), numbers):
            return unit
    return None


def unit_of_texts(texts: Sequence[str]) -> TimeUnit | None:
    if not _are_most((text[4:5] == "-" for text in texts), texts):
        return None  # only to save time
    seconds = pl.DataFrame({"at": texts}, schema={"at": pl.String}).select(seconds_of_rfc3339(pl.col("at")))
    is_time = seconds.to_series().is_not_null()
    return "rfc3339" if _are_most(is_time, texts) else None


def _are_most(verdicts: Iterable[object], values: Sequence[object]) -> bool:
    return bool(values) and sum(map(bool, verdicts)) >= MOST * len(values)
