"""The rules that a row must keep, column by column: at least as strict as the Arize SDK's own.

The SDK refuses a whole call for one bad row, so each bad row is found here, and rejected alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from sluice.pipeline import TAG, Pipeline

MAX_ID_LENGTH: Final = 512
MAX_TAG_LENGTH: Final = 20_000
MAX_FUTURE_YEARS: Final = 1
DAY_S: Final = 86_400
YEAR_S: Final = 365 * DAY_S  # the SDK's year
# The SDK looks at its own clock when it sends: a row that is young enough now must still be when its window is resent.
MARGIN_S: Final = 86_400
# What `str.strip` takes off, by which the SDK judges a version; polars' own notion of white space is smaller.
_BLANK: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: what the documentation calls it.
        reason: what is told of a row that breaks it: words and names of columns.
        broken: where it is broken; null means kept.
    """

    name: str
    reason: str
    broken: pl.Expr


def rules(pipeline: Pipeline, *, now_s: float) -> tuple[Rule, ...]:
    """Return the rules for the staged columns, in the order in which reasons are looked for.

    Args:
        now_s: the clock, in epoch seconds: timestamps are judged by it.
    """
    columns = pipeline.columns()
    names = {column.name for column in columns}
    found = [
        *(_required(column.name) for column in columns if column.required),
        *_id_rules(),
        *_time_rules(now_s, pipeline.policies.max_past_days),
        *(_version_rules() if "version" in names else ()),
        _outcome(pipeline.needs_one_of()),
        *(_finite(column.name) for column in columns if column.type == "float" and not _is_free(column.name)),
        *(_tag(column.name) for column in columns if column.type == "string" and column.name.startswith(TAG)),
    ]
    return tuple(found)


def reasons(frame: pl.DataFrame, rules: Sequence[Rule]) -> pl.Series:
    """Return the reason of the first rule that each row breaks, null where it keeps them all."""
    broken = [rule.broken.fill_null(value=False) for rule in rules]
    is_bad = frame.select(pl.any_horizontal(broken)).to_series() if rules else pl.Series([], dtype=pl.Boolean)
    if not is_bad.any():
        return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    first = pl.coalesce(pl.when(where).then(pl.lit(rule.reason)) for where, rule in zip(broken, rules, strict=True))
    return frame.select(first).to_series()


def _required(name: str) -> Rule:
    return Rule(name="required", reason=f"{name}: missing", broken=pl.col(name).is_null())


def _id_rules() -> Iterator[Rule]:
    id_ = pl.col("prediction_id")
    # The SDK counts an id's characters with numpy, to which a text ends before its trailing NULs.
    yield Rule(name="id-empty", reason="prediction_id: empty", broken=id_.str.strip_chars_end("\0") == "")
    words = f"prediction_id: longer than {MAX_ID_LENGTH} characters"
    yield Rule(name="id-length", reason=words, broken=id_.str.len_chars() > MAX_ID_LENGTH)


def _time_rules(now_s: float, max_past_days: int) -> Iterator[Rule]:
    time = pl.col("prediction_ts")
    earliest = now_s - max_past_days * DAY_S + MARGIN_S
    yield Rule(name="time-missing", reason="prediction_ts: missing", broken=time.is_null())
    yield Rule(name="time-finite", reason="prediction_ts: not finite", broken=~time.is_finite())
    yield Rule(name="time-past", reason=f"prediction_ts: older than {max_past_days - 1} days", broken=time < earliest)
    yield Rule(
        name="time-future",
        reason=f"prediction_ts: more than {MAX_FUTURE_YEARS} year ahead",
        broken=time > now_s + MAX_FUTURE_YEARS * YEAR_S,
    )


def _version_rules() -> Iterator[Rule]:
    version = pl.col("version")
    yield Rule(name="version-missing", reason="version: missing", broken=version.is_null())
    yield Rule(name="version-blank", reason="version: empty", broken=version.str.strip_chars(_BLANK) == "")


def _outcome(names: Sequence[str]) -> Rule:
    missing = pl.all_horizontal(pl.col(name).is_null() for name in names)
    return Rule(name="outcome", reason=f"{' and '.join(names)}: missing", broken=missing)


def _finite(name: str) -> Rule:
    return Rule(name="finite", reason=f"{name}: not finite", broken=~pl.col(name).is_finite())


def _is_free(name: str) -> bool:
    """Features and tags may be any float, and the time has rules of its own."""
    return "/" in name or name == "prediction_ts"


def _tag(name: str) -> Rule:
    words = f"{name}: longer than {MAX_TAG_LENGTH} characters"
    return Rule(name="tag-length", reason=words, broken=pl.col(name).str.len_chars() > MAX_TAG_LENGTH)
