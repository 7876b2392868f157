"""The group is a mirror: where it may stand, where it should, and what makes a run stop."""

from __future__ import annotations

import pytest

from sluice.errors import GroupAhead, GroupMoved, GroupOfAnotherLedger, LedgerDamaged
from sluice.group import Mark, ahead_of, check_delivered, check_group, check_group_before_genesis, group_offsets
from sluice.ledger import Ledger, entries
from sluice.offsets import GroupOffset, Partition
from tests.parts import WRITTEN, MemoryStore, derived, genesis, topic_starts, window
from tests.simulation import World

A0, A1, B0 = Partition("a", 0), Partition("a", 1), Partition("b", 0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(World())


@pytest.fixture
def ledger(store: MemoryStore) -> Ledger:
    """Two windows on a[0], one of which is settled; a held one that was let go, a skip and a pin."""
    ledger = Ledger(store, "flights")
    ledger.begin(genesis({"a": {0: 100, 1: 0}}))
    ledger.seal(window("a[0] 100..104"))
    ledger.seal(window("a[0] 104..109"))
    ledger.seal(window("a[1] 0..5", held="bad"))
    ledger.append(derived(3, "drop", "a[1] 0..5", parts=0), lambda _: True)
    ledger.append(entries.Skip(**WRITTEN, ranges=("a[1] 5..9",), reason="moved"), lambda _: True)
    ledger.append(entries.Pin(**WRITTEN, topics=topic_starts({"b": {0: 3}})), lambda _: True)
    ledger.settle([1])
    return ledger


def at(ledger: Ledger, partition: Partition, offset: int, entry: int | None) -> dict[Partition, GroupOffset]:
    metadata = "" if entry is None else str(Mark(ledger.state.ledger_id, entry))
    return {partition: GroupOffset(partition=partition, offset=offset, metadata=metadata)}


def check(ledger: Ledger, committed: dict[Partition, GroupOffset]) -> None:
    check_group(ledger.state, "g", committed, ledger.entry)


def test_a_mark_reads_back_and_nothing_else_is_one() -> None:
    assert Mark.parse(str(Mark("id", 12))) == Mark("id", 12)
    for text in ("", "sluice", "sluice id", "sluice id x", "sluice id 1 2", "other id 1"):
        assert Mark.parse(text) is None


def test_the_group_should_stand_at_the_end_of_what_is_contiguous_and_delivered(ledger: Ledger) -> None:
    wanted = group_offsets(ledger.state, [A1, B0, A0])
    assert [(str(item.partition), item.offset, item.metadata.split()[-1]) for item in wanted] == [
        ("a[0]", 104, "1"),
        ("a[1]", 9, "5"),
        ("b[0]", 3, "6"),
    ]


@pytest.mark.parametrize(
    ("partition", "offset", "entry"),
    [
        (A0, 104, 1),  # where it should be
        (A0, 104, None),  # there without a mark
        (A0, 100, 0),  # genesis
        (A0, 109, 2),  # ahead of what this run knows to be delivered: another run was there
        (A1, 5, 3),  # a held window that was let go
        (A1, 9, 5),  # a skip
        (A1, 0, 0),
        (B0, 3, 6),  # a pin
        (Partition("b", 4), 0, 0),  # appeared later
    ],
)
def test_the_group_may_stand_at_every_boundary_of_its_ledger(
    ledger: Ledger, partition: Partition, offset: int, entry: int | None
) -> None:
    check(ledger, at(ledger, partition, offset, entry))


def test_the_group_may_be_absent(ledger: Ledger) -> None:
    check(ledger, {})


@pytest.mark.parametrize(
    ("partition", "offset", "entry"),
    [
        (A0, 102, None),
        (A0, 109, None),
        (A0, 100, None),  # set back to the start by a tool
        (A0, 103, 1),
        (A0, 9, 5),  # the end of that entry, on another partition
        (B0, 0, 6),
    ],
)
def test_the_group_may_stand_nowhere_else(ledger: Ledger, partition: Partition, offset: int, entry: int | None) -> None:
    with pytest.raises(GroupMoved, match=f"offset {offset}, where this ledger never put it"):
        check(ledger, at(ledger, partition, offset, entry))


def test_a_mark_of_an_entry_that_ends_elsewhere_is_no_boundary(ledger: Ledger) -> None:
    ledger.settle([2])
    with pytest.raises(GroupMoved):
        check(ledger, at(ledger, A0, 104, 2))


def test_a_partition_that_appeared_in_a_pinned_topic_may_be_behind_at_zero(ledger: Ledger) -> None:
    late = Partition("b", 4)
    ledger.settle([ledger.seal(window("b[4] 0..2"))])
    check(ledger, at(ledger, late, 0, 0))


def test_a_run_whose_knowledge_is_old_takes_a_newer_boundary_for_what_it_is(store: MemoryStore, ledger: Ledger) -> None:
    other = Ledger(store, "flights").load()
    number = other.seal(window("a[0] 109..111"))
    assert number >= ledger.state.next_number
    check(ledger, at(ledger, A0, 111, number))
    with pytest.raises(GroupMoved):
        check(ledger, at(ledger, A0, 110, number))


@pytest.mark.parametrize(
    ("entry", "offset", "named"), [(2, 109, "entry 2,"), (7, 111, "entries 2, 7,"), (99, 200, "entries 2, 7,")]
)
def test_a_group_behind_entries_that_nobody_is_known_to_have_delivered_stops_everything(
    ledger: Ledger, entry: int, offset: int, named: str
) -> None:
    """Also where the marked entry is gone: who wrote the mark had delivered all before it."""
    ledger.seal(window("a[0] 109..111"))
    with pytest.raises(GroupAhead, match=f"was driven past {named} of which this ledger knows no delivery"):
        check_delivered(ledger.state, "g", at(ledger, A0, offset, entry))


@pytest.mark.parametrize(("partition", "offset", "entry"), [(A0, 104, 1), (A0, 109, None), (A1, 9, 2), (B0, 3, 6)])
def test_a_group_that_no_word_of_ours_brought_past_what_waits_says_nothing_of_it(
    ledger: Ledger, partition: Partition, offset: int, entry: int | None
) -> None:
    check_delivered(ledger.state, "g", at(ledger, partition, offset, entry))
    theirs = GroupOffset(partition=A0, offset=109, metadata=str(Mark("another", 2)))
    check_delivered(ledger.state, "g", {A0: theirs})


def test_a_held_entry_that_the_group_was_driven_past_waits_for_its_own_words(ledger: Ledger) -> None:
    number = ledger.seal(window("a[1] 9..12", held="bad"))
    with pytest.raises(GroupAhead, match=rf"resolve FILE --entry {number} deliver\|redo\|drop"):
        check_delivered(ledger.state, "g", at(ledger, A1, 12, 8))


def test_a_mark_of_an_entry_that_the_store_does_not_have_is_a_group_that_moved(ledger: Ledger) -> None:
    with pytest.raises(GroupMoved):
        check(ledger, at(ledger, A0, 111, 99))


def test_a_marked_entry_that_is_missing_from_the_middle_is_damage(store: MemoryStore, ledger: Ledger) -> None:
    del store.objects[ledger.keys.entry(2)]
    with pytest.raises(LedgerDamaged):
        check(ledger, at(ledger, A0, 109, 2))


def test_another_ledgers_mark_stops_everything_even_at_the_right_offset(ledger: Ledger) -> None:
    mark = GroupOffset(partition=A0, offset=104, metadata=str(Mark("another", 1)))
    with pytest.raises(GroupOfAnotherLedger, match="another"):
        check(ledger, {A0: mark})


# ── forward only


@pytest.mark.parametrize(
    ("stands", "metadata", "moves"),
    [(None, "", True), (3, "sluice id 1", True), (5, "sluice id 1", False), (5, "", True), (6, "", False)],
)
def test_the_group_goes_forward_or_is_marked_and_is_never_driven_back(
    stands: int | None, metadata: str, moves: bool
) -> None:
    wanted = GroupOffset(partition=A0, offset=5, metadata="sluice id 2")
    committed = {} if stands is None else {A0: GroupOffset(partition=A0, offset=stands, metadata=metadata)}
    assert ahead_of(committed, [wanted]) == ([wanted] if moves else [])


# ── before there is a ledger


def test_a_new_pipeline_takes_up_a_group_only_where_it_starts_itself() -> None:
    committed = {A0: GroupOffset(partition=A0, offset=5, metadata="")}
    check_group_before_genesis("g", committed, {A0: 5, A1: 0})
    with pytest.raises(GroupMoved, match="would start at 0"):
        check_group_before_genesis("g", committed, {A0: 0})


def test_a_new_pipeline_never_takes_up_another_ledgers_group() -> None:
    committed = {A0: GroupOffset(partition=A0, offset=5, metadata=str(Mark("another", 3)))}
    with pytest.raises(GroupOfAnotherLedger, match=r"name another group\. See"):
        check_group_before_genesis("g", committed, {A0: 5})
