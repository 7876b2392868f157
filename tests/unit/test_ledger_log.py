"""The log in its store: one entry a number, whoever writes, and what a run knows may be old."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import LedgerDamaged, LedgerMoved, StoreUnavailable, WindowHeld
from sluice.ledger import Ledger, entries
from sluice.ledger.codec import encode
from sluice.ledger.deliveries import Deliveries, Intent, Outcome, PartName, end_of
from sluice.ledger.keys import Keys
from sluice.ledger.log import CHECKPOINT_EVERY
from sluice.ledger.names import SlotName
from sluice.offsets import OffsetRange, Partition
from sluice.sweep import sweep
from tests.parts import WRITTEN, MemoryStore, derived, genesis, sealed, window
from tests.simulation import World

A0 = Partition("a", 0)
KEYS = Keys("flights")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(World())


@pytest.fixture
def ledger(store: MemoryStore) -> Ledger:
    return begun(store)


def begun(store: MemoryStore) -> Ledger:
    ledger = Ledger(store, "flights")
    ledger.begin(genesis({"a": {0: 0, 1: 0}}))
    return ledger


def loaded(store: MemoryStore) -> Ledger:
    return Ledger(store, "flights").load()


def entry_keys(store: MemoryStore) -> list[str]:
    return sorted(key for key in store.objects if key.startswith(KEYS.entries))


# ── begin, append, seal


def test_a_ledger_that_nobody_began_does_not_exist(store: MemoryStore) -> None:
    assert not loaded(store).exists


def test_of_two_first_runs_one_genesis_holds_for_both(store: MemoryStore) -> None:
    one, other = begun(store), begun(store)
    assert one.state == other.state
    assert len(entry_keys(store)) == 1


def test_a_window_is_sealed_at_the_next_number_and_seen_by_all(store: MemoryStore, ledger: Ledger) -> None:
    assert ledger.seal(window("a[0] 0..4")) == 1
    assert loaded(store).state == ledger.state


def test_runs_on_disjoint_partitions_share_the_ledger(store: MemoryStore, ledger: Ledger) -> None:
    other = loaded(store)
    assert ledger.seal(window("a[0] 0..4")) == 1
    assert other.seal(window("a[1] 0..4")) == 2


def test_two_runs_that_seal_the_same_window_get_one_entry(store: MemoryStore, ledger: Ledger) -> None:
    other = loaded(store)
    same = window("a[0] 0..4"), window("a[0] 0..4")
    assert same[0].id != same[1].id
    assert ledger.seal(same[0]) == other.seal(same[1]) == 1
    assert len(entry_keys(store)) == 2


def test_the_same_window_is_found_behind_other_peoples_entries(store: MemoryStore, ledger: Ledger) -> None:
    other = loaded(store)
    ledger.seal(window("a[1] 0..4"))
    ledger.seal(window("a[0] 0..4"))
    ledger.seal(window("a[0] 4..5"))
    assert other.seal(window("a[0] 0..4")) == 2


def test_who_comes_back_from_the_dead_seals_nothing_that_others_decided(store: MemoryStore, ledger: Ledger) -> None:
    zombie = loaded(store)
    ledger.seal(window("a[0] 0..3"))
    before = dict(store.objects)
    with pytest.raises(LedgerMoved):
        zombie.seal(window("a[0] 0..4"))
    assert store.objects == before


def test_the_same_ranges_with_another_file_are_another_window(store: MemoryStore, ledger: Ledger) -> None:
    zombie = loaded(store)
    file = entries.StagedFile(key="staged/x", rows=4, bytes=1, sha256="0" * 64)
    ledger.seal(window("a[0] 0..4", staged=file))
    with pytest.raises(LedgerMoved):
        zombie.seal(window("a[0] 0..4", staged=file.model_copy(update={"sha256": "1" * 64})))


def test_an_entry_that_hangs_on_its_number_is_made_anew_for_each_try(store: MemoryStore, ledger: Ledger) -> None:
    other, made = loaded(store), list[int]()

    def entry_at(number: int) -> entries.Derived:
        made.append(number)
        if number == 2:
            other.refresh()
            other.seal(window("a[1] 0..4"))
        return derived(1, "replay", "a[0] 0..4", target=f"as entry {number}")

    ledger.seal(window("a[0] 0..4"))
    assert ledger.append_numbered(entry_at, lambda _: True) == 3
    assert made == [2, 3]
    assert loaded(store).state.once_more.replays_of(1) == {"as entry 3": 3}


def test_a_write_that_failed_after_it_was_done_is_met_again_as_ones_own(store: MemoryStore, ledger: Ledger) -> None:
    store.faults[""] = "after"
    with pytest.raises(StoreUnavailable):
        ledger.seal(window("a[0] 0..4"))
    assert ledger.seal(window("a[0] 0..4")) == 1
    assert len(entry_keys(store)) == 2


def test_a_put_that_the_client_repeated_is_recognised_by_its_id(store: MemoryStore, ledger: Ledger) -> None:
    twice = store.put_once
    store.put_once = lambda key, data: (twice(key, data), twice(key, data))[1]  # type: ignore[method-assign]
    assert ledger.seal(window("a[0] 0..4")) == 1
    assert ledger.state.next_number == 2


def test_nothing_is_sealed_behind_a_held_window_on_any_partition(store: MemoryStore, ledger: Ledger) -> None:
    other = loaded(store)
    ledger.seal(window("a[0] 0..4", held="bad"))
    for run in (ledger, other):
        with pytest.raises(WindowHeld, match="Entry 1 of flights"):
            run.seal(window("a[1] 0..4"))
    ledger.append(derived(1, "drop", "a[0] 0..4", parts=0), lambda state: bool(state.held))
    assert loaded(store).seal(window("a[1] 0..4")) == 3


def test_a_held_entry_is_ended_once_whoever_speaks_first(store: MemoryStore, ledger: Ledger) -> None:
    ledger.seal(window("a[0] 0..4", held="bad"))
    one, other = loaded(store), loaded(store)
    one.append(derived(1, "deliver", "a[0] 0..4"), lambda state: bool(state.held))
    with pytest.raises(LedgerMoved):
        other.append(derived(1, "drop", "a[0] 0..4"), lambda state: bool(state.held))


def claimed(ledger: Ledger, *windows: str) -> int:
    """Claim so many windows of one range each, and return the claim's number."""
    fixed = tuple(entries.ClaimWindow(ranges=(text,)) for text in windows)
    claim = entries.Claim(**WRITTEN, request="x", reason="x", windows=fixed, again=True)
    return ledger.append(claim, lambda _: True)


def slot(claim: int, number: int, text: str, **fields: Any) -> entries.Slot:
    return entries.Slot(**{**WRITTEN, **sealed(text), "claim": claim, "slot": number, **fields})


def void(claim: int, number: int) -> entries.VoidSlot:
    return entries.VoidSlot(**WRITTEN, claim=claim, slot=number)


def test_a_slot_is_decided_once_and_whoever_comes_late_is_told(store: MemoryStore, ledger: Ledger) -> None:
    ledger.seal(window("a[0] 0..9"))
    claim = claimed(ledger, "a[0] 0..4")
    mine, other = slot(claim, 0, "a[0] 0..4"), slot(claim, 0, "a[0] 0..4")
    late = loaded(store)
    assert ledger.decide(mine) == mine
    assert ledger.decide(mine) == mine
    assert ledger.decide(other) == mine
    assert late.decide(void(claim, 0)) == mine
    assert ledger.state.claims == late.state.claims
    assert ledger.sealed(SlotName(claim, 0)) == mine


def test_what_other_runs_decided_of_a_claim_is_learnt_slot_by_slot_and_of_cut_windows_too(
    store: MemoryStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.seal(window("a[0] 0..9"))
    claim = claimed(ledger, "a[0] 0..4", "a[0] 4..9")
    other = loaded(store)
    for decided in (slot(claim, 0, "a[0] 0..1"), slot(claim, 2, "a[0] 1..3"), void(claim, 4)):
        ledger.decide(decided)
    other.refresh_slots()
    assert other.state == ledger.state
    assert set(other.state.claims[claim].undecided) == {1}
    assert other.state.claims[claim].unsettled == {0, 2}
    monkeypatch.setattr(store, "read", None)  # nothing is read again
    other.refresh_slots()


def test_a_claim_whose_slots_are_all_decided_and_settled_is_over(ledger: Ledger) -> None:
    ledger.seal(window("a[0] 0..9"))
    claim = claimed(ledger, "a[0] 0..4", "a[0] 4..9")
    ledger.decide(slot(claim, 0, "a[0] 0..4"))
    ledger.decide(void(claim, 1))
    assert ledger.state.claims[claim].unsettled == {0}
    ledger.settle_slots([SlotName(claim, 0)])
    assert not ledger.state.claims


# ── reading


def test_an_entry_that_is_missing_between_two_others_is_damage(store: MemoryStore, ledger: Ledger) -> None:
    for start in range(3):
        ledger.seal(window(f"a[0] {start}..{start + 1}"))
    del store.objects[KEYS.entry(2)]
    with pytest.raises(LedgerDamaged, match=KEYS.entry(2)):
        loaded(store)


def test_a_listing_that_shows_a_new_entry_before_the_one_under_it_is_no_damage(
    store: MemoryStore, ledger: Ledger
) -> None:
    for start in range(3):
        ledger.seal(window(f"a[0] {start}..{start + 1}"))
    whole = store.keys
    store.keys = lambda *asked: (key for key in whole(*asked) if key != KEYS.entry(2))  # type: ignore[method-assign]
    assert loaded(store).state == ledger.state


def test_a_log_that_does_not_begin_with_a_genesis_is_damage(store: MemoryStore) -> None:
    store.objects[KEYS.entry(0)] = encode(window("a[0] 0..4"))
    with pytest.raises(LedgerDamaged, match="is no genesis"):
        loaded(store)


def test_only_sealed_entries_have_something_to_deliver(ledger: Ledger) -> None:
    number = ledger.seal(window("a[0] 0..4"))
    assert ledger.sealed(number).ranges[0].stop == 4
    ledger.settle([number])
    assert ledger.sealed(number).ranges[0].stop == 4
    with pytest.raises(LedgerDamaged, match="nothing to deliver"):
        ledger.sealed(0)


# ── checkpoints


def filled(store: MemoryStore, ledger: Ledger, count: int) -> None:
    at = ledger.state.position(A0).offset
    for start in range(at, at + count):
        ledger.seal(window(f"a[0] {start}..{start + 1}"))


def test_a_checkpoint_names_as_open_only_what_is_not_known_to_be_settled(store: MemoryStore, ledger: Ledger) -> None:
    filled(store, ledger, CHECKPOINT_EVERY)
    again = loaded(store)
    assert not list(store.keys(KEYS.checkpoints))
    again.settle([number for number in again.state.open if number != 7])
    assert not list(store.keys(KEYS.checkpoints)), "who asks writes nothing"
    assert again.is_checkpoint_due
    again.write_checkpoint()
    assert list(loaded(store).state.open) == [7]


def test_a_plan_reads_only_what_came_after_the_newest_checkpoint(store: MemoryStore, ledger: Ledger) -> None:
    for _ in range(3):
        filled(store, ledger, CHECKPOINT_EVERY)
        ledger.settle(list(ledger.state.open))
        assert ledger.is_checkpoint_due
        ledger.write_checkpoint()
    filled(store, ledger, 5)
    store.listed.clear()
    assert loaded(store).state == ledger.state
    assert len([key for key in store.listed if key.startswith(KEYS.entries)]) == 5


def test_a_checkpoint_written_with_old_knowledge_loses_nothing(store: MemoryStore, ledger: Ledger) -> None:
    filled(store, ledger, CHECKPOINT_EVERY)
    old = loaded(store)
    filled(store, ledger, 2)
    ledger.settle(list(ledger.state.open)[:50])
    old.settle([3])
    ledger.write_checkpoint()
    old.write_checkpoint()
    assert loaded(store).state == ledger.state


def test_of_two_checkpoints_at_one_number_the_first_holds(store: MemoryStore, ledger: Ledger) -> None:
    filled(store, ledger, 3)
    other = loaded(store)
    ledger.settle([1])
    ledger.write_checkpoint()
    other.write_checkpoint()
    assert list(loaded(store).state.open) == [2, 3]


# ── what was accepted


def test_what_was_accepted_is_found_without_a_look_at_other_entries(store: MemoryStore) -> None:
    deliveries = Deliveries(store, KEYS)
    for entry in range(1, 60):
        accept(deliveries, entry, part=0)
    store.listed.clear()
    assert set(deliveries.ends({20: "id", 22: "id"})) == {20, 22}
    assert {KEYS.delivery_numbers(key)[0] for key in store.listed} <= {20, 21, 22, 23}


def accept(deliveries: Deliveries, entry: int, part: int) -> None:
    conclude(deliveries, PartName(entry=entry, part=part, entry_id="id"), 0, "accepted")


def conclude(deliveries: Deliveries, name: PartName, number: int, kind: str) -> None:
    intent = Intent(**WRITTEN, entry_id=name.entry_id, duration_s=1)
    assert deliveries.intend(name, number, intent)
    ended = Outcome(kind=kind, entry_id=name.entry_id, intent=intent.id, written_at="now")  # type: ignore[arg-type]
    deliveries.conclude(name, number, ended)


def test_a_refused_or_unknown_delivery_is_not_found_accepted(store: MemoryStore) -> None:
    deliveries = Deliveries(store, KEYS)
    name = PartName(entry=1, part=0, entry_id="id")
    for number, kind in enumerate(("refused", "released")):
        conclude(deliveries, name, number, kind)
    deliveries.intend(name, 2, Intent(**WRITTEN, entry_id="id", duration_s=1))
    assert not deliveries.ends({1: "id"})[1]
    assert deliveries.ends({}) == {}


@pytest.mark.parametrize("kinds", [("dropped", "accepted"), ("accepted", "dropped")])
def test_of_an_acceptance_and_a_word_to_let_go_the_acceptance_holds(store: MemoryStore, kinds: tuple[str, str]) -> None:
    deliveries, name = Deliveries(store, KEYS), PartName(entry=1, part=0, entry_id="id")
    for number, kind in enumerate(kinds):
        conclude(deliveries, name, number, kind)
    end = end_of(deliveries.of(name))
    assert end is not None
    assert not end.is_dropped
    assert deliveries.ends({1: "id"}) == {1: {0: end}}


def test_what_was_said_of_another_entry_with_that_number_is_damage(store: MemoryStore) -> None:
    deliveries = Deliveries(store, KEYS)
    accept(deliveries, 1, part=0)
    with pytest.raises(LedgerDamaged, match=r"0000\.outcome\.json is of another entry \(id\)"):
        deliveries.ends({1: "another id"})
    with pytest.raises(LedgerDamaged, match=r"0000\.intent\.json is of another entry \(id\)"):
        deliveries.of(PartName(entry=1, part=0, entry_id="another id"))


# ── sweeping


def staged_for(store: MemoryStore, slot: SlotName) -> entries.StagedFile:
    return put(store, KEYS.file("staged", slot, "a" * 64), "a")


def staged(store: MemoryStore, kind: str, text: str, content: str) -> entries.StagedFile:
    return put(store, KEYS.file(kind, OffsetRange.parse(text), content * 64), content)


def put(store: MemoryStore, key: str, content: str) -> entries.StagedFile:
    store.objects[key] = b"x"
    return entries.StagedFile(key=key, rows=1, bytes=1, sha256=content * 64)


def test_a_file_is_swept_only_below_the_position_and_only_if_nobody_names_it(
    store: MemoryStore, ledger: Ledger
) -> None:
    named: dict[str, Any] = {
        kind: staged(store, folder, "a[0] 0..4", "a")
        for kind, folder in (("staged", "staged"), ("rejected", "rejected"), ("raw", "held"))
    }
    left = [staged(store, kind, "a[0] 0..3", "b").key for kind in ("staged", "rejected", "held")]
    for text in ("a[0] 4..9", "a[1] 0..2", "b[0] 0..2"):
        staged(store, "staged", text, "c")
    ledger.seal(window("a[0] 0..4", **named))
    assert sorted(sweep(store, ledger)) == sorted(left)
    assert len([key for key in store.objects if key.startswith(("staged/", "rejected/", "held/"))]) == 6


def test_a_file_that_the_redo_of_a_held_window_may_name_is_left_alone(store: MemoryStore, ledger: Ledger) -> None:
    ledger.seal(window("a[0] 0..4", held="bad"))
    redone = staged(store, "staged", "a[0] 0..4", "a")
    assert sweep(store, ledger) == []
    ledger.append(derived(1, "drop", "a[0] 0..4", parts=0), lambda _: True)
    assert sweep(store, ledger) == [redone.key]


def test_a_file_of_a_slot_is_left_alone_until_the_slot_is_decided_and_for_good_if_it_names_it(
    store: MemoryStore, ledger: Ledger
) -> None:
    ledger.seal(window("a[0] 0..9"))
    claim = claimed(ledger, "a[0] 0..4", "a[0] 4..9")
    files = [staged_for(store, SlotName(claim, number)) for number in (0, 1)]
    assert sweep(store, ledger) == []
    ledger.decide(slot(claim, 0, "a[0] 0..4", staged=files[0]))
    assert sweep(store, ledger) == []
    store.put_once(KEYS.slot(claim, 1), encode(void(claim, 1)))
    assert sweep(store, ledger) == [files[1].key]


def test_what_may_still_be_redone_of_a_held_slot_is_left_alone(store: MemoryStore, ledger: Ledger) -> None:
    ledger.seal(window("a[0] 0..9"))
    claim = claimed(ledger, "a[0] 0..4")
    ledger.decide(slot(claim, 0, "a[0] 0..4", held="bad"))
    redone = staged(store, "staged", "a[0] 0..4", "a")
    assert sweep(store, ledger) == []
    ledger.append(derived(claim, "drop", "a[0] 0..4", parts=0, slot=0), lambda _: True)
    assert sweep(store, ledger) == [redone.key]
