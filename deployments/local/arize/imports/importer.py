"""Look for new files and take them: each job lists its prefix, and reads what it has not seen before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.local.arize.faults import Script
from deployments.local.arize.imports.bucket import Buckets, BucketUnreadable, Listed, ObjectGone
from deployments.local.arize.imports.faults import ImporterFault
from deployments.local.arize.imports.jobs import ImportFile, Job, Jobs, Refusal
from deployments.local.arize.imports.mapping import FileRefused
from deployments.local.arize.imports.reading import Read, read_file, try_file
from deployments.local.arize.imports.settings import ImportSettings, ObjectStore
from deployments.local.arize.store import Call, Store

_UNTOLD = "the stand-in was not told which store to read: PUT /standin/objects"


class Importer:
    """Reads for all jobs, one look at a time, on a thread of its own and whenever it is told.

    troubles says of each job, by its number, why its last look could not be finished; its files stay as they are.
    """

    def __init__(
        self,
        jobs: Jobs,
        store: Store,
        script: Script[ImporterFault],
        *,
        settings: Callable[[], ImportSettings],
        clock: Callable[[], float],
        stored_clock: Callable[[], float],
    ) -> None:
        self.troubles: dict[int, str] = {}
        self._jobs = jobs
        self._store = store
        self._script = script
        self._settings = settings
        self._clock = clock
        self._stored_clock = stored_clock
        self._buckets: Buckets | None = None
        self._looking = threading.Lock()
        self._stopped = False
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._look_now_and_then, name="arize importer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for whoever else looks; what they have not begun to read stays pending."""
        self._stopped = True
        self._told.set()
        self._thread.join()
        with self.at_rest():
            pass

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let nobody look for as long as the block lives."""
        with self._looking:
            yield

    def tell(self) -> None:
        """Have the thread take note of new settings."""
        self._told.set()

    def read_from(self, store: ObjectStore) -> None:
        self._buckets = Buckets(store)

    def look(self) -> None:
        """Have every job list its prefix and take what is new, and return when all is settled that can be."""
        with self._looking:
            for job in self._jobs.all():
                if not self._stopped and job.status != "deleted":
                    self._look_for(job)

    def dry_run(self, job: Job, name: str | None) -> tuple[str | None, Refusal | None]:
        """Try the first rows of one file for a job that is not made: the named one, or the first under the prefix.

        Return the file's path, if there is one, and why it would be refused.
        """
        path = None
        try:
            chosen = self._chosen(job, name)
            path = chosen.key
            with self._copied(job, path, chosen.bytes) as copy:
                try_file(copy, job, now_s=self._clock(), max_past_days=self._settings().max_past_days)
        except FileRefused as refused:
            return path, refused.refusal
        except BucketUnreadable as exc:
            return path, Refusal(code="BUCKET_UNREADABLE", message=str(exc))
        return path, None

    def _look_now_and_then(self) -> None:
        while not self._stopped:
            self._told.clear()
            if not self._told.wait(self._settings().look_every_s or None):
                self.look()

    def _look_for(self, job: Job) -> None:
        fault, _ = self._script.pick(lambda fault: fault.matches_job(job))
        if fault is not None and fault.job_status is not None:
            job = self._jobs.change(job.number, status=fault.job_status)
        if job.status != "active":
            return
        try:
            self._jobs.see(job.number, ((found.key, found.bytes) for found in self._seen(job)))
            for file in self._jobs.files(job.number):
                if file.status == "PENDING" and not self._stopped:
                    self._settle(file)
        except BucketUnreadable as exc:
            self.troubles[job.number] = str(exc)
        else:
            self.troubles.pop(job.number, None)

    def _seen(self, job: Job) -> list[Listed]:
        lag, _ = self._script.pick(lambda fault: fault.matches_listing(job))
        youngest = self._stored_clock() - lag.seconds if lag else float("inf")
        return [found for found in self._bucket().listing(job.bucket, job.prefix) if found.modified_s <= youngest]

    def _settle(self, file: ImportFile) -> None:
        job = self._jobs.get(file.job)
        if job is None or job.status != "active":
            return
        fault, _ = self._script.pick(lambda fault: fault.matches_file(job, file.path))
        if fault is None:
            self._take(job, file)
        elif fault.file_status is not None:
            scripted = Refusal(code="SCRIPTED", message=fault.message, row=fault.row)
            self._jobs.refuse(file, fault.file_status, scripted)

    def _take(self, job: Job, file: ImportFile) -> None:
        body = self._store.incoming()
        now_s = self._clock()
        try:
            with self._copied(job, file.path, file.bytes) as copy:
                read = read_file(copy, body, job, now_s=now_s, max_past_days=self._settings().max_past_days)
        except FileRefused as refused:
            self._jobs.refuse(file, "FAILED", refused.refusal)
        else:
            self._jobs.take(file, _call(job, file, read, now_s), body)
        finally:
            body.unlink(missing_ok=True)

    def _chosen(self, job: Job, name: str | None) -> Listed:
        files = self._bucket().listing(job.bucket, job.prefix)
        if name is None:
            chosen = next(files, None)
        else:
            chosen = next((file for file in files if file.key in (name, job.prefix + name)), None)
        if chosen is None:
            what = f"no file {name}" if name else "no file at all"
            raise FileRefused("NO_FILE", f"there is {what} under s3://{job.bucket}/{job.prefix}")
        return chosen

    @contextmanager
    def _copied(self, job: Job, path: str, size: int) -> Iterator[Path]:
        """Copy an object beside the bodies that are being received, for as long as the block lives."""
        if size > (limit := self._settings().max_file_bytes):
            raise FileRefused("FILE_TOO_LARGE", f"the file has {size} bytes, and the limit is {limit}")
        copy = self._store.incoming()
        try:
            self._bucket().fetch(job.bucket, path, copy)
            yield copy
        except ObjectGone:
            raise FileRefused("FILE_GONE", "the file was listed, and is not there any more") from None
        finally:
            copy.unlink(missing_ok=True)

    def _bucket(self) -> Buckets:
        if self._buckets is None:
            raise BucketUnreadable(_UNTOLD)
        return self._buckets


def _call(job: Job, file: ImportFile, read: Read, now_s: float) -> Call:
    return Call(
        received_at=now_s,
        status=None,
        stored=True,
        bytes=file.bytes,
        rows=read.rows,
        space=job.space,
        model=job.model,
        version=job.version or "",
        versions=dict(read.versions),
        environment=job.environment,
        model_type=job.model_type,
        batch_id=job.batch_id or "",
        job=job.global_id,
        path=file.path,
        columns=read.columns,
        headers={},
    )
