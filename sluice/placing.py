"""The import path: an entry's file is put in its place, once, and settled when Arize says what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal

from sluice.clock import Clock, timestamp
from sluice.errors import (
    DestinationUnavailable,
    ImportFailed,
    ImportJobGone,
    ImportJobRefused,
    SluiceError,
    StagedFileDamaged,
    WrongSettings,
)
from sluice.importing import Bucket, Importing
from sluice.jobs import FileStatus, Job, Jobs, JobSpec, Refused, Unanswered
from sluice.ledger import entries
from sluice.ledger.deliveries import Deliveries, Delivery, End, Intent, Outcome, PartName, end_of, word_on_part
from sluice.ledger.imports import Imports
from sluice.offsets import OffsetRange
from sluice.receipts import Receipt
from sluice.steps import step

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a look at Arize's files came to.

    Attributes:
        receipts: of what is settled now.
        notes: what keeps Arize from looking, for people.
        problem: what a person must see to, or what kept us from asking.
    """

    receipts: tuple[Receipt, ...]
    notes: tuple[str, ...]
    problem: SluiceError | None


class Placing:
    """Puts files into the bucket that Arize reads, and asks what became of them.

    Nothing is overwritten and nothing deleted there, and nothing is there that is not sealed.

    Args:
        jobs: None without a developer key: then a file counts as placed, and nobody is asked.
    """

    def __init__(
        self,
        *,
        bucket: Bucket,
        importing: Importing,
        imports: Imports,
        deliveries: Deliveries,
        jobs: Jobs | None,
        space: str,
        clock: Clock,
        run: str,
    ) -> None:
        self._bucket = bucket
        self._importing = importing
        self._imports = imports
        self._deliveries = deliveries
        self._jobs = jobs
        self._clock = clock
        self._run = run
        self._last: dict[str, FileStatus] = {}
        self._space = space
        self._stopped: dict[str, str] = {}

    def address(self, entry_id: str, first: OffsetRange, file: Path, sha256: str) -> str:
        """Return where an entry's file will be: a function of the entry, in the generation of today.

        Raises:
            ImportJobRefused: Arize does not like the file, the first of its generation.
        """
        prefix = self._importing.prefix(lambda spec: self._try_out(spec, file, sha256))
        name = f"{first.partition.topic}-{first.partition.number}-{first.start:020}-{entry_id}.parquet"
        return self._bucket.address(prefix + name)

    def place(self, name: PartName, entry: entries.Sealed, file: Callable[[], Path]) -> Receipt:
        """Put an entry's file into its place unless it is there already, and return what is known of it.

        Args:
            file: gets a local copy of the staged one.

        Raises:
            ImportFailed: Arize looked at it before and did not take it.
            StagedFileDamaged: something else is there.
        """
        rows = entry.parts[name.part].rows
        known = self._deliveries.of(name)
        if end := end_of(known):
            return Receipt.of(name, end, rows, sent=False)
        if known and (last := known[-1].outcome) and last.kind == "refused":
            raise failed(name, last)
        is_here = not known
        if is_here:
            self._put(name, entry, file())
            known = self._deliveries.of(name)
        if self._jobs is not None:
            return Receipt.of_pending(name, sent=is_here)
        return self._conclude(name, rows, known, self._outcome(name, "placed"))

    def settle(self, parts: Mapping[PartName, entries.Sealed], patience_s: float) -> Settled:
        """Ask Arize what became of placed files, until all are settled or the time is over.

        Args:
            parts: that are placed and not settled, with their entries.
        """
        until_s, pause_s = self._clock.elapsed_s() + patience_s, _FIRST_PAUSE_S
        waiting, receipts, problems = dict(parts), list[Receipt](), list[SluiceError]()
        while waiting and self._jobs is not None:
            try:
                for name, said in self._look(self._jobs, waiting):
                    rows = waiting.pop(name).parts[name.part].rows
                    try:
                        receipts.append(self.conclude(name, rows, said))
                    except SluiceError as problem:
                        problems.append(problem)
            except SluiceError as silence:  # what was settled before holds
                problems.append(silence)
                break
            left_s = until_s - self._clock.elapsed_s()
            if not waiting or left_s <= 0:
                break
            self._clock.wait(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        notes = tuple(dict.fromkeys(self._stopped.values())) if waiting else ()
        return Settled(receipts=tuple(receipts), notes=notes, problem=next(iter(problems), None))

    def ask(self, name: PartName, entry: entries.Sealed) -> Outcome | None:
        """Ask what Arize says of one file now; None where it says nothing yet, or nobody may ask.

        Raises:
            ImportJobGone: nobody can say it any more.
        """
        said = dict(self._look(self._jobs, {name: entry})).get(name) if self._jobs else None
        if isinstance(said, SluiceError):
            raise said
        return said

    def conclude(self, name: PartName, rows: int, said: Outcome | SluiceError) -> Receipt:
        """Write down what Arize says of a file, unless it was written before, and return the receipt.

        Raises:
            ImportFailed: it was not taken.
        """
        if isinstance(said, SluiceError):
            raise said
        return self._conclude(name, rows, self._deliveries.of(name), said)

    def _conclude(self, name: PartName, rows: int, known: Sequence[Delivery], said: Outcome) -> Receipt:
        if end := end_of(known):
            return Receipt.of(name, end, rows, sent=False)
        last = known[-1]
        if last.outcome is not None and said.kind != "refused":
            last = self._again(name, last)  # it had failed, and has not any more
        if last.outcome is None:
            intent = last.intent.id
            last_said = self._deliveries.conclude(name, last.number, said.model_copy(update={"intent": intent}))
        else:
            last_said = last.outcome
        if last_said.kind == "refused":
            raise failed(name, last_said)
        step("part.settled", **name.fields(last.number), rows=rows, kind=last_said.kind)
        return Receipt.of(name, End(number=last.number, outcome=last_said, unknown=0), rows, sent=True)

    def _again(self, name: PartName, last: Delivery) -> Delivery:
        """Take the next number for what Arize says now, for what it said before stays on record."""
        self._deliveries.intend(name, last.number + 1, self._intent(name, last.intent.placed or ""))
        return self._deliveries.of(name)[-1]

    def _put(self, name: PartName, entry: entries.Sealed, file: Path) -> None:
        address, staged = entry.destination.key or "", entry.staged
        key = self._bucket.key_of(address)
        if key is None or staged is None:
            raise WrongSettings(
                f"Entry {name.entry} goes to {address}, and the import bucket is {self._bucket.address('')} here",
                "Name that bucket again until the entry is delivered",
            )
        self._bucket.store.put_file_once(key, file, staged.sha256)
        step("part.put", **name.fields(0))
        if not self._bucket.store.has_file(key, file, staged.sha256):
            raise StagedFileDamaged(
                f"{address} is not the file of entry {name.entry}", "Nobody else may write there; look at the bucket"
            )
        self._deliveries.intend(name, 0, self._intent(name, address))
        step("part.placed", **name.fields(0), rows=staged.rows)

    def _look(
        self, jobs: Jobs, parts: Mapping[PartName, entries.Sealed]
    ) -> Iterator[tuple[PartName, Outcome | SluiceError]]:
        """Ask once for every file; yield what is said, and of which files it never will be."""
        mine = {name: entry for name, entry in parts.items() if entry.destination.space == self._space}
        yield from ((name, self._elsewhere(name, parts[name])) for name in parts.keys() - mine.keys())
        for (bucket, prefix), names in _by_prefix(mine).items():
            job = self._job(prefix)
            self._note(prefix, job)
            if job is None:
                first = min(name.entry for name in names.values())
                gone = ImportJobGone(
                    f"The import job for s3://{bucket}/{prefix} is gone before all its files were settled",
                    f"Look in Arize whether it has the rows of entry {first}; then: "
                    f"{word_on_part(first, 0, 'delivered|resend|drop')}",
                )
                yield from ((name, gone) for name in names.values())
                continue
            last = self._last.get(prefix) or self._last_said(min(names.values(), key=attrgetter("entry")), prefix)
            for key, status in jobs.settled(job, names.keys(), last).items():
                self._last[prefix] = status
                kind: Literal["accepted", "refused"] = "accepted" if status.status == "complete" else "refused"
                yield names[key], self._outcome(names[key], kind, status, parts[names[key]])

    def _last_said(self, before: PartName, prefix: str) -> FileStatus | None:
        said = self._deliveries.last_file(before, prefix)
        return FileStatus(status="complete", page=said.page, counted=said.counted or 0) if said else None

    def _job(self, prefix: str) -> Job | None:
        number = int(prefix.rstrip("/").rpartition("/g")[2])
        return self._importing.job_of(number, self._imports.generation(number))

    def _note(self, prefix: str, job: Job | None) -> None:
        """Keep in mind what a person should hear of a job that does not look for files."""
        self._stopped.pop(prefix, None)
        if job is not None and job.status != "active":
            told = {"inactive": "is paused", "failed": "has failed"}.get(job.status, f"is {job.status}")
            self._stopped[prefix] = f"The import job for {prefix} {told} in Arize: its files wait there"
            step("import.stopped", status=job.status, prefix=prefix)

    def _elsewhere(self, name: PartName, entry: entries.Sealed) -> WrongSettings:
        return WrongSettings(
            f"{name} waits in the Arize space {entry.destination.space}, and the settings are of {self._space}",
            "Set the space and its developer key again until that entry is settled",
        )

    def _try_out(self, spec: JobSpec, file: Path, sha256: str) -> None:
        """Let Arize look at a copy of a file, on a prefix of its own."""
        if self._jobs is None:
            return
        folder = spec.prefix.removeprefix(self._bucket.prefix).replace("import/", "dry-run/", 1)
        key = f"{folder}{sha256[:32]}.parquet"
        self._bucket.store.put_file_once(key, file, sha256)
        in_bucket = self._bucket.prefix + key
        try:
            found = self._jobs.dry_run(spec.on(self._bucket.prefix + folder), in_bucket)
        except Unanswered as silence:
            raise DestinationUnavailable(f"Arize did not answer a dry run ({silence.why})", "Run again") from None
        except Refused as no:
            if self._importing.is_managed:
                raise ImportJobRefused(f"Arize refuses a dry run: {no.words}", "Fix what it names") from None
            step("import.not_tried_out", why=no.words)  # such mutations may not be open to the account
            return
        step("import.tried_out", refused=found.reason)
        if found.reason:
            raise ImportJobRefused(
                f"Arize's dry run refuses the first file ({in_bucket}): {found.reason}",
                "Fix the pipeline file; nothing of it was sealed",
            )

    def _intent(self, name: PartName, address: str) -> Intent:
        return Intent(entry_id=name.entry_id, run=self._run, duration_s=0, placed=address, written_at=self._now())

    def _outcome(
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
            written_at=self._now(),
        )

    def _now(self) -> str:
        return timestamp(self._clock.epoch_s())


def failed(name: PartName, outcome: Outcome) -> ImportFailed:
    """What a file is that Arize did not take, with the ways on that its status allows."""
    ways = word_on_part(name.entry, name.part, "delivered|drop")
    if outcome.file in ("failed", "canceled"):
        ways = f"{redelivery(name.entry)}, or: {word_on_part(name.entry, name.part, 'drop')}"
    return ImportFailed(
        f"{name}: Arize did not take its file: {outcome.file} {outcome.reason}".rstrip(), f"Then: {ways}"
    )


def redelivery(entry: int) -> str:
    """The command by which the rows of an entry go out once more, as another file."""
    return f"sluice resolve FILE --entry {entry} redeliver --reason …"


def _by_prefix(parts: Mapping[PartName, entries.Sealed]) -> dict[tuple[str, str], dict[str, PartName]]:
    """Group parts by the bucket and the prefix that their files are in; each with its key in the bucket."""
    found: dict[tuple[str, str], dict[str, PartName]] = {}
    for name, entry in parts.items():
        bucket, _, key = (entry.destination.key or "").removeprefix("s3://").partition("/")
        found.setdefault((bucket, key.rpartition("/")[0] + "/"), {})[key] = name
    return found
