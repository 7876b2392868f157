"""Import jobs and the files that they saw, kept through kill -9."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from deployments.local.arize.imports.ids import JOB, global_id
from deployments.local.arize.journal import Journal
from deployments.local.arize.store import Call, Store

JobStatus = Literal["active", "inactive", "failed", "deleted"]
FileStatus = Literal["PENDING", "COMPLETE", "FAILED", "SKIPPED", "CANCELED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job was told; schema holds the words of ``FileImportSchemaInputType`` that were given.

    number counts the jobs from 1 and is never given twice; created_at is in seconds since the epoch.
    """

    number: int
    job_id: str
    created_at: float
    status: JobStatus = "active"
    space: str
    model: str
    model_type: str
    environment: str
    version: str | None
    batch_id: str | None
    blob_store: str
    bucket: str
    prefix: str
    schema: Mapping[str, Any]

    @property
    def global_id(self) -> str:
        return global_id(JOB, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a file was not taken. row counts from 1 in the file."""

    code: str
    message: str
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFile:
    """One path that one job saw. number counts the job's files from 1, in the order in which it saw them."""

    job: int
    number: int
    path: str
    bytes: int
    status: FileStatus = "PENDING"
    refusal: Refusal | None = None


class Jobs:
    """All jobs, and each one's files by their path: a path that is here is never new to that job again.

    That a file is COMPLETE is not written here: it is when the store keeps its rows, so never one without the other.
    """

    def __init__(self, directory: Path, store: Store) -> None:
        self._lock = threading.RLock()
        self._store = store
        self._jobs: dict[int, Job] = {}
        self._files: dict[int, dict[str, ImportFile]] = {}
        self._next = 1
        self._journal = Journal(directory / "imports.jsonl")
        for line in self._journal.replay():
            self._replay(line)

    def all(self) -> list[Job]:
        """Give the jobs in the order in which they were made, the deleted ones too."""
        with self._lock:
            return list(self._jobs.values())

    def get(self, number: int) -> Job | None:
        with self._lock:
            return self._jobs.get(number)

    def add(self, **told: Any) -> Job:
        with self._lock:
            job = Job(number=self._next, job_id=uuid.uuid4().hex, **told)
            self._keep(job)
            return job

    def change(self, number: int, **changes: Any) -> Job:
        with self._lock:
            job = replace(self._jobs[number], **changes)
            self._keep(job)
            return job

    def files(self, number: int) -> list[ImportFile]:
        """Give a job's files in the order in which it saw them."""
        with self._lock:
            return [self._settled(file) for file in self._files.get(number, {}).values()]

    def see(self, number: int, found: Iterable[tuple[str, int]]) -> None:
        """Write down the paths, with their sizes, that are new to a job."""
        with self._lock:
            files = self._files.setdefault(number, {})
            new = [
                ImportFile(job=number, number=len(files) + at, path=path, bytes=size)
                for at, (path, size) in enumerate(((p, s) for p, s in found if p not in files), start=1)
            ]
            self._write(*({"file": asdict(file)} for file in new))
            files.update((file.path, file) for file in new)

    def refuse(self, file: ImportFile, status: FileStatus, refusal: Refusal) -> None:
        """End a file without its rows."""
        with self._lock:
            if self._is_open(file):
                ended = replace(file, status=status, refusal=refusal)
                self._write({"file": asdict(ended)})
                self._files[file.job][file.path] = ended

    def take(self, file: ImportFile, call: Call, body: Path) -> None:
        """Keep a file's rows, by which it is COMPLETE; not if its job was stopped meanwhile."""
        with self._lock:
            if self._is_open(file):
                self._store.record(call, body)
            else:
                body.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget every job and file; numbers go on."""
        with self._lock:
            self._journal.clear()
            self._jobs.clear()
            self._files.clear()

    def close(self) -> None:
        with self._lock:
            self._journal.close()

    def _is_open(self, file: ImportFile) -> bool:
        job = self._jobs.get(file.job)
        return job is not None and job.status == "active" and file.path in self._files.get(file.job, {})

    def _settled(self, file: ImportFile) -> ImportFile:
        taken = file.status == "PENDING" and self._store.imported(self._jobs[file.job].global_id, file.path) is not None
        return replace(file, status="COMPLETE") if taken else file

    def _keep(self, job: Job) -> None:
        self._write({"job": asdict(job)})
        self._jobs[job.number] = job
        self._next = max(self._next, job.number + 1)

    def _write(self, *lines: dict[str, Any]) -> None:
        if lines:
            self._journal.write(*lines, durable=True)

    def _replay(self, line: dict[str, Any]) -> None:
        if "job" in line:
            job = Job(**line["job"])
            self._jobs[job.number] = job
            self._next = max(self._next, job.number + 1)
            return
        told = line["file"]
        refusal = told.pop("refusal")
        file = ImportFile(**told, refusal=refusal and Refusal(**refusal))
        self._files.setdefault(file.job, {})[file.path] = file
