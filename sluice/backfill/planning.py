"""What a backfill would take now, and the claim that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, chain
from typing import Final

from sluice.backfill.claiming import apportion, claim_of, open_claims, windows_of
from sluice.backfill.report import BackfillPlan, ranges_of
from sluice.backfill.request import Ranges, Request
from sluice.errors import START_ANEW, LedgerMoved, OffsetsExpired, TopicRecreated
from sluice.ledger import LedgerState, coverage
from sluice.ledger.coverage import Coverage
from sluice.outlook import Standing
from sluice.run import Run
from sluice.steps import step

MOST_WINDOWS: Final = 10_000  # of one claim, which is one object; what is left is claimed when these are done
_MOST_RANGES: Final = 20_000


class Planning:
    """Plans what was asked for, and claims it.

    Args:
        reason: why, in a person's words; kept in the ledger.

    Attributes:
        mine: the claims that this run made.
    """

    def __init__(self, run: Run, request: Request, *, reason: str, newest_first: bool) -> None:
        request.check()
        self.mine: set[int] = set()
        self._run = run
        self._request = request
        self._reason = reason
        self._newest_first = newest_first
        self._free: Coverage | None = None

    def plan(self, *, write: bool) -> BackfillPlan:
        """See what this run would take now: of what was free when it looked first, unless it has claimed that before.

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
        found = apportion(wanted, state, bounds, again=self._again, expired=self._takes_expired)
        free = coverage.add({}, found.taken) if self._free is None else self._free
        windows = windows_of(
            [part for item in found.taken for part in coverage.present(free, item)],
            bounds,
            max_records=self._run.pipeline.limits.max_records,
            newest_first=self._newest_first,
        )
        return BackfillPlan(
            request=self._request,
            apportioned=found,
            windows=windows[: _windows_of_a_claim(windows)],
            claims=open_claims(state, self._request),
            bounds=bounds,
        )

    def claim(self) -> tuple[int, ...]:
        """Join the open claims of the same request, or claim what is free; nothing where nothing is left to take.

        What a person gives up while a run is at it is free again, and not for that run.

        Raises:
            OffsetsExpired: Kafka has deleted some of the offsets, and the pipeline file says that this fails.
        """
        while True:
            plan = self.plan(write=True)
            if self._free is None:
                self._free = coverage.add({}, plan.apportioned.taken)
            if plan.claims or not plan.windows:
                return plan.claims
            self._check_expired(plan)
            claim = claim_of(
                self._request, plan.windows, reason=self._reason, written_at=self._run.now(), run=self._run.run_id
            )
            try:
                number = self._run.ledger.append(claim, partial(self._is_free, plan))
            except LedgerMoved:
                continue  # another run was faster: is it the same backfill, or one that took some of this?
            self.mine.add(number)
            self._free = coverage.without(self._free, chain.from_iterable(plan.windows))
            step("backfill.claimed", claim=number, windows=len(plan.windows), offsets=plan.offsets)
            return (number,)

    @property
    def _again(self) -> str | None:
        return self._request.id if self._request.again else None

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

    def _is_free(self, plan: BackfillPlan, state: LedgerState) -> bool:
        if open_claims(state, self._request):
            return False
        wanted = chain.from_iterable(plan.windows)
        return not apportion(wanted, state, plan.bounds, again=self._again, expired=True).left_out


def _windows_of_a_claim(windows: Sequence[Ranges]) -> int:
    """How many windows go into one claim; one at least."""
    ranges = accumulate(len(window) for window in windows[:MOST_WINDOWS])
    return max(1, sum(count <= _MOST_RANGES for count in ranges))


def _check_topics(standing: Standing) -> None:
    for partition in standing.partitions:
        topic_id, known = standing.bounds[partition].topic_id, standing.state.topics[partition.topic]
        if topic_id != known:
            raise TopicRecreated(
                f"{partition}: the topic was deleted and recreated (id {topic_id}, not {known})", START_ANEW
            )
