"""Bits of rows: what is written is read back, however many rows there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import LedgerDamaged
from sluice.ledger.masks import decode, encode


@given(st.lists(st.booleans(), max_size=50))
def test_what_is_written_is_read_back(bits: list[bool]) -> None:
    assert decode(encode(bits), len(bits)).tolist() == bits


def test_a_million_rows_of_which_every_other_one_is_sent_fit_in_an_entry() -> None:
    assert len(encode([True, False] * 500_000)) < 1_000


@pytest.mark.parametrize("rows", [0, 7, 8, 17])
def test_bits_of_other_rows_are_refused(rows: int) -> None:
    with pytest.raises(LedgerDamaged, match=f"not one of the {rows} rows"):
        decode(encode([True] * 9), rows)


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(LedgerDamaged, match="cannot be read"):
        decode("?", 1)


def test_a_bit_behind_the_last_row_is_one_too_many() -> None:
    with pytest.raises(LedgerDamaged, match="not one of the 8 rows"):
        decode(encode([False] * 8 + [True]), 8)
    with pytest.raises(LedgerDamaged, match="not one of the 9 rows"):
        decode(encode([False] * 9 + [True]), 9)
