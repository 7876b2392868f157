"""The algebra of offsets: a split covers and never overlaps, a balance adds up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.offsets import Balance, CountedRange, OffsetRange, Partition, total

partitions = st.builds(Partition, st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True), st.integers(0, 99))
balances = st.builds(Balance, **{name: st.integers(0, 9) for name in Balance().as_dict()})


@st.composite
def ranges(draw: st.DrawFn) -> OffsetRange:
    start = draw(st.integers(0, 10**12))
    return OffsetRange(draw(partitions), start, start + draw(st.integers(0, 10**9)))


@given(ranges(), st.data())
def test_a_split_covers_its_range_and_never_overlaps(whole: OffsetRange, data: st.DataObject) -> None:
    first, rest = whole.split(data.draw(st.integers(whole.start, whole.stop)))
    assert first.is_adjacent_to(rest)
    assert not first.overlaps(rest)
    assert (first.start, rest.stop, first.span + rest.span) == (whole.start, whole.stop, whole.span)


@given(ranges())
def test_a_range_reads_back_what_it_writes(whole: OffsetRange) -> None:
    assert OffsetRange.parse(str(whole)) == whole


@pytest.mark.parametrize("text", ["", "a 0..1", "a[0] 1", "a[0] 1..", "a[-1] 0..1", "a[0] 0..1 ", "a[x] 0..1"])
def test_what_is_no_range_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match="not an offset range"):
        OffsetRange.parse(text)


@pytest.mark.parametrize(("start", "stop"), [(-1, 0), (2, 1)])
def test_a_range_never_runs_backwards_nor_below_zero(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="0 <= start <= stop"):
        OffsetRange(Partition("a", 0), start, stop)


def test_a_range_holds_its_start_and_not_its_stop() -> None:
    whole = OffsetRange(Partition("a", 0), 3, 5)
    assert [offset in whole for offset in (2, 3, 4, 5)] == [False, True, True, False]


def test_ranges_overlap_only_where_they_share_an_offset_of_one_partition() -> None:
    whole = OffsetRange(Partition("a", 0), 3, 5)
    for start, stop, shares in [(0, 3, False), (0, 4, True), (4, 9, True), (5, 9, False), (4, 4, False)]:
        assert OffsetRange(Partition("a", 0), start, stop).overlaps(whole) is shares
    assert not OffsetRange(Partition("a", 1), 3, 5).overlaps(whole)
    assert not OffsetRange(Partition("b", 0), 3, 5).overlaps(whole)


@given(st.lists(balances))
def test_balances_add_up_class_by_class(some: list[Balance]) -> None:
    added = total(some)
    assert added.total == sum(item.total for item in some)
    for name, count in added.as_dict().items():
        assert count == sum(item.as_dict()[name] for item in some)


def test_a_balance_says_its_arithmetic_without_empty_classes() -> None:
    counted = Balance(staged=1690, tombstones=9, rejected=1)
    assert counted.arithmetic() == "1,700 = 1,690 staged + 9 tombstones + 1 rejected"
    assert Balance().arithmetic() == "0 = 0"


def test_what_is_repeated_was_a_record_to_become_a_row_and_was_not_rejected() -> None:
    counted = Balance(staged=1, rejected=1, repeated=2, tombstones=3, filtered=4, invisible=5, expired=6)
    assert (counted.records, counted.rejected_share, Balance().rejected_share) == (11, 0.25, 0.0)


def test_a_balance_has_no_negative_class() -> None:
    with pytest.raises(ValueError, match="negative"):
        Balance(staged=2, rejected=-1)


@given(ranges(), balances)
def test_a_counted_range_counts_every_offset_once(whole: OffsetRange, balance: Balance) -> None:
    fitting = OffsetRange(whole.partition, whole.start, whole.start + balance.total)
    assert CountedRange(range=fitting, balance=balance).balance == balance
    with pytest.raises(ValueError, match="offsets, its balance counts"):
        CountedRange(range=OffsetRange(whole.partition, fitting.start, fitting.stop + 1), balance=balance)
