"""Ask Arize what became of the files that are in their places, until it has said so or time is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Literal

from sluice.errors import ImportJobGone, SluiceError, WrongSettings
from sluice.importing.jobs import FileStatus, Job, Jobs
from sluice.importing.placing import Placing
from sluice.importing.side import ImportRun
from sluice.ledger import entries
from sluice.ledger.deliveries import Outcome, PartName, word_on_part
from sluice.ledger.names import EntryName, parts_of
from sluice.receipts import Receipt
from sluice.steps import step

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
Parts = Mapping[PartName, entries.Sealed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a look at Arize's files came to.

    Attributes:
        receipts: of what is settled now.
        notes: what keeps Arize from looking, for people.
        problem: what a person must see to, or what kept us from asking.
        failed: of which files a person must see to what.
    """

    receipts: tuple[Receipt, ...]
    notes: tuple[str, ...]
    problem: SluiceError | None
    failed: tuple[tuple[EntryName, SluiceError], ...] = ()


class Settling:
    """Follows files by their paths."""

    def __init__(self, work: ImportRun, placing: Placing) -> None:
        self._work = work
        self._placing = placing
        self._last: dict[str, FileStatus] = {}
        self._stopped: dict[str, str] = {}

    def settle(self, parts: Parts, patience_s: float) -> Settled:
        """Ask Arize what became of placed files, until all are settled or the time is over.

        Args:
            parts: that are placed and not settled, with their entries.
        """
        clock = self._work.clock
        until_s, pause_s = clock.elapsed_s() + patience_s, _FIRST_PAUSE_S
        waiting, receipts, problems = dict(parts), list[Receipt](), list[SluiceError]()
        failed: list[tuple[EntryName, SluiceError]] = []
        while waiting and self._work.jobs is not None:
            try:
                for name, said in self._look(self._work.jobs, waiting):
                    rows = waiting.pop(name).parts[name.part].rows
                    try:
                        receipts.append(self._placing.conclude(name, rows, said))
                    except SluiceError as problem:
                        problems.append(problem)
                        failed.append((name.entry, problem))
            except SluiceError as silence:  # what was settled before holds
                problems.append(silence)
                break
            left_s = until_s - clock.elapsed_s()
            if not waiting or left_s <= 0:
                break
            clock.wait(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        notes = tuple(dict.fromkeys(self._stopped.values())) if waiting else ()
        first = next(iter(problems), None)
        return Settled(receipts=tuple(receipts), notes=notes, problem=first, failed=tuple(failed))

    def ask(self, name: PartName, entry: entries.Sealed) -> Outcome | None:
        """Ask what Arize says of one file now; None where it says nothing yet, or nobody may ask.

        Raises:
            ImportJobGone: nobody can say it any more.
        """
        jobs = self._work.jobs
        said = dict(self._look(jobs, {name: entry})).get(name) if jobs else None
        if isinstance(said, SluiceError):
            raise said
        return said

    def _look(self, jobs: Jobs, parts: Parts) -> Iterator[tuple[PartName, Outcome | SluiceError]]:
        """Ask once for every file; yield what is said, and of which files it never will be."""
        mine = {name: entry for name, entry in parts.items() if entry.destination.space == self._work.space}
        yield from ((name, self._elsewhere(name, parts[name])) for name in parts.keys() - mine.keys())
        for (bucket, prefix), names in _by_prefix(mine).items():
            job = self._job(prefix)
            self._note(prefix, job)
            if job is None:
                yield from ((name, _gone(bucket, prefix, names)) for name in names.values())
                continue
            last = self._last.get(prefix) or self._last_said(min(names.values(), key=attrgetter("entry")), prefix)
            for key, status in jobs.settled(job, names.keys(), last).items():
                self._last[prefix] = status
                kind: Literal["accepted", "refused"] = "accepted" if status.status == "complete" else "refused"
                yield names[key], self._placing.outcome(names[key], kind, status, parts[names[key]])

    def _last_said(self, first: PartName, prefix: str) -> FileStatus | None:
        """What Arize said of the newest file that is before all that are asked for: theirs are not on earlier pages.

        Slots of a claim are placed in any order, by several runs: theirs may be anywhere behind what was there before
        the claim.
        """
        said = self._work.deliveries.last_file(parts_of(first.entry)[0], prefix)
        return FileStatus(status="complete", page=said.page, counted=said.counted or 0) if said else None

    def _job(self, prefix: str) -> Job | None:
        number = int(prefix.rstrip("/").rpartition("/g")[2])
        return self._work.job_of(number, self._work.imports.generation(number))

    def _note(self, prefix: str, job: Job | None) -> None:
        """Keep in mind what a person should hear of a job that does not look for files."""
        self._stopped.pop(prefix, None)
        if job is not None and job.status != "active":
            told = {"inactive": "is paused", "failed": "has failed"}.get(job.status, f"is {job.status}")
            self._stopped[prefix] = f"The import job for {prefix} {told} in Arize: its files wait there"
            step("import.stopped", status=job.status, prefix=prefix)

    def _elsewhere(self, name: PartName, entry: entries.Sealed) -> WrongSettings:
        return WrongSettings(
            f"{name} waits in the Arize space {entry.destination.space}, and the settings are of {self._work.space}",
            "Set the space and its developer key again until that entry is settled",
        )


def _gone(bucket: str, prefix: str, names: Mapping[str, PartName]) -> ImportJobGone:
    first = min(name.entry for name in names.values())
    return ImportJobGone(
        f"The import job for s3://{bucket}/{prefix} is gone before all its files were settled",
        f"Look in Arize whether it has the rows of entry {first}; then: "
        f"{word_on_part(first, 0, 'delivered|resend|drop')}",
    )


def _by_prefix(parts: Parts) -> dict[tuple[str, str], dict[str, PartName]]:
    """Group parts by the bucket and the prefix that their files are in; each with its key in the bucket."""
    found: dict[tuple[str, str], dict[str, PartName]] = {}
    for name, entry in parts.items():
        bucket, _, key = (entry.destination.key or "").removeprefix("s3://").partition("/")
        found.setdefault((bucket, key.rpartition("/")[0] + "/"), {})[key] = name
    return found
