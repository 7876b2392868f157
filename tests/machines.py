"""What the state machines have in common: processes that move, die and wake up, and fail only with cause."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from sluice.audit.report import AuditReport
from sluice.audit.story import audit
from sluice.audit.work import Audit
from sluice.backfill.report import BackfillReport
from sluice.connections import Connections
from sluice.errors import Transient, every_error
from sluice.pipeline import LoadedPipeline
from sluice.replay.report import ReplayReport
from sluice.report import RunReport
from sluice.run import Run
from tests import parts
from tests.parts import MemoryArize, MemoryKafka, MemoryStore
from tests.simulation import Process, World

MOST_AT_ONCE = 4


class Processes(RuleBasedStateMachine):
    """Processes on one store and one Kafka.

    Attributes:
        expected: the errors that a process may end with by now.
    """

    def __init__(self, kafka: MemoryKafka) -> None:
        super().__init__()
        self.world = World()
        self.store = MemoryStore(self.world)
        self.kafka = kafka
        self.arize = MemoryArize()
        self.expected: set[type[BaseException]] = {Transient}
        self.scratch = Path(tempfile.mkdtemp(prefix="sluice-machine-"))
        self.count = 0

    def begin(self, work: Callable[[str, Connections], object]) -> Process:
        """Start a process with a name and connections of its own; the oldest dies where there are too many."""
        if len(self.world.alive) >= MOST_AT_ONCE:
            self.world.alive[0].kill()
        self.count += 1
        name = str(self.count)
        opened = parts.parts(self.world, self.store, self.kafka, self.arize, self.scratch / name)
        return self.world.start(name, lambda: work(name, opened))

    def go(self, process: Process, place: str, times: int, then: str) -> None:
        """Move a process to a place, for so many times; then leave it there, or kill it, or let it go to its end."""
        for _ in range(times if place else 0):
            while process.move() and not any(place in thread.at for thread in process.threads if not thread.dead):
                pass
        if then == "die":
            process.kill()
        elif then == "end":
            process.finish()

    def alive(self, which: int) -> Process:
        return self.world.alive[which % len(self.world.alive)]

    def check_an_audit_finds_nothing(self, file: LoadedPipeline, *, full: bool = False, **others: Any) -> None:
        """Whatever is under way: nothing is lost, doubled or damaged.

        Args:
            others: parts that are other than those of `begin`.
        """
        opened = parts.parts(self.world, self.store, self.kafka, self.arize, self.scratch / "audit")
        run = Run(file, replace(opened, **others), "audit")
        report = audit(Audit(run, full=full, deep=full), AuditReport(run=run.report()))
        assert report.run.state == "done", report.run.message

    @invariant()
    def nobody_fails_without_cause(self) -> None:
        anchors = {kind.anchor() for kind in every_error() if issubclass(kind, tuple(self.expected))}
        for process in self.world.processes:
            if process.is_alive or process.is_killed:
                continue
            if process.error is not None:
                assert isinstance(process.error, tuple(self.expected)), repr(process.error)
            report = None if process.error is not None else process.result
            ended = report.run if isinstance(report, BackfillReport | ReplayReport) else report
            if isinstance(ended, RunReport) and ended.state == "failed":
                assert any(f"#{anchor}." in ended.message for anchor in anchors), ended.message
