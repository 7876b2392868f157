"""One pipeline on the stand-ins of `tests.parts`, run by run, one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sluice.backfill.aim import aimed
from sluice.backfill.report import BackfillReport
from sluice.backfill.request import Request as BackfillRequest
from sluice.backfill.story import backfill
from sluice.backfill.work import Backfill
from sluice.connections import RunOptions, Source, no_predictions
from sluice.ingest import ingest
from sluice.ledger.deliveries import Delivery, PartName
from sluice.ledger.entries import Derived, Entry, Sealed
from sluice.ledger.names import name_of
from sluice.offsets import Partition
from sluice.pipeline import LoadedPipeline
from sluice.replay.report import ReplayReport
from sluice.replay.request import Request
from sluice.replay.story import replay
from sluice.replay.work import Replay
from sluice.report import RunReport
from sluice.run import Run
from tests import parts
from tests.imports import MemoryImports
from tests.parts import MemoryArize, MemoryKafka, MemoryStore, Said, pipeline_file
from tests.simulation import World

A0, A1, B0 = Partition("a", 0), Partition("a", 1), Partition("b", 0)


class Desk:
    """A store, a Kafka and an Arize, and the runs on them. asks: whether there is a developer key."""

    def __init__(self, scratch: Path) -> None:
        self.world = World()
        self.store = MemoryStore(self.world)
        self.kafka = MemoryKafka({"a": 2, "b": 1})
        self.arize = MemoryArize()
        self.imports = MemoryImports(self.world)
        self.asks = True
        self.predictions: Callable[[], Source] = no_predictions
        self._scratch = scratch
        self._count = 0

    def open(self, file: LoadedPipeline | None = None, options: RunOptions | None = None) -> Run:
        self._count += 1
        name = f"run {self._count}"
        opened = parts.parts(self.world, self.store, self.kafka, self.arize, self._scratch / name)
        side = partial(self.imports.side, asks=self.asks)
        opened = replace(opened, import_side=side, predictions=self.predictions)
        return Run(file or pipeline_file(), opened, name, options)

    def person(self, file: LoadedPipeline | None = None) -> Run:
        """A run that has loaded the ledger, as a command of a person does."""
        run = self.open(file)
        run.require_ledger()
        return run

    def run(self, *says: Said, file: LoadedPipeline | None = None, options: RunOptions | None = None) -> RunReport:
        """Run the pipeline once, Arize answering its sends so."""
        self.arize.script.extend(says)
        run = self.open(file, options)
        report = ingest(run, run.report(), parallel_windows=1)
        self.arize.script.clear()
        return report

    def backfill(
        self,
        *says: Said,
        file: LoadedPipeline | None = None,
        max_parallel: int = 1,
        stop_at_failure: bool = True,
        newest_first: bool = False,
        **asked: Any,
    ) -> BackfillReport:
        """Run a backfill once, Arize answering its sends so."""
        self.arize.script.extend(says)
        request = BackfillRequest(**asked)
        run = self.open(aimed(file or pipeline_file(), request, max_parallel=max_parallel))
        verbs = Backfill(run, request, reason="asked", newest_first=newest_first)
        empty = BackfillReport(run=run.report())
        report = backfill(verbs, empty, max_parallel=max_parallel, stop_at_failure=stop_at_failure)
        self.arize.script.clear()
        return report

    def replay(self, *says: Said, file: LoadedPipeline | None = None, **asked: Any) -> ReplayReport:
        """Run a replay once, Arize answering its sends so; `entries` are 12 or "12/3"."""
        self.arize.script.extend(says)
        work = self.replaying(file, **asked)
        report = replay(work, ReplayReport(run=self.open(file).report()))
        self.arize.script.clear()
        return report

    def look(self, file: LoadedPipeline | None = None, **asked: Any) -> ReplayReport:
        """Look at what a replay would do."""
        return self.replaying(file, write=False, **asked).plan(ReplayReport(run=self.open(file).report()))

    def replaying(
        self, file: LoadedPipeline | None = None, *, entries: Sequence[int | str], write: bool = True, **asked: Any
    ) -> Replay:
        names = tuple(name_of(str(name)) for name in entries)
        request = Request(entries=names, **{"reason": "asked", **asked})
        run = self.open(request.aimed(file or pipeline_file()))
        run.require_ledger(write=write)
        return Replay(run, request)

    @property
    def entries(self) -> list[Entry]:
        ledger = self.person().ledger
        return [ledger.entry(number) for number in range(ledger.state.next_number)]

    def last(self) -> Sealed:
        found = self.entries[-1]
        assert isinstance(found, Sealed)
        return found

    def derived(self) -> Derived:
        found = self.entries[-1]
        assert isinstance(found, Derived)
        return found

    def name(self, entry: int, part: int = 0) -> PartName:
        return PartName.of(entry, self.person().ledger.sealed(entry), part)

    def known(self, entry: int, part: int = 0) -> tuple[Delivery, ...]:
        return self.person().deliveries.of(self.name(entry, part))

    def outcomes(self, entry: int, part: int = 0) -> list[str]:
        known = self.known(entry, part)
        return [item.outcome.kind if item.outcome else "" for item in known]

    @property
    def arrived(self) -> list[tuple[str | None, Sequence[tuple[str, int, int]]]]:
        """Version and places of each part that came."""
        return [(version, places) for (_, version, _), places in self.arize.arrived]
