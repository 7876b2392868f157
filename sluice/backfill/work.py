"""One backfill of a run: its plan, its claims, and the verbs by which their slots are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zlib import crc32

from sluice.backfill.planning import Planning
from sluice.backfill.report import BackfillPlan, BackfillReport, ranges_of
from sluice.backfill.request import Ranges, Request
from sluice.errors import NothingToResolve
from sluice.garbage import collecting_seldom
from sluice.importing.settling import Settled
from sluice.ledger import entries
from sluice.ledger.names import SlotName
from sluice.pacing import Pace, unpaced
from sluice.receipts import Receipt
from sluice.run import Run
from sluice.steps import step

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
        self._run = run
        self._request = request
        self._planning = Planning(run, request, reason=reason, newest_first=newest_first)
        self._pace = pace

    def plan(self, *, write: bool) -> BackfillPlan:
        """See what a start would take now; see `Planning.plan` for what is raised."""
        return self._planning.plan(write=write)

    def claim(self) -> tuple[int, ...]:
        """Join the open claims of the same request, or claim what is free; see `Planning.claim` for what is raised."""
        return self._planning.claim()

    def todo(self, claims: Sequence[int]) -> list[Todo]:
        """Return the slots that nobody has sealed, with their ranges, then those that wait for delivery, with none.

        Who helps with another's claim begins somewhere in it: all of them would read the same windows otherwise.
        """
        self._run.ledger.refresh_slots()
        state = self._run.ledger.state
        opened = [(number, state.claims[number]) for number in claims if number in state.claims]
        found: list[Todo] = []
        for number, claim in opened:
            undecided = [(SlotName(number, slot), ranges) for slot, ranges in sorted(claim.undecided.items())]
            helps = number not in self._planning.mine
            at = crc32(self._run.run_id.encode()) % len(undecided) if helps and undecided else 0
            found += [*undecided[at:], *undecided[:at]]
        waiting = ((SlotName(number, slot), ()) for number, claim in opened for slot in sorted(claim.unsettled))
        return [*found, *waiting]

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
            made = self._run.sealing.entry_from(read, name, again=bool(self._request.again))
            slot = entries.Slot(**made, claim=name.claim, slot=name.slot)
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
        return sum(claim.left for claim in known if claim)

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
