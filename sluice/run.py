"""One run of a pipeline: its verbs, on opened connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sluice.aim import aimed_at
from sluice.clock import timestamp
from sluice.connections import Connections, RunOptions, Source
from sluice.errors import START_ANEW, Held, LedgerMoved, NothingToResolve, SluiceError, TopicRecreated
from sluice.garbage import collecting_seldom
from sluice.importing.settling import Settled
from sluice.ingest import Planned, Ranges, Staged
from sluice.ledger import Ledger, OpenEntry, entries
from sluice.ledger.deliveries import Deliveries
from sluice.ledger.entries import Sealed
from sluice.ledger.log import held_error
from sluice.ledger.names import EntryName
from sluice.mirror import Mirror
from sluice.offsets import Partition, remainder
from sluice.outbound import Outbound
from sluice.outlook import Outlook, Standing
from sluice.pipeline import LoadedPipeline, Pipeline
from sluice.planning import Plan
from sluice.receipts import Receipt
from sluice.records import ReadRange
from sluice.report import Committed, RunReport, WindowReport
from sluice.sealing import Prepared, Sealing
from sluice.staging import Staging
from sluice.steps import step
from sluice.store import Store, probe
from sluice.unfinished import reports_of, settle, settle_slots
from sluice.waiting import Predictions


class Run:
    """The verbs of one run, each doing one thing to what is connected. See `ingest` for their order.

    Attributes:
        waits_from: by the last plan, the moment from which on actuals wait for their predictions; None: none do.
    """

    def __init__(
        self,
        loaded: LoadedPipeline,
        connections: Connections,
        run_id: str,
        options: RunOptions | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.pipeline = loaded.pipeline
        self.run_id = run_id
        self.ledger = ledger or Ledger(connections.store, loaded.pipeline.name)
        self._loaded = loaded
        self._connections = connections
        self._options = options or RunOptions()
        self._waits_for = self._predictions(loaded)
        self.waits_from: datetime | None = None
        self._taken = 0
        self._may_write = False
        self._aimed: dict[tuple[str | None, str | None], Run] = {}
        self.outlook = Outlook(loaded.pipeline, self.ledger, connections, run_id)
        self.staging = Staging(connections.store, self.ledger.keys, connections.scratch)
        self.outbound = Outbound(loaded.pipeline, connections, ledger=self.ledger, staging=self.staging, run_id=run_id)
        self.sealing = Sealing(
            loaded,
            connections,
            ledger=self.ledger,
            staging=self.staging,
            run_id=run_id,
            address=self.outbound.address,
        )
        self.mirror = Mirror(connections.source, loaded.pipeline.source.kafka.group)

    @property
    def store(self) -> Store:
        return self._connections.store

    @property
    def source(self) -> Source:
        return self._connections.source

    @property
    def scratch(self) -> Path:
        """Where local copies of staged files are, as long as the run is open."""
        return self._connections.scratch

    @property
    def predictions(self) -> Pipeline | None:
        """Of actuals, the pipeline of their predictions, if the file names it."""
        return self._loaded.predictions.pipeline if self._loaded.predictions is not None else None

    @property
    def file_sha256(self) -> str:
        """Of the pipeline file that is run by."""
        return self._loaded.sha256

    @property
    def destination(self) -> entries.Destination:
        """Where rows go by today's file and settings."""
        return self.outbound.destination

    @property
    def deliveries(self) -> Deliveries:
        return self.outbound.deliveries

    def aimed(self, *, model: str | None, version: str | None = None) -> Run:
        """Return this run as it is where rows go to this model, all of one version; on the same ledger.

        Raises:
            WrongUse: they cannot.
        """
        if version is None and model in (None, self.pipeline.arize.model):
            return self
        if (model, version) not in self._aimed:
            loaded = replace(self._loaded, pipeline=aimed_at(self.pipeline, model=model, version=version))
            run = Run(loaded, self._connections, self.run_id, self._options, self.ledger)
            self._aimed[model, version] = run
        return self._aimed[model, version]

    def report(self) -> RunReport:
        """Return the report of a run that has done nothing yet."""
        return RunReport(pipeline=self.pipeline.name, run_id=self.run_id, started_at=self.now())

    def plan(self) -> Planned:
        """Find what is unfinished, check that everything is as the ledger knows it, and plan to one snapshot's end.

        Raises:
            SluiceError: something is not, and nothing is unfinished; nothing was read.
        """
        self.prepare()
        open_before = dict(self.ledger.state.open) if self.ledger.exists else {}
        unfinished = self.unfinished()
        self.check_delivered()
        if self.ledger.exists:
            self.checkpoint_if_due()
        try:
            planned = self._planned(unfinished, open_before)
        except SluiceError as problem:
            if not unfinished:
                raise
            # What is sealed needs nothing of Kafka: it is delivered first, whatever became of the topic or the group.
            planned = Planned(plan=Plan(backlog=(), windows=()), unfinished=unfinished, problem=problem)
        planned = self._ready_to_deliver(planned)
        step(
            "run.planned",
            pipeline=self.pipeline.name,
            windows=len(planned.plan.windows),
            unfinished=len(unfinished),
            ranges=", ".join(str(item) for item in planned.plan.ranges if item.span),
        )
        return planned

    def _ready_to_deliver(self, planned: Planned) -> Planned:
        """Begin what takes a while, and find out what cannot go well before anything is read.

        What is sealed goes out first, whatever became of the job that takes what comes.
        """
        paths = [item.entry.destination.path for item in planned.unfinished]
        self.outbound.get_ready([*paths, *[self.pipeline.arize.path] * len(planned.plan.windows)])
        if planned.plan.windows:
            try:
                self.outbound.check()
            except SluiceError as problem:
                if not planned.unfinished:
                    raise
                return replace(planned, plan=Plan(backlog=(), windows=()), problem=problem)
        return planned

    def forecast(self) -> Planned:
        """Plan as `plan` does, and write nothing: not even what a first run would begin with."""
        self.ledger.load()
        unfinished = self.unfinished()
        self.check_delivered()
        standing = self.outlook.look(write=False)
        self.outlook.check(standing)
        return self._planned_from(standing, unfinished)

    def _planned(self, unfinished: tuple[WindowReport, ...], open_before: Mapping[int, OpenEntry]) -> Planned:
        standing = self.outlook.look(write=True)
        self.outlook.check(standing)
        self.mirror.mend(standing)
        # Delivered by a run that died before it could say so: this one says it. A group without any offset has expired,
        # which says nothing of what was told.
        offsets = {partition: at.offset for partition, at in standing.committed.items()}
        sealed: dict[EntryName, Sealed] = {number: item.entry for number, item in open_before.items()}
        reports = reports_of(sealed, self.deliveries) if offsets else ()
        untold = tuple(item for item in reports if item.is_settled and not item.is_committed(offsets))
        return self._planned_from(standing, (*untold, *unfinished))

    def _planned_from(self, standing: Standing, unfinished: tuple[WindowReport, ...]) -> Planned:
        plan = self.outlook.plan(standing, self._until(), self._windows_left)
        if self.ledger.exists and self.ledger.state.holding_up:  # nothing is taken; how far it falls behind is told
            plan, problem = replace(plan, windows=()), held_error(self.ledger.state)
            return Planned(plan=plan, unfinished=unfinished, problem=problem)
        return Planned(plan=plan, unfinished=unfinished, problem=None)

    def _predictions(self, loaded: LoadedPipeline) -> Predictions | None:
        if loaded.waits_for is None:
            return None
        return Predictions(pipeline=loaded.waits_for, source=self._connections.predictions, store=self.store)

    def _until(self) -> datetime | None:
        """Only what came before this moment is taken: what a person asks for, and what predictions are delivered of."""
        now_s, until = self.epoch_s(), self.delivered_until()
        if self._waits_for is None or until is None:
            return self._options.until
        step("run.waits", of=self._waits_for.pipeline.name, until=until.isoformat(timespec="seconds"))
        self.waits_from = until if until.timestamp() < now_s else None
        return min(until, self._options.until or until)

    def delivered_until(self) -> datetime | None:
        """Return the moment up to which the predictions are delivered that actuals wait for; None: they wait for none.

        It is 1970 where none was ever delivered.
        """
        if self._waits_for is None:
            return None
        return datetime.fromtimestamp(self._waits_for.delivered_until_s(self.epoch_s()) or 0, UTC)

    @property
    def _windows_left(self) -> int | None:
        """How many windows the run may still take, however often it plans; None for any number."""
        most = self._options.max_windows or self.pipeline.limits.max_windows
        return None if most is None else most - self._taken

    def stage(self, window: Ranges) -> Staged:
        """Read a window, decode, map and validate it, stage its rows, and seal it.

        Raises:
            LedgerMoved: another run sealed some of these offsets first; nothing was changed.
        """
        with collecting_seldom:
            return self._stage(window)

    def _stage(self, window: Ranges) -> Staged:
        read = self.read(window, self._epochs(window))
        prepared = self.sealing.prepare(read)
        entry = entries.Window(**self.sealing.fields(prepared))
        step("window.staged", ranges=entry.shown, balance=entry.balance.arithmetic())
        number = self._seal(entry, prepared)
        if prepared.repeats is not None:  # decided anew, it may be, where others were sealed first
            entry = self.ledger.window(number)
        step("window.sealed", entry=number, ranges=entry.shown, held=bool(entry.held))
        left = remainder(window, [item.range for item in read])
        # Imported here: pyarrow's reader costs a fifth of a second, and a plan needs none of it.
        from sluice.unknown import unknown_fields

        unknown = unknown_fields(self.pipeline, read)
        return Staged(number=number, entry=entry, left=left, held=self._held(number), unknown=unknown)

    def _seal(self, entry: entries.Window, prepared: Prepared) -> int:
        self._taken += 1  # before it is known: a write that fails may have been made
        try:
            again = (lambda: entries.Window(**self.sealing.fields(prepared))) if prepared.repeats else None
            return self.ledger.seal(entry, again)
        except LedgerMoved:
            self._taken -= 1
            raise

    def deliver(self, number: EntryName, part: int) -> Receipt:
        """Deliver one part of a sealed entry; see `Outbound.deliver` for what is raised."""
        return self.outbound.deliver(number, part)

    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
        """Ask Arize what became of the placed files of some entries; see `Outbound.settle`."""
        return self.outbound.settle(numbers, patience=patience)

    def commit(self, settled: Sequence[EntryName]) -> Committed:
        """Note settled entries, drive the group to the end of what is contiguous and delivered, and return where it is.

        Raises:
            GroupMoved, GroupInUse, GroupNotAllowed: see there; what was delivered stays delivered.
        """
        for number in settled:
            self._discard(number)
        self.ledger.settle(list(settled))
        self.checkpoint_if_due()
        partitions = [item for item in self.ledger.state.positions if self.outlook.is_ours(item)]
        wanted = self.mirror.drive(self.ledger, partitions)
        return Committed(at=self.now(), offsets={item.partition: item.offset for item in wanted})

    def record(self, report: RunReport) -> None:
        """Log what was done; a flow adds its artifacts."""
        step(
            "run.recorded",
            pipeline=report.pipeline,
            state=report.state,
            rows=report.rows_accepted,
            ranges=", ".join(map(str, report.taken)),
        )

    def prepare(self) -> None:
        """Try the store out, keep the pipeline file beside the ledger that it explains, and load that."""
        if self.ledger.exists and self._may_write:
            self.ledger.refresh()
            return
        self._get_ready_to_write()
        self.ledger.load()

    def require_ledger(self, *, write: bool = True) -> None:
        """Load the ledger for a person's word on it, or for a question.

        Raises:
            NothingToResolve: there is none yet; nothing was written.
        """
        self.ledger.load()
        if not self.ledger.exists:
            raise NothingToResolve(f"The pipeline {self.pipeline.name} has no ledger yet", "Run it first")
        if write:
            self._get_ready_to_write()
        self.learn_claims()
        self.unfinished()

    def _get_ready_to_write(self) -> None:
        probe(self._connections.store)
        self._connections.store.put_once(self.ledger.keys.pipeline_file(self._loaded.sha256), self._loaded.text)
        self._may_write = True

    def unfinished(self) -> tuple[WindowReport, ...]:
        """Return the entries that wait for delivery, after settling those that turn out to be delivered."""
        if not self.ledger.exists:
            return ()
        return settle(self.ledger, self.deliveries)

    def waits(self, number: int) -> bool:
        """Whether an entry waits for delivery, after asking what became of it."""
        entry = self.ledger.waiting(number)
        reports = reports_of({number: entry}, self.deliveries) if entry is not None else ()
        self.ledger.settle([item.number for item in reports if item.is_settled])
        return any(not item.is_settled for item in reports)

    def learn_claims(self) -> None:
        """Learn what was decided of the slots of open claims, and which are delivered. Ingest plans without."""
        if self.ledger.exists:
            self.ledger.refresh_slots()
            settle_slots(self.ledger, self.deliveries)

    def checkpoint_if_due(self) -> None:
        """Keep where the ledger stands for those who come, every hundred entries."""
        if self.ledger.is_checkpoint_due:
            self.learn_claims()
            self.ledger.write_checkpoint()

    def settle_what_is_delivered(self) -> None:
        """Settle whatever turns out to be delivered, of the log and of claims."""
        self.unfinished()
        self.learn_claims()

    def check_delivered(self) -> None:
        """Check that the group was not driven past what waits; see `Mirror.check_delivered`."""
        if self.ledger.exists:
            self.mirror.check_delivered(self.ledger, self.catch_up)

    def catch_up(self) -> None:
        """Learn what other runs sealed and delivered meanwhile."""
        self.ledger.refresh()
        self.unfinished()

    def _epochs(self, window: Ranges) -> dict[Partition, int]:
        """The leader epochs of the last records before a window that starts where the ledger stands."""
        positions = {item.partition: self.ledger.state.position(item.partition) for item in window}
        return {item: at.leader_epoch for item, at in positions.items() if at.leader_epoch is not None}

    def read(self, window: Ranges, epochs: Mapping[Partition, int]) -> list[ReadRange]:
        """Read a window, cut where its limits end it, from the topics that the ledger knows.

        Raises:
            TopicRecreated: one is another topic by now.
        """
        read = self._connections.source.read(window, epochs)
        ids = self._connections.source.topic_ids(sorted({item.partition.topic for item in window}))
        for topic, topic_id in ids.items():
            if topic_id != self.ledger.state.topics[topic]:
                raise TopicRecreated(f"{topic} was deleted and recreated while it was read", START_ANEW)
        step(
            "window.read",
            ranges=", ".join(str(item.range) for item in read),
            records=sum(len(item.records) for item in read),
        )
        return [item for item in read if item.range.span]

    def _held(self, number: int) -> Held | None:
        holding_up = {item.number for item in self.ledger.state.holding_up}
        return held_error(self.ledger.state) if number in holding_up else None

    def _discard(self, number: EntryName) -> None:
        staged = self.ledger.sealed(number).staged
        if staged is not None:
            self.staging.discard(staged)

    def epoch_s(self) -> float:
        return self._connections.clock.epoch_s()

    def now(self) -> str:
        return timestamp(self.epoch_s())
