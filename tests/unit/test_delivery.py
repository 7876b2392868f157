"""Deliveries: never sent twice without a name for it, whatever the sender saw, and whenever it comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from sluice.delivery import RESENDS_IN_ALL, TRIES_A_RUN, Deliverer, Rules
from sluice.errors import (
    DeliveryHeld,
    DeliveryRefused,
    DestinationRefused,
    DestinationUnavailable,
    LedgerDamaged,
    SluiceError,
    StoreUnavailable,
)
from sluice.ledger.deliveries import Deliveries, Intent, Note, Outcome, PartName, Word
from sluice.ledger.keys import Keys
from sluice.receipts import Receipt
from tests.parts import ACCEPTS, BUSY, DROPS, FORBIDS, REFUSES, TAKES_AND_DROPS, WRITTEN, MemoryStore, Said
from tests.simulation import Process, World, WorldClock, pause

PART = PartName(entry=7, part=0, entry_id="the seventh")
KEYS = Keys("flights")
DURATION_S = 120.0


def intent(**fields: Any) -> Intent:
    return Intent(**WRITTEN, entry_id=PART.entry_id, **fields)


class Arize:
    """Answers by a script, and counts what arrived. Leaves out everything else."""

    def __init__(self, *script: Said) -> None:
        self.script = list(script)
        self.arrived = 0
        self.left_s: list[float] = []
        self.spaces: list[str | None] = []

    def send(self, left_s: float, space: str | None) -> Said:
        self.left_s.append(left_s)
        self.spaces.append(space)
        pause("send")
        said = self.script.pop(0) if self.script else ACCEPTS
        self.arrived += said.arrives
        pause("send done")
        return said


class Desk:
    """A store, a clock, an Arize, and runs that deliver one part."""

    def __init__(self) -> None:
        self.world = World()
        self.store = MemoryStore(self.world)
        self.deliveries = Deliveries(self.store, KEYS)
        self.arize = Arize()

    def deliver(self, on_ambiguous: Literal["resend", "hold"] = "resend", run: str = "run") -> Receipt:
        rules = Rules(duration_s=DURATION_S, on_ambiguous=on_ambiguous)
        return Deliverer(self.deliveries, rules, WorldClock(self.world), run).deliver(PART, 10, self.arize.send)

    def start(self, name: str, on_ambiguous: Literal["resend", "hold"] = "resend") -> Process:
        return self.world.start(name, lambda: self.deliver(on_ambiguous, name))

    def says(self, *script: Said) -> None:
        self.arize.script = list(script)

    def person(self, number: int, kind: Literal["accepted", "released"]) -> None:
        intent = self.deliveries.of(PART)[number].intent.id
        word = Outcome(kind=kind, entry_id=PART.entry_id, intent=intent, by="person", written_at="now")
        self.deliveries.conclude(PART, number, word)

    @property
    def outcomes(self) -> list[str]:
        known = self.deliveries.of(PART)
        return [item.outcome.kind if item.outcome else "note" if item.note else "none" for item in known]

    @property
    def resends(self) -> list[int]:
        return [item.intent.resends for item in self.deliveries.of(PART)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def go_to(process: Process, place: str) -> None:
    while not process.main.at.endswith(place):
        assert process.move(), f"{process.name} never comes to {place}"


def released_sleeper(desk: Desk) -> Process:
    """A sender that sleeps with an acceptance in hand, which a person took for a send that came to nothing."""
    sleeper = desk.start("sleeper")
    go_to(sleeper, "send done")
    desk.world.now_s += 10_000
    desk.person(0, "released")
    return sleeper


# ── one sender


def test_a_part_is_sent_once_and_found_accepted_ever_after(desk: Desk) -> None:
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=0, rows=10, sent=True)
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=0, rows=10, sent=False)
    assert desk.arize.arrived == 1


def test_the_intent_is_written_before_the_send_and_the_outcome_behind_it(desk: Desk) -> None:
    process = desk.start("a")
    go_to(process, "send")
    assert desk.outcomes == ["none"]
    assert desk.arize.arrived == 0
    process.finish()
    assert desk.outcomes == ["accepted"]


def test_a_refusal_that_may_pass_is_tried_again_after_longer_and_longer_pauses(desk: Desk) -> None:
    desk.says(BUSY, BUSY, BUSY)
    before = desk.world.now_s
    assert desk.deliver().delivery == 3
    assert desk.world.now_s - before == 1 + 2 + 4
    assert desk.outcomes == ["refused", "refused", "refused", "accepted"]


def test_a_run_gives_up_on_an_arize_that_stays_busy_and_the_next_one_goes_on(desk: Desk) -> None:
    desk.says(*[BUSY] * TRIES_A_RUN)
    with pytest.raises(DestinationUnavailable, match="6 tries"):
        desk.deliver()
    assert desk.deliver().delivery == TRIES_A_RUN
    assert desk.arize.arrived == 1


@pytest.mark.parametrize(("said", "error"), [(FORBIDS, DestinationRefused), (REFUSES, DeliveryRefused)])
def test_a_refusal_that_a_person_must_mend_is_not_tried_again_by_this_run(
    desk: Desk, said: Said, error: type[SluiceError]
) -> None:
    desk.says(said)
    with pytest.raises(error):
        desk.deliver()
    assert desk.outcomes == ["refused"]
    assert desk.deliver().delivery == 1


# ── sends without a known outcome


@pytest.mark.parametrize("said", [DROPS, TAKES_AND_DROPS])
def test_a_send_without_a_known_outcome_is_followed_by_one_more_and_named(desk: Desk, said: Said) -> None:
    desk.says(said)
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=1, rows=10, sent=True, unknown=1)
    assert desk.outcomes == ["note", "accepted"]
    assert desk.resends == [0, 1]
    assert [doubt.delivery for doubt in desk.deliveries.doubts()] == [0]


def test_a_part_that_was_accepted_at_once_is_in_no_doubt(desk: Desk) -> None:
    desk.says(BUSY)
    desk.deliver()
    assert desk.deliveries.doubts() == []


def test_a_run_sends_once_more_and_all_runs_together_twice_more(desk: Desk) -> None:
    desk.says(*[TAKES_AND_DROPS] * 9)
    with pytest.raises(DestinationUnavailable, match="The next run sends it once more"):
        desk.deliver()
    assert desk.arize.arrived == 2
    for _ in range(2):
        with pytest.raises(DeliveryHeld, match="sluice resolve FILE --entry 7 --part 0"):
            desk.deliver()
    assert desk.arize.arrived == 1 + RESENDS_IN_ALL
    assert desk.resends == [0, 1, 2]


def test_a_refusal_between_two_unknown_sends_earns_no_further_one(desk: Desk) -> None:
    desk.says(TAKES_AND_DROPS, BUSY, TAKES_AND_DROPS, ACCEPTS)
    with pytest.raises(DestinationUnavailable, match="The next run sends it once more"):
        desk.deliver()
    assert desk.arize.arrived == 2


def test_a_pipeline_that_holds_never_sends_again_without_a_persons_word(desk: Desk) -> None:
    desk.says(DROPS)
    for _ in range(2):
        with pytest.raises(DeliveryHeld, match="the connection broke"):
            desk.deliver("hold")
    assert desk.resends == [0]
    desk.person(0, "released")
    assert desk.deliver("hold").delivery == 1
    assert desk.resends == [0, 0]


def test_a_person_who_says_that_it_arrived_is_believed(desk: Desk) -> None:
    desk.says(TAKES_AND_DROPS)
    with pytest.raises(DeliveryHeld):
        desk.deliver("hold")
    desk.person(0, "accepted")
    assert not desk.deliver("hold").sent
    assert desk.arize.arrived == 1


def test_after_a_persons_release_the_count_of_resends_begins_anew(desk: Desk) -> None:
    desk.says(*[DROPS] * 3)
    for error in (DestinationUnavailable, DeliveryHeld):
        with pytest.raises(error):
            desk.deliver()
    for number in range(3):
        desk.person(number, "released")
    desk.says(DROPS)
    assert desk.deliver().delivery == 4
    assert desk.resends == [0, 1, 2, 0, 1]


# ── two senders


def test_who_finds_an_intent_waits_until_its_time_is_over_on_the_stores_clock(desk: Desk) -> None:
    dead = desk.start("dead")
    go_to(dead, "send")
    dead.kill()
    before = desk.world.now_s
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=1, rows=10, sent=True, unknown=1)
    # The clock's error, its grain of one second, and the half second between two looks.
    assert DURATION_S < desk.world.now_s - before <= DURATION_S + desk.store.clock_error_s + 1.5
    assert desk.resends == [0, 1]


def test_nobody_waits_for_a_sender_that_left_a_note_or_an_outcome(desk: Desk) -> None:
    desk.says(DROPS)
    before = desk.world.now_s
    desk.deliver()
    assert desk.world.now_s == before


def test_an_acceptance_that_comes_while_another_run_waits_is_found(desk: Desk) -> None:
    slow, waiting = desk.start("slow"), desk.start("waiting")
    go_to(slow, "send done")
    for _ in range(10):
        waiting.move()
    desk.world.now_s += 60
    slow.finish()
    waiting.finish()
    assert isinstance(waiting.result, Receipt)
    assert not waiting.result.sent
    assert desk.arize.arrived == 1


@pytest.mark.parametrize("moves", range(12))
def test_an_outcome_written_in_time_is_found_wherever_the_other_run_paused(desk: Desk, moves: int) -> None:
    slow, other = desk.start("slow"), desk.start("other")
    go_to(slow, "send done")
    for _ in range(moves):
        other.move()
    slow.finish()
    desk.world.now_s += 2 * DURATION_S
    other.finish()
    assert desk.arize.arrived == 1


def test_of_two_runs_that_find_a_dead_sender_only_one_sends_again(desk: Desk) -> None:
    dead = desk.start("dead")
    go_to(dead, "send")
    dead.kill()
    one, other = desk.start("one"), desk.start("other")
    desk.world.now_s += 2 * DURATION_S
    go_to(one, "0001.intent.json")
    go_to(other, "0001.intent.json")
    for process in (one, other, one, other):
        process.finish()
    assert desk.arize.arrived == 1
    assert sorted(item.result.sent for item in (one, other) if isinstance(item.result, Receipt)) == [False, True]


def test_a_sender_that_wakes_up_too_late_does_not_send(desk: Desk) -> None:
    zombie = desk.start("zombie")
    go_to(zombie, "0000.intent.json done")
    desk.world.now_s += 10_000
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=1, rows=10, sent=True, unknown=1)
    zombie.finish()
    assert desk.arize.arrived == 1
    assert desk.outcomes == ["refused", "accepted"]


def test_the_time_of_a_send_counts_from_before_its_intent_was_written(desk: Desk) -> None:
    slow = desk.start("slow")
    go_to(slow, "0000.intent.json done")
    desk.world.now_s += 100
    slow.finish()
    assert desk.arize.left_s == [DURATION_S - 100]


def test_a_sender_that_comes_back_with_an_acceptance_after_a_resend_is_named(desk: Desk) -> None:
    zombie = desk.start("zombie")
    go_to(zombie, "send done")
    desk.world.now_s += 10_000
    desk.deliver()
    zombie.finish()
    assert desk.arize.arrived == 2
    assert (desk.outcomes, desk.resends) == (["accepted", "accepted"], [0, 1])
    assert [doubt.delivery for doubt in desk.deliveries.doubts()] == [0]


def test_a_sender_that_comes_back_with_an_acceptance_after_a_release_does_not_send_again(desk: Desk) -> None:
    zombie = released_sleeper(desk)
    zombie.finish()
    assert desk.arize.arrived == 1
    assert desk.outcomes == ["released", "accepted"]
    assert not desk.deliver().sent


@pytest.mark.parametrize("fault", ["before", "after"])
def test_an_outcome_that_could_not_be_written_leaves_a_send_without_a_known_outcome(
    desk: Desk, fault: Literal["before", "after"]
) -> None:
    process = desk.start("a")
    go_to(process, "send done")
    desk.store.faults["a"] = fault
    process.finish()
    assert isinstance(process.error, StoreUnavailable)
    assert desk.deliver().delivery == (1 if fault == "before" else 0)


def test_an_intent_that_may_have_been_written_is_never_sent(desk: Desk) -> None:
    desk.store.faults[""] = "after"
    with pytest.raises(StoreUnavailable):
        desk.deliver()
    assert desk.arize.arrived == 0
    assert desk.deliver().delivery == 1


def places() -> Iterator[int]:
    """Yield a number for each place at which a run that delivers can be killed."""
    desk = Desk()
    desk.says(BUSY, TAKES_AND_DROPS)
    process, count = desk.start("a"), 0
    while process.is_alive:
        yield count
        count += 1
        if not process.move():
            desk.world.now_s += 1


@pytest.mark.parametrize("moves", list(places()))
def test_whatever_step_a_sender_dies_at_the_next_finishes_and_names_what_it_may_have_doubled(
    desk: Desk, moves: int
) -> None:
    desk.says(BUSY, TAKES_AND_DROPS)
    process = desk.start("a")
    for _ in range(moves):
        if not process.move():
            desk.world.now_s += 1
    process.kill()
    desk.says()
    desk.deliver()
    assert desk.outcomes[-1] == "accepted"
    assert desk.arize.arrived <= 1 + max(desk.resends)
    assert bool(desk.deliveries.doubts()) is any(desk.resends)


# ── objects


def test_an_intent_is_over_only_behind_its_duration_and_the_error_of_the_clock(desk: Desk) -> None:
    desk.world.now_s = 1000.9
    desk.deliveries.intend(PART, 0, intent(duration_s=10))
    (delivery,) = desk.deliveries.of(PART)
    over: Callable[[], bool] = lambda: desk.deliveries.is_over(PART, delivery)  # noqa: E731
    desk.world.now_s = 1012.9
    assert not over()
    desk.world.now_s = 1013.0
    assert over()


def test_a_number_that_another_run_took_is_not_mine(desk: Desk) -> None:
    mine, theirs = (intent(duration_s=10) for _ in range(2))
    assert desk.deliveries.intend(PART, 0, theirs)
    assert not desk.deliveries.intend(PART, 0, mine)
    assert desk.deliveries.intend(PART, 0, theirs)


def test_the_first_outcome_of_a_delivery_holds(desk: Desk) -> None:
    mine = intent(duration_s=10)
    desk.deliveries.intend(PART, 0, mine)
    ends: dict[str, Any] = {"entry_id": PART.entry_id, "intent": mine.id, "written_at": "now"}
    first, late = Outcome(kind="released", by="person", **ends), Outcome(kind="accepted", rows=10, **ends)
    assert desk.deliveries.conclude(PART, 0, first) == first
    assert desk.deliveries.conclude(PART, 0, late) == first


def test_a_note_is_no_outcome(desk: Desk) -> None:
    mine = intent(duration_s=10)
    desk.deliveries.intend(PART, 0, mine)
    desk.deliveries.leave_note(PART, 0, Note(intent=mine.id, reason="broke", written_at="now"))
    (delivery,) = desk.deliveries.of(PART)
    assert delivery.outcome is None
    assert desk.deliveries.is_over(PART, delivery)


# ── a person's word on the space


def say_space(desk: Desk, number: int, space: str) -> Intent:
    return say(desk, number, "readdress", space)


def say(desk: Desk, number: int, word: Word, space: str | None = None) -> Intent:
    """Begin a person's word, and be cut off before its outcome."""
    said = intent(duration_s=0, word=word, space=space, reason="typed wrong")
    assert desk.deliveries.intend(PART, number, said)
    return said


def test_what_was_refused_goes_to_the_space_that_a_person_names_last(desk: Desk) -> None:
    desk.says(FORBIDS)
    with pytest.raises(DestinationRefused, match="readdress"):
        desk.deliver()
    say_space(desk, 1, "a")
    say_space(desk, 2, "b")
    assert desk.deliver().delivery == 3
    assert desk.arize.spaces == [None, "b"]


def test_a_word_that_was_cut_off_before_its_outcome_is_no_open_send(desk: Desk) -> None:
    say_space(desk, 0, "a")
    receipt = desk.deliver("hold")
    assert (receipt.delivery, receipt.unknown, desk.resends) == (1, 0, [0, 0])
    assert desk.outcomes == ["released", "accepted"]
    assert desk.deliveries.ends({PART.entry: PART.entry_id})[PART.entry][PART.part].unknown == 0


def test_a_sender_that_slept_through_the_word_goes_where_it_says(desk: Desk) -> None:
    desk.says(FORBIDS)
    with pytest.raises(DestinationRefused):
        desk.deliver()
    sleeper = desk.start("sleeper")
    go_to(sleeper, "0001.intent.json")
    say_space(desk, 1, "a")
    sleeper.finish()
    assert desk.arize.spaces == [None, "a"]


def test_a_sleeper_whose_rows_were_accepted_where_they_no_longer_go_sends_them_where_they_do(desk: Desk) -> None:
    sleeper = released_sleeper(desk)
    say_space(desk, 1, "a")
    sleeper.finish()
    assert desk.arize.spaces == [None, "a"]
    assert desk.outcomes == ["released", "released", "accepted"]


# ── a person's word on the rows


def test_rows_that_a_person_lets_go_are_settled_and_never_sent(desk: Desk) -> None:
    desk.says(REFUSES)
    with pytest.raises(DeliveryRefused, match="--entry 7 --part 0 drop"):
        desk.deliver()
    say(desk, 1, "drop")
    assert desk.deliver("hold") == Receipt(entry=7, part=0, delivery=1, rows=0, dropped=10, sent=False)
    assert desk.outcomes == ["refused", "dropped"]
    assert len(desk.arize.spaces) == 1


def test_rows_that_a_person_says_arize_has_are_settled_and_never_sent(desk: Desk) -> None:
    say(desk, 0, "delivered")
    assert desk.deliver() == Receipt(entry=7, part=0, delivery=0, rows=10, sent=False)
    assert desk.arize.spaces == []


def test_a_sender_that_slept_through_the_word_to_let_go_sends_nothing(desk: Desk) -> None:
    sleeper = desk.start("sleeper")
    go_to(sleeper, "0000.intent.json")
    say(desk, 0, "drop")
    sleeper.finish()
    assert (desk.arize.spaces, desk.outcomes) == ([], ["dropped"])


def test_an_acceptance_that_comes_behind_the_word_to_let_go_is_written_down(desk: Desk) -> None:
    sleeper = released_sleeper(desk)
    say(desk, 1, "drop")
    sleeper.finish()
    assert desk.outcomes == ["released", "dropped", "accepted"]
    assert sleeper.result == Receipt(entry=7, part=0, delivery=2, rows=10, sent=True)
    assert desk.deliver().rows == 10


def test_an_acceptance_that_comes_beside_a_send_in_doubt_names_that(desk: Desk) -> None:
    sleeper = released_sleeper(desk)
    desk.says(DROPS)
    with pytest.raises(DeliveryHeld):
        desk.deliver("hold")
    sleeper.finish()
    assert desk.outcomes == ["released", "note", "accepted"]
    assert [doubt.delivery for doubt in desk.deliveries.doubts()] == [1]


def test_an_acceptance_is_written_down_late_however_slow_the_store_is(desk: Desk) -> None:
    sleeper = released_sleeper(desk)
    go_to(sleeper, "0001.intent.json")
    desk.world.now_s += 10_000
    sleeper.finish()
    assert desk.outcomes == ["released", "accepted"]


# ── what is not as it should be


def test_who_waited_out_a_send_goes_on_though_the_stores_clock_was_set_back(desk: Desk) -> None:
    dead = desk.start("dies")
    go_to(dead, "send")
    dead.kill()
    desk.store.ahead_s -= 100_000
    before = desk.world.now_s
    assert desk.deliver().delivery == 1
    assert DURATION_S < desk.world.now_s - before < DURATION_S + 5
    assert desk.outcomes == ["note", "accepted"]


def test_a_delivery_whose_intent_is_gone_is_damage_and_no_endless_wait(desk: Desk) -> None:
    desk.says(BUSY, REFUSES)
    with pytest.raises(DeliveryRefused):
        desk.deliver()
    del desk.store.objects[KEYS.delivery(PART.entry, PART.part, 0, "intent")]
    with pytest.raises(LedgerDamaged, match="An intent is missing"):
        desk.deliver()
