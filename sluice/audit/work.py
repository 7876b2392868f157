"""One audit of a run: its verbs. It writes one mark, and mends nothing."""

from __future__ import annotations

from typing import Final

from sluice.audit.beginning import Beginning, beginning_of
from sluice.audit.findings import MOST, Finding
from sluice.audit.look import Look
from sluice.audit.mark import AuditMark, MarkedFinding, Marks
from sluice.audit.report import AuditReport, Swept, Walked
from sluice.audit.standing import Stands, doubts_since, standing_of
from sluice.audit.walk import Walk
from sluice.ledger.checkpoints import as_checkpoint
from sluice.ledger.names import in_order
from sluice.run import Run
from sluice.steps import step
from sluice.sweep import let_go

_MOST_SUSPECTS: Final = 1_000


class Audit:
    """Audits the ledger of a run.

    Args:
        full: all of it, and what its files are needed for; otherwise what came since the last audit.
        deep: reads each file.
        sweep: lets go of files that nobody needs, if nothing is lost, doubled or damaged.
    """

    def __init__(self, run: Run, *, full: bool = False, deep: bool = False, sweep: bool = False) -> None:
        self._run = run
        self._full = full
        self._deep = deep
        self._sweep = sweep
        self._marks = Marks(run.store, run.ledger.keys)
        self._beginning: Beginning | None = None
        self._walk: Walk | None = None

    def walk(self) -> Walked:
        """Walk the ledger.

        Raises:
            LedgerOfAnotherVersion, StoreUnavailable: see there.
        """
        self._beginning = beginning = beginning_of(self._run, self._marks, full=self._full)
        if beginning.state is None:
            return _without_genesis(beginning)
        first = beginning.state.next_number
        self._walk = walk = Walk(self._run, beginning, beginning.state, Look(self._run, deep=self._deep))
        walk.go()
        step("audit.walked", pipeline=self._run.pipeline.name, first=first, stop=beginning.stop, looked=walk.looked)
        doubts = doubts_since(self._run.deliveries.doubts(), 0 if beginning.mark is None else first, walk.again)
        walk.findings.add(doubts)
        return Walked(
            ledger_id=walk.state.ledger_id,
            stop=beginning.stop,
            since=beginning.mark.written_at if beginning.mark else "",
            first=first if beginning.mark else 0,
            again=walk.again,
            looked=walk.looked,
            checkpoints=walk.checkpoints,
            totals=walk.totals,
            findings=walk.findings.kept,
            counts=walk.findings.counts,
        )

    def stand(self) -> Stands:
        """Look where the pipeline stands beside its ledger."""
        return standing_of(self._run, self._beginning.mark if self._beginning else None)

    def compare(self) -> tuple[Finding, ...]:
        """What is kept for people elsewhere, compared with the ledger: nothing is, here."""
        return ()

    @property
    def looks_for_needless(self) -> bool:
        """Whether files that nobody needs are looked for: it takes the whole ledger."""
        return self._sweep or self._full

    def sweep(self, report: AuditReport) -> Swept | None:
        """Let go of files that nobody needs, or count them; a ledger with errors is not swept."""
        if not self.looks_for_needless or report.counts["error"]:
            return None
        is_trial = not self._sweep
        return Swept(files=len(let_go(self._run, is_trial=is_trial)), is_trial=is_trial)

    def mark(self, report: AuditReport) -> None:
        """Write down how far the ledger was audited, for the next audit."""
        walk = self._walk
        if walk is None or len(walk.suspects) > _MOST_SUSPECTS:  # that many are looked at by beginning here again
            return
        earliest = report.stands.earliest if report.stands else {}
        mark = AuditMark(
            written_at=self._run.now(),
            run=self._run.run_id,
            state=as_checkpoint(walk.state),
            log_sha256=walk.log_sha256,
            totals=walk.totals.as_dict(),
            suspects=tuple(str(name) for name in sorted(walk.suspects, key=in_order)),
            findings=tuple(MarkedFinding.of(item) for item in walk.told[:MOST]),
            earliest={str(partition): offset for partition, offset in earliest.items()},
        )
        self._marks.write(self._marks.next_number(), mark)

    def record(self, report: AuditReport) -> None:
        """Log what was found; a flow adds its page."""
        step(
            "audit.recorded",
            pipeline=self._run.pipeline.name,
            state=report.run.state,
            errors=report.counts["error"],
            warnings=report.counts["warning"],
        )


def _without_genesis(beginning: Beginning) -> Walked:
    """Nothing can be told of a log without a beginning; one that nobody has begun is well."""
    found = beginning.findings
    return Walked(ledger_id=None, stop=beginning.stop, findings=found, counts={"error": len(found), "warning": 0})
