"""An entry's file is put in its place, once, and what Arize says of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from sluice.errors import SluiceError, StagedFileDamaged, WrongSettings
from sluice.importing.failures import failure_of
from sluice.importing.importing import Importing
from sluice.importing.jobs import FileStatus
from sluice.importing.side import ImportRun
from sluice.importing.trying_out import try_out
from sluice.ledger import entries
from sluice.ledger.deliveries import Delivery, End, Intent, Outcome, PartName, end_of
from sluice.offsets import OffsetRange
from sluice.receipts import Receipt
from sluice.steps import step
from sluice.store import sha256_of


class Placing:
    """Puts files into the bucket that Arize reads.

    Nothing is overwritten and nothing deleted there, and nothing is there that is not sealed.
    """

    def __init__(self, work: ImportRun, importing: Importing) -> None:
        self._work = work
        self._importing = importing

    def address(self, entry_id: str, first: OffsetRange, file: Path, sha256: str) -> str:
        """Return where an entry's file will be: a function of the entry, in the generation of today.

        Raises:
            ImportJobRefused: Arize does not like the file, the first of its generation.
        """
        prefix = self._importing.prefix(partial(try_out, self._work, file=file, sha256=sha256))
        name = f"{first.partition.topic}-{first.partition.number}-{first.start:020}-{entry_id}.parquet"
        return self._work.bucket.address(prefix + name)

    def place(self, name: PartName, entry: entries.Sealed, file: Callable[[], Path]) -> Receipt:
        """Put an entry's file into its place unless it is there already, and return what is known of it.

        Args:
            file: gets a local copy of the staged one.

        Raises:
            ImportFailed: Arize looked at it before and did not take it.
            StagedFileDamaged: something else is there.
        """
        rows = entry.parts[name.part].rows
        known = self._work.deliveries.of(name)
        if end := end_of(known):
            return Receipt.of(name, end, rows, sent=False)
        if failure := failure_of(name, known):
            raise failure
        is_here = not known
        if is_here:
            self._put(name, entry, file())
            known = self._work.deliveries.of(name)
        if self._work.jobs is not None:
            return Receipt.of_pending(name, sent=is_here)
        return self._conclude(name, rows, known, self.outcome(name, "placed"))

    def conclude(self, name: PartName, rows: int, said: Outcome | SluiceError) -> Receipt:
        """Write down what Arize says of a file, unless it was written before, and return the receipt.

        Raises:
            ImportFailed: it was not taken.
        """
        if isinstance(said, SluiceError):
            raise said
        return self._conclude(name, rows, self._work.deliveries.of(name), said)

    def outcome(
        self,
        name: PartName,
        kind: Literal["accepted", "refused", "placed"],
        status: FileStatus | None = None,
        entry: entries.Sealed | None = None,
    ) -> Outcome:
        """An outcome whose delivery is not known yet."""
        return Outcome(
            kind=kind,
            entry_id=name.entry_id,
            intent="",
            rows=entry.parts[name.part].rows if entry is not None and kind == "accepted" else None,
            reason=status.reason if status and kind == "refused" else "",
            file=status.status if status else None,
            page=status.page if status else None,
            counted=status.counted if status else None,
            written_at=self._work.now(),
        )

    def _conclude(self, name: PartName, rows: int, known: Sequence[Delivery], said: Outcome) -> Receipt:
        if end := end_of(known):
            return Receipt.of(name, end, rows, sent=False)
        if known[-1].outcome is not None and said.kind != "refused":
            known = self._again(name, known)  # it had failed, and has not any more
        last = known[-1]
        told = said.model_copy(update={"intent": last.intent.id})
        outcome = last.outcome or self._work.deliveries.conclude(name, last.number, told)
        if failure := failure_of(name, (*known[:-1], replace(last, outcome=outcome))):
            raise failure
        step("part.settled", **name.fields(last.number), rows=rows, kind=outcome.kind)
        return Receipt.of(name, End(number=last.number, outcome=outcome, unknown=0), rows, sent=True)

    def _again(self, name: PartName, known: Sequence[Delivery]) -> Sequence[Delivery]:
        """Take the next number for what Arize says now, for what it said before stays on record."""
        address = next((item.intent.placed for item in known if item.intent.placed), "")
        self._work.deliveries.intend(name, known[-1].number + 1, self._intent(name, address))
        return self._work.deliveries.of(name)

    def _put(self, name: PartName, entry: entries.Sealed, file: Path) -> None:
        bucket, address, staged = self._work.bucket, entry.destination.key or "", entry.staged
        key = bucket.key_of(address)
        if key is None or staged is None:
            raise WrongSettings(
                f"Entry {name.entry} goes to {address}, and the import bucket is {bucket.address('')} here",
                "Name that bucket again until the entry is delivered",
            )
        sha256 = staged.sha256 if entry.unsent is None else sha256_of(file)
        bucket.store.put_file_once(key, file, sha256)
        step("part.put", **name.fields(0))
        if not bucket.store.has_file(key, file, sha256):
            raise StagedFileDamaged(
                f"{address} is not the file of entry {name.entry}", "Nobody else may write there; look at the bucket"
            )
        self._work.deliveries.intend(name, 0, self._intent(name, address))
        step("part.placed", **name.fields(0), rows=entry.rows_sent)

    def _intent(self, name: PartName, address: str) -> Intent:
        work = self._work
        return Intent(entry_id=name.entry_id, run=work.run_id, duration_s=0, placed=address, written_at=work.now())
