"""The fold: where a ledger stands is a function of its entries, and a broken chain is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import LedgerDamaged, LedgerOfAnotherVersion
from sluice.ledger import LedgerState, coverage, entries
from sluice.ledger.checkpoints import as_checkpoint, as_state, decode_checkpoint
from sluice.ledger.codec import decode, encode
from sluice.ledger.names import SlotName
from sluice.ledger.state import fold, fold_slot
from sluice.offsets import OffsetRange, Partition
from tests.parts import WRITTEN, derived, genesis, sealed, topic_starts, window

A0, A1, B0 = Partition("a", 0), Partition("a", 1), Partition("b", 0)
GENESIS = genesis({"a": {0: 0, 1: 7}})


def state_after(*log: entries.Entry) -> LedgerState:
    state = LedgerState.begin(GENESIS)
    for entry in log:
        state = fold(state, entry)
    return state


def offsets(state: LedgerState, *partitions: Partition) -> list[int]:
    return [state.position(partition).offset for partition in partitions]


def committable(state: LedgerState, *partitions: Partition) -> list[tuple[int, int]]:
    found = state.committable(partitions)
    return [(found[partition].offset, found[partition].entry) for partition in partitions]


# ── positions


def test_a_ledger_stands_where_its_genesis_says_and_a_later_partition_at_zero() -> None:
    assert offsets(state_after(), A0, A1, Partition("a", 5)) == [0, 7, 0]


def test_a_window_moves_its_partitions_and_no_other() -> None:
    state = state_after(window("a[0] 0..4"), window("a[1] 7..9", "a[5] 0..1"))
    assert offsets(state, A0, A1, Partition("a", 5)) == [4, 9, 1]
    assert [state.position(partition).entry for partition in (A0, A1)] == [1, 2]


@pytest.mark.parametrize("text", ["a[0] 1..4", "a[1] 0..9", "b[0] 0..1"])
def test_a_window_that_does_not_start_where_the_ledger_stands_breaks_the_chain(text: str) -> None:
    with pytest.raises(LedgerDamaged, match="does not start where the ledger stands"):
        state_after(window(text))


def test_a_window_of_a_topic_made_anew_does_not_continue_the_ledger() -> None:
    item = window("a[0] 0..4")
    other = item.ranges[0].model_copy(update={"topic_id": "another"})
    assert state_after().continues(item)
    assert not state_after().continues(item.model_copy(update={"ranges": (other,)}))


def test_a_topic_nobody_pinned_has_no_position() -> None:
    with pytest.raises(KeyError):
        state_after().position(B0)


def test_a_pin_takes_a_topic_up_where_it_says() -> None:
    pin = entries.Pin(**WRITTEN, topics=topic_starts({"b": {0: 3}}))
    assert offsets(state_after(pin, window("b[0] 3..5")), B0) == [5]


def test_a_skip_moves_forward_from_where_the_ledger_stands_only() -> None:
    def skip(text: str) -> entries.Skip:
        return entries.Skip(**WRITTEN, ranges=(text,), reason="moved")

    state = state_after(skip("a[0] 0..9"))
    assert offsets(state, A0) == [9]
    assert A0 not in state.covered
    for wrong in ("a[0] 1..9", "b[0] 0..9"):
        with pytest.raises(LedgerDamaged, match="not where the ledger stands"):
            state_after(skip(wrong))


def test_the_leader_epoch_of_the_last_record_outlives_windows_without_one() -> None:
    first = window("a[0] 0..4")
    with_epoch = first.ranges[0].model_copy(update={"leader_epoch": 6})
    state = state_after(first.model_copy(update={"ranges": (with_epoch,)}), window("a[0] 4..5"))
    assert state.position(A0).leader_epoch == 6


def test_a_second_genesis_breaks_the_chain() -> None:
    with pytest.raises(LedgerDamaged, match="second genesis"):
        state_after(GENESIS)


# ── what the group may be told


def test_the_group_may_go_to_the_first_entry_that_is_not_settled() -> None:
    state = state_after(window("a[0] 0..4"), window("a[0] 4..6", "a[1] 7..8"), window("a[1] 8..9"))
    assert committable(state, A0, A1) == [(0, 0), (7, 0)]
    assert committable(state.settle([1]), A0, A1) == [(4, 1), (7, 0)]
    assert committable(state.settle([2, 3]), A0, A1) == [(0, 0), (9, 3)]
    assert committable(state.settle([1, 2, 3]), A0, A1) == [(6, 2), (9, 3)]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), max_size=8), st.sets(st.integers(1, 8)))
def test_the_group_never_goes_past_an_offset_that_is_not_settled(log: list[tuple[int, int]], settled: set[int]) -> None:
    at = {0: 0, 1: 7}
    state = state_after()
    for number, span in log:
        state = fold(state, window(f"a[{number}] {at[number]}..{at[number] + span}"))
        at[number] += span
    state = state.settle(settled)
    for partition, stands in state.committable([A0, A1]).items():
        below = [item for item in state.open.values() if item.before.get(partition)]
        assert all(item.before[partition].offset >= stands.offset for item in below)
        assert stands.offset == min([item.before[partition].offset for item in below], default=at[partition.number])


def test_a_window_without_rows_holds_nobody_up() -> None:
    state = state_after(window("a[0] 0..4", parts=0))
    assert not state.open
    assert committable(state, A0) == [(4, 1)]


# ── held entries


def test_a_held_window_holds_the_group_until_what_ends_it_is_settled() -> None:
    held = state_after(window("a[0] 0..4", held="bad"))
    assert [item.number for item in held.held] == [1]
    ended = fold(held, derived(1, "deliver", "a[0] 0..4"))
    assert not ended.held
    assert committable(ended, A0) == [(0, 0)]
    assert committable(ended.settle([2]), A0) == [(4, 1)]


def test_a_held_window_without_good_rows_waits_all_the_same() -> None:
    assert state_after(window("a[0] 0..4", held="bad", parts=0)).held


def test_letting_go_of_a_held_window_leaves_nothing_to_wait_for() -> None:
    state = state_after(window("a[0] 0..4", held="bad"), derived(1, "drop", "a[0] 0..4", parts=0))
    assert not state.open
    assert committable(state, A0) == [(4, 1)]


def test_a_window_that_was_redone_may_be_held_again() -> None:
    redone = derived(1, "redo", "a[0] 0..4").model_copy(update={"held": "still bad"})
    state = state_after(window("a[0] 0..4", held="bad"), redone)
    assert [item.number for item in state.held] == [2]
    assert committable(state, A0) == [(0, 0)]
    assert committable(fold(state, derived(2, "drop", "a[0] 0..4", parts=0)), A0) == [(4, 1)]


@pytest.mark.parametrize("purpose", ["deliver", "redo", "drop"])
def test_only_a_held_entry_can_be_ended_and_only_once(purpose: str) -> None:
    ends = derived(1, purpose, "a[0] 0..4")
    with pytest.raises(LedgerDamaged, match="which is not held"):
        state_after(window("a[0] 0..4"), ends)
    with pytest.raises(LedgerDamaged, match="which is not held"):
        state_after(window("a[0] 0..4", held="bad"), ends, ends)


def test_a_replay_waits_for_delivery_and_holds_no_group_up() -> None:
    state = state_after(window("a[0] 0..4"), derived(1, "replay", "a[0] 0..4")).settle([1])
    assert list(state.open) == [2]
    assert committable(state, A0) == [(4, 1)]


# ── claims


def test_a_claim_is_open_until_each_of_its_slots_is_decided() -> None:
    windows = tuple(entries.ClaimWindow(ranges=(text,)) for text in ("a[1] 0..3", "a[1] 3..7"))
    state = state_after(entries.Claim(**WRITTEN, request="x", reason="backfill", windows=windows))
    void = entries.VoidSlot(**WRITTEN, claim=1, slot=1)
    sealed = entries.Slot(**{**_slot("a[1] 0..3"), "parts": ()}, claim=1, slot=0)
    assert set(fold_slot(state, void).claims[1].undecided) == {0}
    done = fold_slot(fold_slot(state, void), sealed)
    assert not done.claims
    assert done.covered == {A1: ((0, 3),)}
    assert fold_slot(done, sealed) == done


def test_a_window_that_was_cut_short_leaves_the_rest_of_it_to_another_slot() -> None:
    windows = tuple(entries.ClaimWindow(ranges=texts) for texts in (("a[0] 0..9", "a[1] 0..3"), ("a[1] 3..7",)))
    state = state_after(entries.Claim(**WRITTEN, request="x", reason="backfill", windows=windows))
    cut = fold_slot(state, entries.Slot(**_slot("a[0] 0..4"), claim=1, slot=0))
    assert {slot: list(map(str, ranges)) for slot, ranges in cut.claims[1].undecided.items()} == {
        1: ["a[1] 3..7"],
        2: ["a[0] 4..9", "a[1] 0..3"],
    }
    assert cut.covered == {A0: ((0, 4),)}
    assert cut.claims[1].unknown(range(5)) == [1, 2, 3, 4]
    rest = fold_slot(cut, entries.Slot(**_slot("a[0] 4..9", "a[1] 0..3"), claim=1, slot=2))
    assert rest.claims[1].unknown(range(5)) == [1, 3]


@pytest.mark.parametrize("purpose", ["redeliver", "drop"])
@pytest.mark.parametrize("is_known_first", [True, False])
def test_a_slot_that_a_derived_entry_took_over_does_not_wait_whichever_is_seen_first(
    purpose: str, is_known_first: bool
) -> None:
    windows = (entries.ClaimWindow(ranges=("a[1] 0..3",)), entries.ClaimWindow(ranges=("a[1] 3..7",)))
    state = state_after(entries.Claim(**WRITTEN, request="x", reason="backfill", windows=windows))
    sealed = entries.Slot(**_slot("a[1] 0..3"), claim=1, slot=0)
    ending = derived(1, purpose, "a[1] 0..3", slot=0)
    seen = fold_slot(fold(state, ending), sealed)
    if is_known_first:
        assert fold_slot(state, sealed).claims[1].unsettled == {0}
        seen = fold(fold_slot(state, sealed), ending)
    assert seen.claims[1].unsettled == frozenset()
    assert list(seen.open) == [2]
    assert committable(seen, A1) == [(7, 0)]


def _slot(*texts: str) -> dict[str, Any]:
    return {**WRITTEN, **sealed(*texts)}


def test_what_went_out_once_more_is_known_by_where_it_came_from_and_moves_nothing() -> None:
    file = entries.StagedFile(key="staged/x", rows=3, bytes=1, sha256="0" * 64)
    before = state_after(window("a[0] 0..4"))
    state = state_after(
        window("a[0] 0..4"),
        derived(1, "replay", "a[0] 0..4", target="there"),
        derived(1, "replay", "a[0] 0..4", target="elsewhere"),
        derived(7, "replay", "a[1] 0..4", slot=3, target="there"),
        derived(1, "rejected", "a[0] 0..4", staged=file),
        derived(1, "rejected", "a[0] 0..4", staged=file),
    )
    assert state.once_more.replays_of(1) == {"there": 2, "elsewhere": 3}
    assert state.once_more.replays_of(SlotName(7, 3)) == {"there": 4}
    assert state.once_more.redeemed_of(1) == {5: 3, 6: 3}
    assert (state.once_more.replays_of(2), state.once_more.redeemed_of(2)) == ({}, {})
    assert (state.positions, state.covered) == (before.positions, before.covered)
    assert [item.before for item in state.open.values()][1:] == [{}] * 5


def test_a_checkpoint_with_an_origin_that_is_none_is_damage() -> None:
    written = json.loads(encode(as_checkpoint(state_after(window("a[0] 0..4")))))
    written["replayed"] = {"12-3": {"there": 2}}
    with pytest.raises(LedgerDamaged, match=r"cannot be read at replayed\.12-3"):
        decode_checkpoint("a key", json.dumps(written).encode())


# ── coverage

pieces = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=12)


@given(pieces, st.integers(0, 30), st.integers(0, 12))
def test_what_is_covered_and_what_is_missing_make_up_the_whole(some: list[tuple[int, int]], at: int, span: int) -> None:
    covered: Mapping[Partition, coverage.Intervals] = {}
    offsets: set[int] = set()
    for start, length in some:
        covered = coverage.add(covered, [OffsetRange(A0, start, start + length)])
        offsets |= set(range(start, start + length))
    wanted = OffsetRange(A0, at, at + span)
    missing = [offset for item in coverage.missing(covered, wanted) for offset in range(item.start, item.stop)]
    assert missing == sorted(set(range(at, at + span)) - offsets)
    parts = covered.get(A0, ())
    assert all(stop < start for (_, stop), (start, _) in pairwise(parts))


# ── objects

LOG: list[entries.Entry] = [
    GENESIS,
    window("a[0] 0..4", held="bad"),
    derived(1, "drop", "a[0] 0..4", parts=0),
    entries.Pin(**WRITTEN, topics=topic_starts({"b": {0: 3}})),
    entries.Skip(**WRITTEN, ranges=("a[0] 4..9",), reason="moved"),
    window("a[1] 7..9", "b[0] 3..4", parts=2),
    entries.Claim(**WRITTEN, request="x", reason="again", windows=(entries.ClaimWindow(ranges=("a[0] 4..9",)),)),
    derived(5, "replay", "a[1] 7..9", target="there", version="9"),
    derived(6, "replay", "a[0] 4..9", slot=0, target="there"),
    derived(5, "rejected", "a[1] 7..9"),
]


@pytest.mark.parametrize("entry", LOG, ids=lambda entry: entry.kind)
def test_an_entry_reads_back_as_it_was_written(entry: entries.Entry) -> None:
    assert decode("key", encode(entry)) == entry


@pytest.mark.parametrize("settled", [[], [5]])
def test_a_checkpoint_restores_the_state_whole(settled: list[int]) -> None:
    state = state_after(*LOG[1:]).settle(settled)
    stored = decode_checkpoint("key", encode(as_checkpoint(state)))
    assert as_state(stored, lambda number: LOG[number]) == state


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": 1}', b'{"format": 1, "kind": "window"}'])
def test_an_object_that_cannot_be_read_is_damage_and_says_where(data: bytes) -> None:
    with pytest.raises(LedgerDamaged, match="some/key"):
        decode("some/key", data)


def test_an_object_with_a_field_too_many_is_damage() -> None:
    data = json.dumps({**json.loads(encode(GENESIS)), "extra": 1}).encode()
    with pytest.raises(LedgerDamaged, match="extra"):
        decode("key", data)


def test_an_object_of_a_newer_format_says_so_whatever_is_in_it() -> None:
    with pytest.raises(LedgerOfAnotherVersion, match="format 2"):
        decode("key", b'{"format": 2, "kind": "unheard of"}')


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"balance": {"staged": 3}}, "window.ranges.0"),
        ({"balance": {"staged": 4, "lost": 0}}, "window.ranges.0"),
        ({"balance": {"staged": 5, "expired": -1}}, "window.ranges.0"),
        ({"start": 9}, "window.ranges.0"),
    ],
)
def test_a_range_that_cannot_be_is_damage(change: dict[str, Any], where: str) -> None:
    written = json.loads(encode(window("a[0] 0..4")))
    written["ranges"][0] |= change
    with pytest.raises(LedgerDamaged, match=f"a key cannot be read at {where}"):
        decode("a key", json.dumps(written).encode())


def test_a_skip_or_a_checkpoint_with_a_text_that_is_no_range_is_damage() -> None:
    skip = {**WRITTEN, "format": 1, "kind": "skip", "id": "x", "ranges": ["a 0..4"], "reason": "tried"}
    with pytest.raises(LedgerDamaged, match=r"cannot be read at skip\.ranges\.0"):
        decode("a key", json.dumps(skip).encode())
    written = json.loads(encode(as_checkpoint(state_after(window("a[0] 0..4")))))
    written["positions"]["bad"] = [0, 0, None]
    with pytest.raises(LedgerDamaged, match=r"cannot be read at positions\.bad"):
        decode_checkpoint("a key", json.dumps(written).encode())
