"""Deliver a part: send it, know what became of it, and never send it twice without saying so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sluice.answers import Answer
from sluice.clock import Clock, timestamp
from sluice.errors import DeliveryHeld, DeliveryRefused, DestinationRefused, DestinationUnavailable, SluiceError
from sluice.ledger.deliveries import (
    Deliveries,
    Delivery,
    Doubt,
    Intent,
    Note,
    Outcome,
    PartName,
    end_of,
    space_of,
    word_on_part,
)
from sluice.ledger.names import EntryName, parts_of
from sluice.pacing import Pace, unpaced
from sluice.receipts import Receipt
from sluice.steps import step

RESENDS_IN_ALL = 2
TRIES_A_RUN = 6
_LOOK_AGAIN_S = 0.5
_DIED = "its sender died"
_TOO_LATE = Answer(kind="refused", reason="not sent: its time was over before it began", retry=True)


Send = Callable[[float, str | None], Answer]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the destination said of a send of this run, and the space that it went to."""

    space: str | None
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a part is delivered.

    Attributes:
        duration_s: the total time of one send.
        on_ambiguous: what follows a send without a known outcome: `resend` (once a run, twice in all) or `hold`.
    """

    duration_s: float
    on_ambiguous: Literal["resend", "hold"]


class Deliverer:
    """Delivers parts in one run; stateless between them, so that several threads may share it."""

    def __init__(self, deliveries: Deliveries, rules: Rules, clock: Clock, run: str, pace: Pace = unpaced) -> None:
        self._deliveries = deliveries
        self._pace = pace
        self._rules = rules
        self._clock = clock
        self._run = run

    def deliver(self, name: PartName, rows: int, send: Send) -> Receipt:
        """Send the part unless it is settled already, and return its receipt.

        Args:
            rows: of the part.
            send: sends it within so many seconds, to this space where a person named another one than the entry does;
                called once for each delivery that is written.

        Raises:
            DestinationUnavailable: it was not accepted for now; the next run goes on.
            DestinationRefused, DeliveryRefused: it was not accepted, and a person must mend something.
            DeliveryHeld: what became of a send is not known, and it may not be sent again without a person's word.
        """
        said: list[_Said] = []
        allowed = 0
        while True:
            known = self._known(name)
            unknown = [item for item in known if item.is_unknown]
            space, end = space_of(known), end_of(known)
            # It came after a person had released its delivery or let go of the rows: written down once more, unsent.
            late = next((item.answer for item in said if item.answer.kind == "accepted" and item.space == space), None)
            if end is not None and not (end.is_dropped and late):
                return Receipt.of(name, end, rows, sent=bool(late))
            if late is not None:
                self._write_down_late(name, len(known), unknown, late)
                continue
            allowed = self._allow_resend(name, unknown, allowed)
            self._pause(name, said)
            self._pace(rows)  # before the intent: its time counts for the send alone
            answer = self._try(name, len(known), len(unknown), space, send)
            if answer is not None:
                said.append(_Said(space, answer))

    def _known(self, name: PartName) -> tuple[Delivery, ...]:
        """Return the deliveries so far, when none of them can still be under way."""
        seen: dict[str, float] = {}
        while True:
            known = self._deliveries.of(name)
            silent = [item for item in known if item.is_unknown and item.note is None]
            under_way = [item for item in silent if not self._deliveries.is_over(name, item)]
            if under_way:
                self._wait_for(name, under_way, seen)
            # Looked at once more behind the clock: an outcome that came in time may have come after the first look.
            elif not silent or self._deliveries.of(name) == known:
                return known

    def _wait_for(self, name: PartName, under_way: Sequence[Delivery], seen: dict[str, float]) -> None:
        """Wait a little for senders that may be alive; `seen` keeps since when.

        Who has waited out a send's whole time need not ask the store's clock, which may have been set back.
        """
        now_s = self._clock.elapsed_s()
        for item in under_way:
            waited_s = now_s - seen.setdefault(item.intent.id, now_s)
            if waited_s > item.intent.duration_s + self._deliveries.clock_error_s:
                note = Note(intent=item.intent.id, reason=_DIED, written_at=self._now())
                self._deliveries.leave_note(name, item.number, note)
        self._clock.wait(_LOOK_AGAIN_S)

    def _allow_resend(self, name: PartName, unknown: list[Delivery], allowed: int) -> int:
        """Check that a part which may have been accepted may be sent again; return how often this run has been let."""
        if not unknown:
            return 0
        last = unknown[-1]
        why = last.note.reason if last.note else _DIED
        what = f"{name}, delivery {last.number}: whether Arize took it is not known ({why})"
        if waits_for_a_word(unknown, self._rules.on_ambiguous):
            way = words_on(name.entry, name.part)
            raise DeliveryHeld(what, f"Look in Arize whether it has the rows; then: {way}")
        if allowed and len(unknown) > allowed:
            raise DestinationUnavailable(what, "The next run sends it once more")
        self._doubt(name, unknown[0].number)
        step("delivery.ambiguous", **name.fields(last.number), why=why)
        return len(unknown)

    def _doubt(self, name: PartName, delivery: int) -> None:
        entry, slot = parts_of(name.entry)
        self._deliveries.doubt(
            Doubt(entry=entry, slot=slot, part=name.part, delivery=delivery, run=self._run, written_at=self._now())
        )

    def _pause(self, name: PartName, said: list[_Said]) -> None:
        """Wait longer after each refusal of this run that may pass, and give up in the end."""
        if not said or said[-1].answer.kind != "refused":
            return
        if len(said) >= TRIES_A_RUN:
            reason = said[-1].answer.reason
            raise DestinationUnavailable(f"{name}: Arize did not take it in {len(said)} tries ({reason})")
        self._clock.wait(2.0 ** (len(said) - 1))

    def _try(self, name: PartName, number: int, resends: int, space: str | None, send: Send) -> Answer | None:
        """Write an intent and send; None where another run wrote that delivery first."""
        began_s = self._clock.elapsed_s()
        intent = self._intent(name, resends)
        if not self._deliveries.intend(name, number, intent):
            return None
        step("delivery.intended", **name.fields(number), resends=resends)
        # Counted from before the intent was written: this sender believes its time to be over no later than others do.
        left_s = intent.duration_s - (self._clock.elapsed_s() - began_s)
        answer = send(left_s, space) if left_s > 0 else _TOO_LATE
        step(f"delivery.answered_{answer.kind}", **name.fields(number), status=answer.status)
        self._write_down(name, number, intent, answer)
        return answer

    def _write_down_late(self, name: PartName, number: int, unknown: list[Delivery], late: Answer) -> None:
        if unknown:
            self._doubt(name, unknown[0].number)
        intent = self._intent(name, len(unknown))
        if self._deliveries.intend(name, number, intent):
            self._write_down(name, number, intent, late)

    def _intent(self, name: PartName, resends: int) -> Intent:
        return Intent(
            entry_id=name.entry_id,
            run=self._run,
            duration_s=self._rules.duration_s,
            resends=resends,
            written_at=self._now(),
        )

    def _write_down(self, name: PartName, number: int, intent: Intent, answer: Answer) -> None:
        if answer.kind == "unknown":
            note = Note(intent=intent.id, reason=answer.reason, written_at=self._now())
            self._deliveries.leave_note(name, number, note)
            return
        outcome = Outcome(
            kind=answer.kind,
            entry_id=intent.entry_id,
            intent=intent.id,
            status=answer.status,
            rows=answer.rows,
            reason=answer.reason,
            written_at=self._now(),
        )
        self._deliveries.conclude(name, number, outcome)
        step(f"delivery.{answer.kind}", **name.fields(number), rows=answer.rows)
        if answer.kind == "refused" and not answer.retry:
            raise _refusal(name, answer)

    def _now(self) -> str:
        return timestamp(self._clock.epoch_s())


def waits_for_a_word(known: Sequence[Delivery], on_ambiguous: str) -> bool:
    """Whether a part may not be sent again before a person says what became of its sends."""
    if end_of(known) is not None:
        return False
    unknown = sum(item.is_unknown for item in known)
    return unknown > RESENDS_IN_ALL or (unknown > 0 and on_ambiguous == "hold")


def words_on(entry: EntryName, part: int) -> str:
    """What a person may say of a send without a known outcome."""
    return word_on_part(entry, part, "delivered|resend")


def _refusal(name: PartName, answer: Answer) -> SluiceError:
    what = f"{name}: {answer.reason}"
    if answer.error is DestinationRefused:
        return DestinationRefused(
            what,
            "Fix ARIZE_API_KEY and the address; the next run sends it again. Was it the wrong space: fix "
            f"ARIZE_SPACE_ID; then: sluice resolve FILE --entry {name.entry} readdress --reason …",
        )
    return DeliveryRefused(
        what,
        "Fix what Arize names; the next run sends it again. Can it not be fixed, let go of these rows: "
        f"{word_on_part(name.entry, name.part, 'drop')}",
    )
