"""What is sealed goes out: each part by the path that its entry names."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from sluice.answers import Answer
from sluice.connections import Connections
from sluice.delivery import Deliverer, Rules
from sluice.errors import LedgerDamaged
from sluice.importing.importing import Importing
from sluice.importing.placing import Placing
from sluice.importing.settling import Settled, Settling
from sluice.importing.side import ImportRun
from sluice.ledger import Ledger, entries
from sluice.ledger.deliveries import Deliveries, PartName
from sluice.ledger.imports import Imports
from sluice.ledger.names import EntryName
from sluice.offsets import OffsetRange
from sluice.pipeline import Pipeline
from sluice.receipts import Receipt
from sluice.staging import Staging
from sluice.steps import step


class Outbound:
    """Both ways into Arize, in one run. What the import path needs is opened where an entry goes that way."""

    def __init__(
        self, pipeline: Pipeline, connections: Connections, *, ledger: Ledger, staging: Staging, run_id: str
    ) -> None:
        self.deliveries = Deliveries(connections.store, ledger.keys)
        self.imports = Imports(connections.store, ledger.keys)
        self._pipeline = pipeline
        self._connections = connections
        self._ledger = ledger
        self._staging = staging
        self._run_id = run_id
        rules = Rules(duration_s=pipeline.limits.send_timeout_seconds, on_ambiguous=pipeline.policies.on_ambiguous)
        self._deliverer = Deliverer(self.deliveries, rules, connections.clock, run_id, connections.pace)
        self._opened: tuple[Importing, Placing, Settling] | None = None
        self._lock = threading.Lock()
        self._addressing = threading.Lock()

    @property
    def destination(self) -> entries.Destination:
        """Where rows go by today's file and settings."""
        return self._connections.destination.resolve(self._pipeline)

    @property
    def importing(self) -> Importing:
        return self._import_path()[0]

    @property
    def placing(self) -> Placing:
        return self._import_path()[1]

    @property
    def settling(self) -> Settling:
        return self._import_path()[2]

    def get_ready(self, paths: Iterable[str]) -> None:
        """Begin what takes a while, for parts that will go out by these paths."""
        if sends := Counter(paths)["sdk"]:
            self._connections.destination.get_ready(sends)

    def check(self) -> None:
        """Find out what cannot go well before anything is read; see `Importing.check` for what is raised."""
        if self._pipeline.arize.path == "object_store":
            self.importing.check()

    def address(self, entry_id: str, first: OffsetRange, file: Path, sha256: str) -> str:
        """Return where the file of an entry will be; see `Placing.address`. One at a time, for it may make a job."""
        with self._addressing:
            return self.placing.address(entry_id, first, file, sha256)

    def deliver(self, number: EntryName, part: int) -> Receipt:
        """Deliver one part of a sealed entry from its staged file; see `Deliverer.deliver` for what is raised."""
        entry = self._ledger.sealed(number)
        if entry.staged is None or entry.held:
            raise LedgerDamaged(f"Entry {number} is held, or has no staged file, and was to be sent")
        name = PartName.of(number, entry, part)
        if entry.destination.path == "object_store":
            return self._place(name, entry, entry.staged)
        return self._send(name, entry)

    def settle(self, numbers: Sequence[EntryName], *, patience: bool) -> Settled:
        """Ask Arize what became of the placed files of some entries.

        Args:
            patience: ask again until all are settled, or `settle_seconds` are over; otherwise once.
        """
        named = {number: self._ledger.sealed(number) for number in numbers}
        parts = {PartName.of(number, entry, 0): entry for number, entry in named.items()}
        return self.settling.settle(parts, self._pipeline.limits.settle_seconds if patience else 0.0)

    def _place(self, name: PartName, entry: entries.Sealed, staged: entries.StagedFile) -> Receipt:
        receipt = self.placing.place(name, entry, lambda: self._staging.outgoing(entry))
        self._staging.discard(staged)  # nobody needs it any more, and a run may have many in their places
        return receipt

    def _send(self, name: PartName, entry: entries.Sealed) -> Receipt:
        wanted, file = entry.parts[name.part], self._staging.outgoing(entry)

        def send(left_s: float, space: str | None) -> Answer:
            return self._connections.destination.send(file, entry.destination.in_space(space), wanted, left_s)

        receipt = self._deliverer.deliver(name, wanted.rows, send)
        step("part.delivered", **name.fields(receipt.delivery), rows=receipt.rows, sent_here=receipt.sent)
        return receipt

    def _import_path(self) -> tuple[Importing, Placing, Settling]:
        with self._lock:
            if self._opened is None:
                side = self._connections.import_side()
                work = ImportRun(
                    pipeline=self._pipeline,
                    space=self.destination.space,
                    ledger=self._ledger,
                    imports=self.imports,
                    deliveries=self.deliveries,
                    bucket=side.bucket,
                    jobs=side.jobs,
                    clock=self._connections.clock,
                    run_id=self._run_id,
                )
                importing = Importing(work)
                placing = Placing(work, importing)
                self._opened = importing, placing, Settling(work, placing)
        return self._opened
