"""Deliver a part: send it, know what became of it, and never send it twice without saying so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sluice.clock import Clock, timestamp
from sluice.errors import DeliveryHeld, DeliveryRefused, DestinationRefused, DestinationUnavailable, SluiceError
from sluice.ledger.deliveries import Deliveries, Delivery, Doubt, Intent, Note, Outcome, space_of, word_on_space
from sluice.receipts import Answer, PartName, Receipt
from sluice.steps import step

RESENDS_IN_ALL = 2
TRIES_A_RUN = 6
_LOOK_AGAIN_S = 0.5


Try = Callable[[float], Answer]
Send = Callable[[float, str | None], Answer]


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

    def __init__(self, deliveries: Deliveries, rules: Rules, clock: Clock, run: str) -> None:
        self._deliveries = deliveries
        self._rules = rules
        self._clock = clock
        self._run = run

    def deliver(self, name: PartName, rows: int, send: Send) -> Receipt:
        """Send the part unless it was accepted already, and return its receipt.

        Args:
            rows: of the part.
            send: sends it within so many seconds, to this space where a person named another one than the entry does;
                called once for each delivery that is written.

        Raises:
            DestinationUnavailable: it was not accepted for now; the next run goes on.
            DestinationRefused, DeliveryRefused: it was not accepted, and a person must mend something.
            DeliveryHeld: what became of a send is not known, and it may not be sent again without a person's word.
        """
        answers: list[Answer] = []
        allowed = 0
        while True:
            known = self._known(name)
            unknown = [item for item in known if item.is_unknown]
            accepted = next((item for item in known if item.outcome and item.outcome.kind == "accepted"), None)
            if accepted is not None:
                sent = bool(answers and answers[-1].kind == "accepted")
                return Receipt(
                    entry=name.entry,
                    part=name.part,
                    delivery=accepted.number,
                    rows=rows,
                    sent=sent,
                    unknown=len(unknown),
                )
            allowed = self._allow_resend(name, unknown, allowed)
            self._pause(name, answers)
            once = _known_already(answers) or _to(space_of(known), send)
            answer = self._try(name, len(known), len(unknown), once)
            if answer is not None:
                answers.append(answer)

    def _known(self, name: PartName) -> tuple[Delivery, ...]:
        """Return the deliveries so far, when none of them can still be under way."""
        while True:
            known = self._deliveries.of(name.entry, name.part)
            silent = [item for item in known if item.is_unknown and item.note is None]
            if not all(self._deliveries.is_over(name.entry, name.part, item) for item in silent):
                self._clock.wait(_LOOK_AGAIN_S)
            # Looked at once more behind the clock: an outcome that came in time may have come after the first look.
            elif not silent or self._deliveries.of(name.entry, name.part) == known:
                self._close_words(name, known)
                return known

    def _close_words(self, name: PartName, known: tuple[Delivery, ...]) -> None:
        """Give a person's word on the space its outcome, where the person was cut off before: it is no open send."""
        for item in known:
            if item.intent.space and item.outcome is None:
                self._deliveries.conclude(name.entry, name.part, item.number, word_on_space(item.intent, self._now()))

    def _allow_resend(self, name: PartName, unknown: list[Delivery], allowed: int) -> int:
        """Check that a part which may have been accepted may be sent again; return how often this run has been let."""
        if not unknown:
            return 0
        last = unknown[-1]
        why = last.note.reason if last.note else "its sender died"
        what = f"{name}, delivery {last.number}: whether Arize took it is not known ({why})"
        if waits_for_a_word(unknown, self._rules.on_ambiguous):
            way = words_on(name.entry, name.part)
            raise DeliveryHeld(what, f"Look in Arize whether it has the rows; then: {way}")
        if allowed and len(unknown) > allowed:
            raise DestinationUnavailable(what, "The next run sends it once more")
        self._deliveries.doubt(
            Doubt(entry=name.entry, part=name.part, delivery=unknown[0].number, run=self._run, written_at=self._now())
        )
        step("delivery.ambiguous", **name.fields(last.number), why=why)
        return len(unknown)

    def _pause(self, name: PartName, answers: list[Answer]) -> None:
        """Wait longer after each refusal of this run that may pass, and give up in the end."""
        if not answers or answers[-1].kind != "refused":
            return
        if len(answers) >= TRIES_A_RUN:
            last = answers[-1]
            raise DestinationUnavailable(f"{name}: Arize did not take it in {len(answers)} tries ({last.reason})")
        self._clock.wait(2.0 ** (len(answers) - 1))

    def _try(self, name: PartName, number: int, resends: int, send: Try) -> Answer | None:
        """Write an intent and send; None where another run wrote that delivery first."""
        began_s = self._clock.elapsed_s()
        intent = Intent(run=self._run, duration_s=self._rules.duration_s, resends=resends, written_at=self._now())
        if not self._deliveries.intend(name.entry, name.part, number, intent):
            return None
        step("delivery.intended", **name.fields(number), resends=resends)
        # Counted from before the intent was written: this sender believes its time to be over no later than others do.
        left_s = intent.duration_s - (self._clock.elapsed_s() - began_s)
        answer: Answer = send(left_s) if left_s > 0 else _TOO_LATE
        step(f"delivery.answered_{answer.kind}", **name.fields(number), status=answer.status)
        self._write_down(name, number, intent, answer)
        return answer

    def _write_down(self, name: PartName, number: int, intent: Intent, answer: Answer) -> None:
        if answer.kind == "unknown":
            note = Note(intent=intent.id, reason=answer.reason, written_at=self._now())
            self._deliveries.leave_note(name.entry, name.part, number, note)
            return
        outcome = Outcome(
            kind=answer.kind,
            intent=intent.id,
            status=answer.status,
            rows=answer.rows,
            reason=answer.reason,
            written_at=self._now(),
        )
        self._deliveries.conclude(name.entry, name.part, number, outcome)
        step(f"delivery.{answer.kind}", **name.fields(number), rows=answer.rows)
        if answer.kind == "refused" and not answer.retry:
            raise _refusal(name, answer)

    def _now(self) -> str:
        return timestamp(self._clock.epoch_s())


def waits_for_a_word(known: Sequence[Delivery], on_ambiguous: str) -> bool:
    """Whether a part may not be sent again before a person says what became of its sends."""
    if any(item.outcome and item.outcome.kind == "accepted" for item in known):
        return False
    unknown = sum(item.is_unknown for item in known)
    return unknown > RESENDS_IN_ALL or (unknown > 0 and on_ambiguous == "hold")


def words_on(entry: int, part: int) -> str:
    """What a person may say of the sends of a part."""
    return f"sluice resolve FILE --entry {entry} --part {part} delivered|resend --reason …"


def _to(space: str | None, send: Send) -> Try:
    return lambda left_s: send(left_s, space)


def _known_already(answers: list[Answer]) -> Try | None:
    """Return what writes down an acceptance that came after a person had released its delivery: once more, unsent."""
    accepted = next((answer for answer in answers if answer.kind == "accepted"), None)
    return None if accepted is None else lambda _: accepted


def _refusal(name: PartName, answer: Answer) -> SluiceError:
    what = f"{name}: {answer.reason}"
    if answer.error is DestinationRefused:
        return DestinationRefused(
            what,
            "Fix ARIZE_API_KEY and the address; the next run sends it again. Was it the wrong space: fix "
            f"ARIZE_SPACE_ID; then: sluice resolve FILE --entry {name.entry} readdress --reason …",
        )
    return DeliveryRefused(what, "Fix what Arize names; the next run sends it again")


@dataclass(frozen=True, slots=True)
class _TooLate:
    """The time of a send was over before it began: nothing was sent."""

    kind: Literal["refused"] = "refused"
    status: None = None
    reason: str = "not sent: its time was over before it began"
    rows: None = None
    retry: bool = True
    error: None = None


_TOO_LATE = _TooLate()
