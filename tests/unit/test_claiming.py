"""What a backfill takes of what was asked for: each offset once, and none that is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.backfill.claiming import Why, apportion, claim_of, open_claims, windows_of
from sluice.backfill.request import Request
from sluice.ledger import LedgerState, entries
from sluice.ledger.state import fold, fold_slot
from sluice.offsets import Bounds, OffsetRange, Partition
from tests.parts import WRITTEN, genesis, sealed, window

A0, A1 = Partition("a", 0), Partition("a", 1)
START = 10  # of a[0] in the genesis


def bounds(earliest: int = 0, end: int = 100) -> dict[Partition, Bounds]:
    return {
        at: Bounds(partition=at, earliest=earliest, end=end, high_watermark=end, topic_id="id of a") for at in (A0, A1)
    }


def state(*log: entries.Entry) -> LedgerState:
    found = LedgerState.begin(genesis({"a": {0: START, 1: START}}))
    for entry in log:
        found = fold(found, entry)
    return found


def claim(*windows: str, request: str = "other", again: bool = False) -> entries.Claim:
    fixed = tuple(entries.ClaimWindow(ranges=(text,)) for text in windows)
    return entries.Claim(**WRITTEN, request=request, reason="x", windows=fixed, again=again)


def ranges(*texts: str) -> tuple[OffsetRange, ...]:
    return tuple(map(OffsetRange.parse, texts))


def shown(found: Mapping[Why, tuple[OffsetRange, ...]]) -> dict[str, list[str]]:
    return {why: list(map(str, items)) for why, items in found.items()}


LEDGER = state(
    window("a[0] 10..20"), entries.Skip(**WRITTEN, ranges=("a[0] 20..25",), reason="x"), window("a[0] 25..30")
)


def test_what_is_missing_is_taken_and_each_other_offset_is_left_out_for_one_reason() -> None:
    found = apportion(ranges("a[0] 0..40"), fold(LEDGER, claim("a[0] 4..7")), bounds(earliest=2))
    assert list(map(str, found.taken)) == ["a[0] 2..4", "a[0] 7..10", "a[0] 20..25"]
    assert shown(found.left_out) == {
        "ingest": ["a[0] 30..40"],
        "claimed": ["a[0] 4..7"],
        "delivered": ["a[0] 10..20", "a[0] 25..30"],
        "gone": ["a[0] 0..2"],
    }


def test_what_is_taken_again_may_be_in_the_ledger_but_in_nobodys_hand() -> None:
    found = apportion(ranges("a[0] 0..40"), fold(LEDGER, claim("a[0] 4..7")), bounds(), again="why")
    assert list(map(str, found.taken)) == ["a[0] 0..4", "a[0] 7..30"]
    assert shown(found.left_out) == {"ingest": ["a[0] 30..40"], "claimed": ["a[0] 4..7"]}


def test_a_slot_that_is_void_is_free_again_and_one_that_is_sealed_is_not() -> None:
    claimed = fold(LEDGER, claim("a[0] 0..3", "a[0] 3..6"))
    decided = fold_slot(claimed, entries.VoidSlot(**WRITTEN, claim=4, slot=0))
    decided = fold_slot(decided, entries.Slot(**WRITTEN, **sealed("a[0] 3..6"), claim=4, slot=1))
    found = apportion(ranges("a[0] 0..10"), decided, bounds())
    assert list(map(str, found.taken)) == ["a[0] 0..3", "a[0] 6..10"]


def test_what_kafka_deleted_is_taken_where_it_is_to_be_counted() -> None:
    assert apportion(ranges("a[1] 0..9"), LEDGER, bounds(earliest=5), expired=True).taken == ranges("a[1] 0..9")


spans = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda at: OffsetRange(A0, at[0], at[0] + at[1]))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=4),
    st.lists(spans, max_size=3),
    spans,
    st.integers(0, 30),
    st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_taken_and_what_is_left_out_make_up_what_was_wanted(
    moves: list[tuple[int, int]],
    in_hand: list[OffsetRange],
    wanted: OffsetRange,
    earliest: int,
    policy: tuple[bool, bool],
) -> None:
    again, expired = policy
    known, delivered = state(), set[int]()
    for skip, span in moves:
        at = known.position(A0).offset
        if skip:
            known = fold(known, entries.Skip(**WRITTEN, ranges=(f"a[0] {at}..{at + skip}",), reason="x"))
        known = fold(known, window(f"a[0] {at + skip}..{at + skip + span}"))
        delivered |= set(range(at + skip, at + skip + span))
    known = fold(known, claim(*map(str, in_hand), again=True)) if in_hand else known
    request = "why" if again else None
    found = apportion([wanted], known, bounds(earliest=earliest), again=request, expired=expired)
    every = [offset for item in (*found.taken, *sum(found.left_out.values(), ())) for offset in offsets(item)]
    assert sorted(every) == list(offsets(wanted))
    claimed = {offset for item in in_hand for offset in offsets(item)}
    free = {
        offset
        for offset in offsets(wanted)
        if offset < known.position(A0).offset
        and offset not in claimed
        and (again or offset not in delivered)
        and (expired or offset >= earliest)
    }
    assert {offset for item in found.taken for offset in offsets(item)} == free


def offsets(item: OffsetRange) -> range:
    return range(item.start, item.stop)


@given(
    st.lists(st.tuples(st.sampled_from([A0, A1]), st.integers(0, 60), st.integers(1, 15)), max_size=8),
    st.integers(1, 9),
    st.integers(0, 60),
    st.booleans(),
)
def test_windows_hold_what_is_taken_once_and_no_partition_twice(
    some: list[tuple[Partition, int, int]], max_records: int, earliest: int, newest_first: bool
) -> None:
    taken, used = [], set[tuple[Partition, int]]()
    for at, start, span in some:
        places = {(at, offset) for offset in range(start, start + span)}
        if not places & used:
            taken.append(OffsetRange(at, start, start + span))
            used |= places
    windows = windows_of(taken, bounds(earliest=earliest), max_records=max_records, newest_first=newest_first)
    held = [(item.partition, offset) for window in windows for item in window for offset in offsets(item)]
    assert sorted(held) == sorted(used)
    for one in windows:
        assert len({item.partition for item in one}) == len(one)
        assert sum(max(0, item.stop - max(item.start, earliest)) for item in one) <= max_records
    firsts = [item.start for one in windows for item in one if item.partition == A0]
    assert firsts == sorted(firsts, reverse=newest_first)


def test_nothing_that_is_taken_makes_no_window() -> None:
    assert windows_of((), bounds(), max_records=5) == ()


# ── requests


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [
        Request(since=NOON, until=NOON + timedelta(hours=1), partitions=(A0,)),
        Request(since=NOON),
        Request(since=NOON, until=NOON + timedelta(hours=1), again="twice"),
        Request(since=NOON, until=NOON + timedelta(hours=1), model="other"),
        Request(since=NOON, until=NOON + timedelta(hours=1), version="2"),
        Request(offsets=ranges("a[0] 0..4")),
        Request(),
    ],
)
def test_whoever_asks_for_something_else_makes_another_request(other: Request) -> None:
    assert other.id != Request(since=NOON, until=NOON + timedelta(hours=1)).id


def test_whoever_asks_for_the_same_in_another_order_makes_the_same_request() -> None:
    one = Request(offsets=ranges("a[0] 0..4", "a[1] 0..4"), partitions=(A0, A1))
    assert one.id == Request(offsets=ranges("a[1] 0..4", "a[0] 0..4"), partitions=(A1, A0)).id


def test_the_same_moment_in_another_time_zone_is_the_same_request() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    assert Request(since=NOON).id == Request(since=there).id


def test_an_open_claim_is_found_by_its_request() -> None:
    mine = Request(offsets=ranges("a[0] 0..4"))
    entry = claim_of(mine, [ranges("a[0] 0..4")], reason="x", written_at="2026-01-01T00:00:00Z", run="run")
    found = fold(fold(LEDGER, claim("a[1] 0..4")), entry)
    assert open_claims(found, mine) == (5,)
    assert open_claims(found, Request()) == ()
