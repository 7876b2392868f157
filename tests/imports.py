"""A stand-in for Arize's import jobs over a bucket in memory, for proofs that need no server."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from sluice.errors import DestinationUnavailable
from sluice.importing.jobs import (
    DryRun,
    FileStatus,
    Job,
    JobSpec,
    JobStatus,
    Refused,
    SettledStatus,
    Status,
    Unanswered,
)
from sluice.importing.side import Bucket, ImportSide
from sluice.ledger.entries import Sealed
from tests.parts import MemoryStore
from tests.simulation import World, pause

BUCKET = "bucket"
OURS = "ours/"
Creation = Literal["made", "made, unanswered", "not made, unanswered", "refused"]


def file_of(entry: Sealed) -> str:
    """The key in the bucket of an entry's file; empty where it has none."""
    return (entry.destination.key or "").removeprefix(f"s3://{BUCKET}/")


class MemoryImports:
    """Jobs that read what is under their prefix: each path once for each job, so that two jobs import it twice.

    Leaves out: GraphQL, its limits, Parquet, pages, files that are listed late.

    Attributes:
        creations: what becomes of the next jobs that are to be made; made behind its end.
        verdicts: what becomes of the next files; complete behind its end.
        imported: job and path of each file that was taken.
        is_looking: whether jobs look for files whenever they are asked.
        store: of what is under our prefix of the bucket; `prefix` is that.
        dry_run_is_silent: whether a dry run has no answer.
        silent_after: so many questions about files are answered; None for all.
    """

    def __init__(self, world: World) -> None:
        self.store = MemoryStore(world)
        self.jobs: dict[str, tuple[JobSpec, JobStatus]] = {}
        self.files: dict[tuple[str, str], FileStatus] = {}
        self.creations: deque[Creation] = deque()
        self.verdicts: deque[SettledStatus] = deque()
        self.imported: list[tuple[str, str]] = []
        self.dry_run_says = ""
        self.dry_run_is_silent = False
        self.silent_after: int | None = None
        self.prefix = OURS
        self.is_looking = True
        self._numbers = itertools.count(1)

    def side(self, *, asks: bool = True) -> ImportSide:
        bucket = Bucket(name=BUCKET, prefix=self.prefix, store=self.store)
        return ImportSide(bucket=bucket, jobs=self if asks else None)

    def everything(self) -> list[str]:
        """What is in the bucket."""
        return sorted(self.prefix + key for key in self.store.objects)

    def look(self) -> None:
        """Every active job looks for files that it has not seen."""
        for job, (spec, status) in self.jobs.items():
            for key in self.everything():
                if status == "active" and key.startswith(spec.prefix) and (job, key) not in self.files:
                    said = self.verdicts.popleft() if self.verdicts else "complete"
                    self.files[job, key] = FileStatus(status=said, reason="" if said == "complete" else "bad column")
                    if said == "complete":
                        self.imported.append((job, key))

    def at(self, space: str, bucket: str, prefix: str) -> tuple[str, ...]:
        pause("arize jobs")
        return tuple(
            job
            for job, (spec, status) in self.jobs.items()
            if (spec.space, spec.bucket, spec.prefix) == (space, bucket, prefix) and status != "deleted"
        )

    def create(self, spec: JobSpec) -> str:
        pause("arize create")
        how = self.creations.popleft() if self.creations else "made"
        if how == "refused":
            raise Refused("not for this account")
        job = f"job {next(self._numbers)}"
        if how != "not made, unanswered":
            self.jobs[job] = spec, "active"
        pause("arize create done")
        if how != "made":
            raise Unanswered("ReadTimeout")
        return job

    def dry_run(self, spec: JobSpec, file: str) -> DryRun:
        pause("arize dry run")
        if self.dry_run_is_silent:
            raise Unanswered("ReadTimeout")
        assert file.startswith(spec.prefix)
        assert file in self.everything()
        return DryRun(reason=self.dry_run_says)

    def job(self, job: str) -> Job | None:
        pause("arize job")
        spec, status = self.jobs[job]
        counted = Counter(file.status for (of, _), file in self.files.items() if of == job)
        counts: dict[Status, int] = {"complete": counted["complete"], "failed": counted["failed"]}
        return None if status == "deleted" else Job(id=job, status=status, spec=spec, counts=counts)

    def update(self, job: str, schema: Mapping[str, str]) -> None:
        spec, status = self.jobs[job]
        self.jobs[job] = replace(spec, schema=schema), status

    def settled(self, job: Job, keys: Collection[str], last: FileStatus | None) -> dict[str, FileStatus]:
        pause("arize files")
        if self.is_looking:
            self.look()
        if self.silent_after is not None:
            if not self.silent_after:
                raise DestinationUnavailable("Arize is silent")
            self.silent_after -= 1
        return {key: self.files[job.id, key] for key in keys if (job.id, key) in self.files}

    def delete(self, job: str) -> None:
        self.jobs[job] = self.jobs[job][0], "deleted"
