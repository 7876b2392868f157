"""One run of a pipeline: its verbs, on opened connections."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluice.answers import Answer
from sluice.clock import timestamp
from sluice.connections import Connections, RunOptions
from sluice.delivery import Deliverer, Rules
from sluice.errors import START_ANEW, Held, LedgerDamaged, LedgerMoved, NothingToResolve, SluiceError, TopicRecreated
from sluice.garbage import collecting_seldom
from sluice.importing import Importing
from sluice.ingest import Planned, Ranges, Staged
from sluice.ledger import Ledger, OpenEntry, entries
from sluice.ledger.deliveries import Deliveries, PartName
from sluice.ledger.imports import Imports
from sluice.ledger.log import held_error
from sluice.mirror import Mirror
from sluice.offsets import OffsetRange
from sluice.outlook import Outlook, Standing
from sluice.pipeline import LoadedPipeline
from sluice.placing import Placing, Settled
from sluice.planning import Plan, remainder
from sluice.receipts import Receipt
from sluice.records import ReadRange
from sluice.report import Committed, RunReport, WindowReport
from sluice.sealing import Sealing
from sluice.staging import Staging
from sluice.steps import step
from sluice.store import Store, probe
from sluice.unfinished import reports_of, settle


class Run:
    """The verbs of one run, each doing one thing to what is connected. See `ingest` for their order."""

    def __init__(
        self, loaded: LoadedPipeline, connections: Connections, run_id: str, options: RunOptions | None = None
    ) -> None:
        self.pipeline = loaded.pipeline
        self.run_id = run_id
        self.ledger = Ledger(connections.store, loaded.pipeline.name)
        self._loaded = loaded
        self._connections = connections
        self._options = options or RunOptions()
        self._taken = 0
        self.deliveries = Deliveries(connections.store, self.ledger.keys)
        self.outlook = Outlook(loaded.pipeline, self.ledger, connections, run_id)
        self.staging = Staging(connections.store, self.ledger.keys, connections.scratch)
        self.sealing = Sealing(
            loaded, connections, ledger=self.ledger, staging=self.staging, run_id=run_id, address=self._address
        )
        self.imports = Imports(connections.store, self.ledger.keys)
        self._placing: tuple[Importing, Placing] | None = None
        self._lock = threading.Lock()
        self.mirror = Mirror(connections.source, loaded.pipeline.source.kafka.group)
        policies, limits = self.pipeline.policies, self.pipeline.limits
        rules = Rules(duration_s=limits.send_timeout_seconds, on_ambiguous=policies.on_ambiguous)
        self._deliverer = Deliverer(self.deliveries, rules, connections.clock, run_id, connections.pace)

    @property
    def store(self) -> Store:
        return self._connections.store

    @property
    def destination(self) -> entries.Destination:
        """Where rows go by today's file and settings."""
        return self._connections.destination.resolve(self.pipeline)

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
            self.ledger.checkpoint_if_due()
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
        paths += [self.pipeline.arize.path] * len(planned.plan.windows)
        if sends := paths.count("sdk"):
            self._connections.destination.get_ready(sends)
        if planned.plan.windows and self.pipeline.arize.path == "object_store":
            try:
                self.importing.check()
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
        reports = reports_of(open_before, self.deliveries) if offsets else ()
        untold = tuple(item for item in reports if item.is_settled and not item.is_committed(offsets))
        return self._planned_from(standing, (*untold, *unfinished))

    def _planned_from(self, standing: Standing, unfinished: tuple[WindowReport, ...]) -> Planned:
        if self.ledger.exists and self.ledger.state.held:
            return Planned(
                plan=Plan(backlog=(), windows=()), unfinished=unfinished, problem=held_error(self.ledger.state)
            )
        plan = self.outlook.plan(standing, self._options.until, self._windows_left)
        return Planned(plan=plan, unfinished=unfinished, problem=None)

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
        read = self._read(window)
        entry = entries.Window(**self.sealing.entry_from(read))
        step("window.staged", ranges=entry.shown, balance=entry.balance.arithmetic())
        number = self._seal(entry)
        step("window.sealed", entry=number, ranges=entry.shown, held=bool(entry.held))
        left = remainder(window, [item.range for item in read])
        # Imported here: pyarrow's reader costs a fifth of a second, and a plan needs none of it.
        from sluice.unknown import unknown_fields

        unknown = unknown_fields(self.pipeline, read)
        return Staged(number=number, entry=entry, left=left, held=self._held(number), unknown=unknown)

    def _seal(self, entry: entries.Window) -> int:
        self._taken += 1  # before it is known: a write that fails may have been made
        try:
            return self.ledger.seal(entry)
        except LedgerMoved:
            self._taken -= 1
            raise

    def deliver(self, number: int, part: int) -> Receipt:
        """Deliver one part of a sealed entry from its staged file; see `Deliverer.deliver` for what is raised."""
        entry = self.ledger.sealed(number)
        if entry.staged is None or entry.held:
            raise LedgerDamaged(f"Entry {number} is held, or has no staged file, and was to be sent")
        wanted, staged = entry.parts[part], entry.staged
        if entry.destination.path == "object_store":
            name = PartName.of(number, entry, part)
            receipt = self.placing.place(name, entry, lambda: self.staging.local_copy(staged))
            self.staging.discard(staged)  # nobody needs it any more, and a run may have many in their places
            return receipt
        file = self.staging.local_copy(staged)

        def send(left_s: float, space: str | None) -> Answer:
            return self._connections.destination.send(file, entry.destination.in_space(space), wanted, left_s)

        name = PartName.of(number, entry, part)
        receipt = self._deliverer.deliver(name, wanted.rows, send)
        step("part.delivered", **name.fields(receipt.delivery), rows=receipt.rows, sent_here=receipt.sent)
        return receipt

    def settle(self, numbers: Sequence[int], *, patience: bool) -> Settled:
        """Ask Arize what became of the placed files of some entries.

        Args:
            patience: ask again until all are settled, or `settle_seconds` are over; otherwise once.
        """
        named = {number: self.ledger.sealed(number) for number in numbers}
        parts = {PartName.of(number, entry, 0): entry for number, entry in named.items()}
        return self.placing.settle(parts, self.pipeline.limits.settle_seconds if patience else 0.0)

    def commit(self, settled: Sequence[int]) -> Committed:
        """Note settled entries, drive the group to the end of what is contiguous and delivered, and return where it is.

        Raises:
            GroupMoved, GroupInUse, GroupNotAllowed: see there; what was delivered stays delivered.
        """
        for number in settled:
            self._discard(number)
        self.ledger.settle(list(settled))
        self.ledger.checkpoint_if_due()
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
        if self.ledger.exists:
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
        self.unfinished()

    def _get_ready_to_write(self) -> None:
        probe(self._connections.store)
        self._connections.store.put_once(self.ledger.keys.pipeline_file(self._loaded.sha256), self._loaded.text)

    def unfinished(self) -> tuple[WindowReport, ...]:
        """Return the entries that wait for delivery, after settling those that turn out to be delivered."""
        if not self.ledger.exists:
            return ()
        return settle(self.ledger, self.deliveries)

    def check_delivered(self) -> None:
        """Check that the group was not driven past what waits; see `Mirror.check_delivered`."""
        if self.ledger.exists:
            self.mirror.check_delivered(self.ledger, self.catch_up)

    def catch_up(self) -> None:
        """Learn what other runs sealed and delivered meanwhile."""
        self.ledger.refresh()
        self.unfinished()

    def _read(self, window: Ranges) -> list[ReadRange]:
        positions = {item.partition: self.ledger.state.position(item.partition) for item in window}
        epochs = {item: at.leader_epoch for item, at in positions.items() if at.leader_epoch is not None}
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
        return held_error(self.ledger.state) if number in {item.number for item in self.ledger.state.held} else None

    def _discard(self, number: int) -> None:
        staged = self.ledger.sealed(number).staged
        if staged is not None:
            self.staging.discard(staged)

    @property
    def importing(self) -> Importing:
        return self._import_side()[0]

    @property
    def placing(self) -> Placing:
        return self._import_side()[1]

    def _import_side(self) -> tuple[Importing, Placing]:
        """Open the import path, where an entry goes that way."""
        with self._lock:
            if self._placing is None:
                side = self._connections.import_side()
                importing = Importing(
                    pipeline=self.pipeline,
                    space=self.destination.space,
                    ledger=self.ledger,
                    imports=self.imports,
                    bucket=side.bucket,
                    jobs=side.jobs,
                    clock=self._connections.clock,
                    run=self.run_id,
                )
                placing = Placing(
                    bucket=side.bucket,
                    importing=importing,
                    imports=self.imports,
                    deliveries=self.deliveries,
                    jobs=side.jobs,
                    space=self.destination.space,
                    clock=self._connections.clock,
                    run=self.run_id,
                )
                self._placing = importing, placing
        return self._placing

    def _address(self, entry_id: str, first: OffsetRange, file: Path, sha256: str) -> str:
        return self.placing.address(entry_id, first, file, sha256)

    def now(self) -> str:
        return timestamp(self._connections.clock.epoch_s())
