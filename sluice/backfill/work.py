"""One backfill of a run: its plan, its claims, and the verbs by which their slots are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Final
from zlib import crc32

from sluice.backfill.claiming import apportion, claim_of, open_claims, windows_of
from sluice.backfill.report import BackfillPlan, BackfillReport, ranges_of
from sluice.backfill.request import Ranges, Request
from sluice.errors import START_ANEW, LedgerMoved, NothingToResolve, OffsetsExpired, TopicRecreated
from sluice.garbage import collecting_seldom
from sluice.importing.settling import Settled
from sluice.ledger import LedgerState, entries
from sluice.ledger.names import SlotName
from sluice.outlook import Standing
from sluice.pacing import Pace, unpaced
from sluice.receipts import Receipt
from sluice.run import Run
from sluice.steps import step

MOST_WINDOWS: Final = 10_000  # of one claim, which is one object; what is left is claimed when these are done
Todo = tuple[SlotName, Ranges]
_LOOK: Final = "See: sluice status FILE"


class Backfill:
    """Takes what was asked for. It never moves the consumer group; it holds up no ingest, and waits for none.

    Args:
        reason: why, in a person's words; kept in the ledger.
        pace: of this backfill, beside the one that all runs of the space keep.
    """

    def __init__(
        self, run: Run, request: Request, *, reason: str, newest_first: bool = False, pace: Pace = unpaced
    ) -> None:
        request.check()
        self._run = run
        self._request = request
        self._reason = reason
        self._newest_first = newest_first
        self._pace = pace
        self._mine: set[int] = set()
        self._has_claimed_all = False

    def plan(self, *, write: bool) -> BackfillPlan:
        """See what a start would take now.

        Args:
            write: takes up a topic that the ledger does not know yet, for good; begins the ledger where there is none.

        Raises:
            WrongUse: the request names what there is not.
            SluiceError: a topic is missing, or another one than the ledger's.
        """
        if write:
            self._run.prepare()
        else:
            self._run.ledger.load()
        self._run.learn_claims()
        standing = self._run.outlook.look(write=write)
        state, bounds = standing.state, {item: standing.bounds[item] for item in standing.partitions}
        _check_topics(standing)
        wanted = self._request.wanted(standing.partitions, bounds, self._run.source)
        found = apportion(wanted, state, bounds, again=bool(self._request.again), expired=self._takes_expired)
        windows = windows_of(
            () if self._was_claimed(state) else found.taken,
            bounds,
            max_records=self._run.pipeline.limits.max_records,
            newest_first=self._newest_first,
        )
        return BackfillPlan(
            request=self._request,
            apportioned=found,
            windows=windows[:MOST_WINDOWS],
            claims=open_claims(state, self._request),
            bounds=bounds,
        )

    def claim(self) -> tuple[int, ...]:
        """Join the open claims of the same request, or claim what is free; nothing where nothing is left to take.

        What a run has claimed it claims once: a person may have given it up meanwhile, and then it is free again.

        Raises:
            OffsetsExpired: Kafka has deleted some of the offsets, and the pipeline file says that this fails.
        """
        while True:
            plan = self.plan(write=True)
            if plan.claims or not plan.windows or self._has_claimed_all:
                return plan.claims
            self._check_expired(plan)
            claim = claim_of(
                self._request, plan.windows, reason=self._reason, written_at=self._run.now(), run=self._run.run_id
            )
            try:
                number = self._run.ledger.append(claim, partial(self._is_free, plan))
            except LedgerMoved:
                continue  # another run was faster: is it the same backfill, or one that took some of this?
            self._mine.add(number)
            self._has_claimed_all = len(plan.windows) < MOST_WINDOWS
            step("backfill.claimed", claim=number, windows=len(plan.windows), offsets=plan.offsets)
            return (number,)

    def todo(self, claims: Sequence[int]) -> list[Todo]:
        """Return the slots that nobody has sealed, with their ranges, then those that wait for delivery, with none.

        Who helps with another's claim begins somewhere in it: all of them would read the same windows otherwise.
        """
        self._run.ledger.refresh_slots()
        found: list[Todo] = []
        for number in claims:
            claim = self._run.ledger.state.claims.get(number)
            if claim is not None:
                undecided = [(SlotName(number, slot), ranges) for slot, ranges in sorted(claim.undecided.items())]
                at = 0 if number in self._mine else crc32(self._run.run_id.encode()) % (len(undecided) or 1)
                found += [*undecided[at:], *undecided[:at]]
        for number in claims:
            claim = self._run.ledger.state.claims.get(number)
            found += [(SlotName(number, slot), ()) for slot in sorted(claim.unsettled)] if claim else []
        return found

    def get_ready(self, todo: Sequence[Todo]) -> None:
        """Begin what takes a while, and find out what cannot go well before anything is read.

        Raises:
            SluiceError: the import job is not as the pipeline file says, or there is none.
        """
        self._run.outbound.get_ready([self._run.destination.path] * len(todo))
        if any(ranges for _, ranges in todo):
            self._run.outbound.check()

    def stage(self, name: SlotName, ranges: Ranges) -> entries.Sealed | None:
        """Read a window of a claim, map and stage it, and seal its slot; None where the slot was decided before."""
        ledger = self._run.ledger
        if ledger.find(name) is not None:
            return None
        with collecting_seldom:
            read = self._run.read(ranges, {})
            slot = entries.Slot(**self._run.sealing.entry_from(read), claim=name.claim, slot=name.slot)
        decided = ledger.decide(slot)
        if isinstance(decided, entries.VoidSlot) or decided.id != slot.id:
            step("slot.decided_by_another", entry=str(name), ranges=ranges_of(ranges))
            return None
        step("slot.sealed", entry=str(name), ranges=decided.shown, held=bool(decided.held))
        return decided

    def sealed(self, name: SlotName) -> entries.Sealed:
        return self._run.ledger.sealed(name)

    def deliver(self, name: SlotName, part: int) -> Receipt:
        self._pace(self._run.ledger.sealed(name).parts[part].rows)
        return self._run.outbound.deliver(name, part)

    def settle(self, names: Sequence[SlotName], *, patience: bool) -> Settled:
        return self._run.outbound.settle(names, patience=patience)

    def done(self, name: SlotName) -> None:
        """Note that a slot is settled, and let go of its local file."""
        staged = self._run.ledger.sealed(name).staged
        if staged is not None:
            self._run.staging.discard(staged)
        self._run.ledger.settle_slots([name])

    def left(self, claims: Sequence[int]) -> int:
        """Count the offsets of claims that nobody has sealed, as far as this run knows."""
        known = (self._run.ledger.state.claims.get(number) for number in claims)
        return sum(item.span for claim in known if claim for item in claim.in_hand)

    def progress(self, report: BackfillReport) -> None:
        step("backfill.progress", slots=len(report.run.windows), failed=len(report.failed), left=report.left)

    def record(self, report: BackfillReport) -> None:
        """Keep what is known of the claims for those who come: nobody lists their slots again."""
        if self._run.ledger.exists:
            self._run.unfinished()
            self._run.ledger.write_checkpoint()
        step("backfill.recorded", state=report.run.state, rows=report.run.rows_accepted, left=report.left)

    def cancel(self, claims: Sequence[int]) -> int:
        """Give up every window of claims that nobody has sealed, and return how many: their offsets are free again.

        What is sealed is delivered all the same, by the next start or by those who are at it.

        Raises:
            NothingToResolve: nothing is left of one of them.
        """
        voided, known = 0, self._run.ledger.state.claims
        for number in claims:
            if number not in known or not known[number].undecided:
                opened = ", ".join(str(other) for other, claim in sorted(known.items()) if claim.undecided) or "none"
                raise NothingToResolve(f"Nothing is left to give up of a claim {number}; open: {opened}", _LOOK)
        # A window that is cut short meanwhile leaves another slot.
        while undecided := [item for item in self.todo(claims) if item[1]]:
            voided += sum(self._void(name, ranges) for name, ranges in undecided)
        return voided

    def _void(self, name: SlotName, ranges: Ranges) -> bool:
        void = entries.VoidSlot(written_at=self._run.now(), run=self._run.run_id, claim=name.claim, slot=name.slot)
        if self._run.ledger.decide(void) != void:
            return False
        step("slot.void", entry=str(name), ranges=ranges_of(ranges))
        return True

    @property
    def _takes_expired(self) -> bool:
        """Whether offsets that Kafka has deleted are to be counted: only where they were named one by one."""
        return bool(self._request.offsets) and self._run.pipeline.policies.on_expired == "record"

    def _check_expired(self, plan: BackfillPlan) -> None:
        gone = plan.apportioned.left_out.get("gone")
        if gone and self._request.offsets:
            first = gone[0]
            raise OffsetsExpired(
                f"{ranges_of(gone)}: Kafka has deleted this",
                f"Begin at offset {plan.bounds[first.partition].earliest} of {first.partition}, or set "
                "policies.on_expired to record, so that the balance counts it as expired",
            )

    def _was_claimed(self, state: LedgerState) -> bool:
        return bool(self._request.again) and self._request.id in state.again

    def _is_free(self, plan: BackfillPlan, state: LedgerState) -> bool:
        if open_claims(state, self._request) or self._was_claimed(state):
            return False
        wanted = chain.from_iterable(plan.windows)
        again, expired = bool(self._request.again), True
        return not apportion(wanted, state, plan.bounds, again=again, expired=expired).left_out


def _check_topics(standing: Standing) -> None:
    for partition in standing.partitions:
        topic_id, known = standing.bounds[partition].topic_id, standing.state.topics[partition.topic]
        if topic_id != known:
            raise TopicRecreated(
                f"{partition}: the topic was deleted and recreated (id {topic_id}, not {known})", START_ANEW
            )
