"""Repetitions side by side: A B C, A B C, so that what else the machine does meets all alike."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.jobs.order import Order
from benchmarks.measuring import JobError, Taken, run
from benchmarks.pipeline import WayIn, write_pipeline
from benchmarks.systems import ROOT, System
from benchmarks.topic import Topic

Say = Callable[[str], None]
_VOID = "void: "


@dataclass(slots=True, kw_only=True)
class Line:
    """One line of a table: what each repetition took, or why there is no number."""

    name: str
    note: str
    records: int
    taken: list[Taken] = field(default_factory=list)
    void: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether it failed, or wrote something else than it should; what cannot be run here did not fail."""
        return self.void.startswith(_VOID)

    @property
    def rates(self) -> list[float]:
        """Rows a second of the work, the slowest first."""
        return sorted(self.records / item.seconds for item in self.taken)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def whole_rate(self) -> float:
        """Rows a second, the start of the process counted."""
        return median(self.records / item.whole_seconds for item in self.taken)

    @property
    def cpu_us(self) -> float:
        """Processor time a row, in microseconds, the start of the process counted."""
        return median(item.cpu_seconds / self.records * 1e6 for item in self.taken)

    @property
    def peak_mb(self) -> float:
        return max(item.peak_bytes for item in self.taken) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one line measures.

    Attributes:
        go: does it once, in a new process, and says what it took. Raises: JobError.
    """

    name: str
    note: str
    records: int
    go: Callable[[], Taken]
    missing: str = ""


def interleaved(trials: Sequence[Trial], *, rounds: int, warm: bool, say: Say) -> list[Line]:
    """Run trials in turn, after one of each that does not count; one that fails once is void, and not run again."""
    lines = [Line(name=item.name, note=item.note, records=item.records) for item in trials]
    for line, trial in zip(lines, trials, strict=True):
        line.void = f"not run: {trial.missing}" if trial.missing else ""
    for turn in range(0 if warm else 1, rounds + 1):
        for line, trial in zip(lines, trials, strict=True):
            if line.void:
                continue
            try:
                taken = trial.go()
            except JobError as error:
                line.void = f"{_VOID}{error}"
                line.taken.clear()  # a number of a system that once lost rows is none
                say(f"{line.name}: {line.void}")
                continue
            rate = f"{line.records / taken.seconds:,.0f} rows/s" if line.records > 1 else f"{taken.seconds:.2f} s"
            say(f"{turn or 'warm'} {line.name}: {rate}")
            if turn:
                line.taken.append(taken)
    return lines


Check = Callable[[Order], str]


def from_kafka(
    system: System,
    topic: Topic,
    *,
    check: Check,
    environment: Mapping[str, str] | None = None,
    limits: Mapping[str, object] | None = None,
    records: int | None = None,
    way: WayIn = "sdk",
    start: str = "earliest",
) -> Trial:
    """A trial of a system on a topic.

    Args:
        check: what is wrong with what was written; empty for nothing.
        limits: of Sluice's pipeline file.
        records: that it takes, which counts; None for the whole topic.
        way, start: into Arize, and where the ledger begins, of Sluice's pipeline file.
    """

    def go() -> Taken:
        folder = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
        try:
            output = folder / "output"
            output.mkdir()
            name = f"benchmark-{uuid.uuid4().hex[:12]}"
            pipeline = write_pipeline(folder, name, topic.name, limits or {}, way=way, start=start)
            order = Order(
                servers=topic.servers,
                topic=topic.name,
                ends=topic.ends,
                output=str(output),
                pipeline=str(pipeline),
                extra=system.extra,
            )
            taken = run(system.command(order), environment={**system.environment, **(environment or {})}, cwd=ROOT)
            problem = check(order)
        finally:
            shutil.rmtree(folder)
        if problem:
            raise JobError(problem)
        return taken

    count = topic.records if records is None else records
    return Trial(name=system.name, note=system.note, records=count, go=go, missing=system.missing)


def unchecked(order: Order) -> str:
    """For what writes nothing, or says itself whether it is done."""
    return ""
