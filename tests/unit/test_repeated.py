"""Actuals beside earlier ones of their ids: each is new, says the same, or says something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.ground_truth.received import Received, Unknown
from sluice.ground_truth.repeated import Compared, Sayings

Row = tuple[int, int, int]
rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)), max_size=12)


def ids(given: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(given, schema=dict.fromkeys(("id_0", "id_1", "says"), pl.UInt64()), orient="row")


def words(found: Compared) -> str:
    """A letter a row: new, repeated, corrected."""
    return "".join("rc-"[0 if r else 1 if c else 2] for r, c in zip(found.repeated, found.corrected, strict=True))


def by_definition(known: dict[tuple[int, int], int], given: Sequence[Row], *, to_first: bool) -> str:
    told = ""
    for *id_, says in given:
        key = (id_[0], id_[1])
        told += "-" if key not in known else "r" if known[key] == says else "c"
        if key not in known or not to_first:
            known[key] = says
    return told


@given(rows, rows, rows, st.booleans())
def test_each_row_is_beside_the_last_one_of_its_id_that_was_sent(
    old: list[Row], new: list[Row], window: list[Row], to_first: bool
) -> None:
    sayings = Sayings([Received(ids=ids(old), at_s=0)])
    sayings.take(ids(new))
    known = {(a, b): says for a, b, says in (*old, *new)}
    assert len({(a, b) for a, b, _ in window} & set(known)) <= len(sayings)
    assert words(sayings.compare(ids(window), to_first=to_first)) == by_definition(known, window, to_first=to_first)


def test_what_was_not_sent_says_nothing() -> None:
    not_sent = Received(ids=ids([(1, 1, 5), (2, 2, 5)]), at_s=0, is_sent=pl.Series([False, True]))
    sayings = Sayings([not_sent, Unknown(rows=7)])
    assert words(sayings.compare(ids([(1, 1, 5), (2, 2, 5)]))) == "-r"
    sayings.take(ids([(1, 1, 6), (2, 2, 6)]), np.array([True, False]))
    assert words(sayings.compare(ids([(1, 1, 6), (2, 2, 5)]))) == "rr"


def test_a_correction_that_is_taken_back_is_another_correction() -> None:
    assert words(Sayings().compare(ids([(1, 1, 5), (1, 1, 6), (1, 1, 5), (1, 1, 5)]))) == "-ccr"


def test_what_is_not_sent_for_it_says_something_else_is_nothing_to_be_repeated() -> None:
    assert words(Sayings().compare(ids([(1, 1, 5), (1, 1, 6), (1, 1, 6), (1, 1, 5)]), to_first=True)) == "-ccr"


def test_many_rows_become_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.ground_truth.repeated._MOST_RECENT", 3)
    sayings = Sayings()
    for number in range(10):
        sayings.take(ids([(number, 0, 1)]))
    assert len(sayings) == 10
    assert words(sayings.compare(ids([(number, 0, number % 2) for number in range(11)]))) == "crcrcrcrcr-"
