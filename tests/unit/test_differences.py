"""What differs between rows that were delivered and rows that are made again, and what Arize would count twice."""

from __future__ import annotations

import struct
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sluice.ledger.went import Sent
from sluice.mapping import PLACE
from sluice.replay.differences import MOST_PLACES, differences
from sluice.replay.twice import counted_twice
from sluice.staging import content_hash

FLOATS = st.sampled_from([None, 0.0, -0.0, 1.5, float("nan"), -float("nan"), float("inf")])
SCHEMA = pl.Schema({**PLACE, "x": pl.Float64(), "s": pl.String(), "n": pl.Int64(), "b": pl.Boolean()})
places = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1), st.integers(0, 2))
values = st.tuples(
    FLOATS, st.sampled_from([None, "", "é"]), st.sampled_from([None, 0, 7]), st.sampled_from([None, True, False])
)
rows = st.dictionaries(places, values, max_size=12) | st.dictionaries(places, values, min_size=9, max_size=12)
Rows = dict[tuple[str, int, int], tuple[Any, ...]]


def frame(found: Rows) -> pl.DataFrame:
    return pl.DataFrame([(*place, *found[place]) for place in sorted(found)], schema=SCHEMA, orient="row")


def bits(value: Any) -> Any:
    """A value as two that are the same have it: every NaN is one, and -0.0 is not 0.0."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value)  # noqa: PLR0124 - how a NaN is known
    return repr(value)


@given(rows, rows)
def test_differences_are_those_that_one_finds_row_by_row(before: Rows, now: Rows) -> None:
    found = differences(frame(before), frame(now))
    both = before.keys() & now.keys()
    unlike = {place for place in both if [*map(bits, before[place])] != [*map(bits, now[place])]}
    assert (found.only_before, found.only_now) == (len(before.keys() - both), len(now.keys() - both))
    assert found.changed == len(unlike)
    for column, name in enumerate(("x", "s", "n", "b")):
        expected = sum(bits(before[place][column]) != bits(now[place][column]) for place in both)
        assert found.columns.get(name, 0) == expected
    named = sorted(unlike | (before.keys() ^ now.keys()))
    assert list(found.places) == [f"{topic}[{number}] {offset}" for topic, number, offset in named[:MOST_PLACES]]


@given(rows, rows)
def test_there_are_none_exactly_where_the_content_hash_is_the_same(before: Rows, now: Rows) -> None:
    found = differences(frame(before), frame(now))
    is_same = content_hash(frame(before)) == content_hash(frame(now))
    assert is_same == (not (found.only_before or found.only_now or found.changed))


def test_a_column_that_one_side_lacks_or_has_otherwise_differs_in_every_row() -> None:
    one = frame({("a", 0, 1): (1.5, "s", 7, True), ("a", 0, 2): (1.5, "s", 7, True)})
    other = one.drop("s").with_columns(pl.col("n").cast(pl.String))
    for found in (differences(one, other), differences(other, one)):
        assert (found.changed, found.columns) == (2, {"s": 2, "n": 2})
    assert differences(one.select(list(PLACE)), one.select(list(PLACE))).changed == 0


def test_what_is_told_are_counts_columns_and_places_and_no_value() -> None:
    before = frame({("a", 0, 1): (1.5, "secret", 7, True), ("a", 0, 3): (1.5, "secret", 7, True)})
    now = frame({("a", 0, 1): (1.5, "another", 7, True), ("a", 0, 4): (2.5, "secret", 7, True)})
    found = differences(before, now)
    assert found.words == ("1 rows only then, 1 only now, 1 changed in s (1); the first at a[0] 1, a[0] 3, a[0] 4")
    assert "secret" not in f"{found.as_dict()}"


# ── what Arize would count twice

VERSIONS = [None, "1", "2", "3"]
sent = st.builds(
    Sent,
    space=st.just("space"),
    model=st.sampled_from(["delay", "another"]),
    environment=st.just("production"),
    version=st.sampled_from(VERSIONS),
)


@given(sent, st.lists(sent, max_size=4), st.lists(st.sampled_from(["1", "2"]), min_size=1, max_size=9))
def test_a_row_counts_twice_where_it_has_been_in_the_same_version(to: Sent, before: list[Sent], own: list[str]) -> None:
    def seen(item: Sent, version: str) -> tuple[str, str]:
        return item.model, item.version or version

    counts: dict[str | None, int] = {version: own.count(version) for version in own}
    twice = [version for version in own if seen(to, version) in {seen(item, version) for item in before}]
    assert counted_twice(to, before, len(own), lambda: counts) == len(twice)
    assert counted_twice(to, before, len(own), lambda: None) >= len(twice)
