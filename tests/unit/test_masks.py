"""Bits of rows: what is written is read back, however many rows there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.ledger.masks import decode, encode


@given(st.lists(st.booleans(), max_size=50))
def test_what_is_written_is_read_back(bits: list[bool]) -> None:
    assert decode(encode(bits), len(bits)).tolist() == bits


def test_a_million_rows_of_which_every_other_one_is_sent_fit_in_an_entry() -> None:
    assert len(encode([True, False] * 500_000)) < 1_000


@pytest.mark.parametrize("rows", [0, 7, 17])
def test_bits_of_other_rows_are_refused(rows: int) -> None:
    with pytest.raises(ValueError, match=f"not the bits of {rows} rows"):
        decode(encode([True] * 9), rows)


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="no bits of rows"):
        decode("?", 1)
