"""The prefix that a pipeline's next file goes to, and the one import job that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sluice.clock import Clock, timestamp
from sluice.errors import (
    DestinationUnavailable,
    ImportJobDiffers,
    ImportJobGone,
    ImportJobMissing,
    ImportJobRefused,
    ImportJobTwice,
    WrongSettings,
)
from sluice.jobs import Job, Jobs, JobSpec, Refused, Unanswered
from sluice.ledger import Ledger
from sluice.ledger.imports import Generation, Imports, JobRecord
from sluice.pipeline import Pipeline
from sluice.steps import step
from sluice.store import Store, probe

FILES_A_GENERATION: Final = 2_000
_MAKING_S: Final = 60.0
By = Literal["made", "found", "person"]
_LOOK_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket that Arize reads.

    Attributes:
        prefix: ours in it; empty, or ending in a slash.
        store: of what is under that prefix.
    """

    name: str
    prefix: str
    store: Store

    def address(self, key: str) -> str:
        return f"s3://{self.name}/{self.prefix}{key}"

    def key_of(self, address: str) -> str | None:
        """The store's key of an address; None where it is of another bucket."""
        whole = f"s3://{self.name}/{self.prefix}"
        return address.removeprefix(whole) if address.startswith(whole) else None


class Importing:
    """Finds, or makes, the generation that takes a pipeline's next file.

    Args:
        jobs: None without a developer key: then nobody is asked, and a person says which job there is.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        space: str,
        ledger: Ledger,
        imports: Imports,
        bucket: Bucket,
        jobs: Jobs | None,
        clock: Clock,
        run: str,
    ) -> None:
        self._pipeline = pipeline
        self._space = space
        self._ledger = ledger
        self._imports = imports
        self._bucket = bucket
        self._jobs = jobs
        self._clock = clock
        self._run = run
        self._current: tuple[int, Generation] | None = None
        self._gone: set[int] = set()
        self._tried: set[int] = set()

    def check(self) -> Job | None:
        """Look at the job as it is, before anything is read; None where there is none yet, or nobody may ask.

        Raises:
            ImportJobDiffers: it is not as the pipeline file wants it.
            ImportJobMissing, ImportJobGone: a person has to make it.
            DestinationRefused: the developer key is not taken.
        """
        probe(self._bucket.store)
        if not self.is_managed:
            self._current = self._found_or_begun(lambda _: None)
        newest = self._fitting()
        record = self._imports.job(newest[0]) if newest else None
        if newest is None or record is None or self._jobs is None:
            if self._jobs is not None:
                self._jobs.at(self._space, self._bucket.name, "")  # is the key taken, and shown the space?
            return None
        job = self.job_of(*newest)
        if job is None:
            self._let_go(*newest)
        else:
            self._check(job, newest[1])
            self._current = newest
        return job

    def prefix(self, try_out: Callable[[JobSpec], None]) -> str:
        """Return the prefix, in our part of the bucket, that the next file goes to; one job reads it.

        Args:
            try_out: of a generation that has no file yet: lets Arize look at the file, and raises what it dislikes.
        """
        if self._current is None:
            self.check()
        if self._current is None or self._is_full(self._current[1]):
            self._current = self._found_or_begun(try_out)
        number, generation = self._current
        if generation.entry == self._ledger.next_number and number not in self._tried:
            try_out(self.spec(generation.prefix))
            self._tried.add(number)
        return self._current[1].prefix.removeprefix(self._bucket.prefix)

    @property
    def asks(self) -> bool:
        """Whether there is a developer key, and so somebody to ask."""
        return self._jobs is not None

    def job_of(self, number: int, generation: Generation) -> Job | None:
        """Read the job of a generation as it is now; None where it is gone, not made yet, or nobody may ask."""
        record = self._imports.job(number)
        if self._jobs is None or record is None:
            return None
        if record.job is not None:
            return self._jobs.job(record.job)
        # A person said that it was made, before there was a key to ask for it.
        found = self._jobs.at(generation.space, generation.bucket, generation.prefix)
        return self._jobs.job(found[0]) if len(found) == 1 else None

    def change(self, job: Job, generation: Generation) -> None:
        """Bring the columns of a job to what the pipeline file wants."""
        if self._jobs is not None:
            try:
                self._jobs.update(job.id, self.spec(generation.prefix).schema)
            except Refused as no:
                raise ImportJobRefused(f"Arize refuses to change the import job: {no.words}", "Fix it there") from None
            except Unanswered as silence:
                raise DestinationUnavailable(
                    f"Whether Arize changed the import job is not known ({silence.why})", "Look: sluice import-job FILE"
                ) from None

    def say_made(self, number: int, generation: Generation) -> None:
        """Take a person's word that the job of a generation is made."""
        self._know(number, generation, None, "person")

    def begin_next(self) -> tuple[int, Generation]:
        """Begin another generation, whatever becomes of the one before; its job is made by whoever makes jobs here."""
        self._begin(lambda _: None)
        self._tried.clear()
        newest = self._imports.newest()
        if newest is None:
            raise LookupError("a generation was begun")
        return newest

    def spec(self, prefix: str) -> JobSpec:
        return JobSpec.of(self._pipeline, space=self._space, bucket=self._bucket.name, prefix=prefix)

    def _found_or_begun(self, try_out: Callable[[JobSpec], None]) -> tuple[int, Generation]:
        while True:
            newest = self._fitting()
            if newest is not None and not self._is_full(newest[1]) and self._has_job(*newest):
                return newest
            self._begin(try_out)

    def _fitting(self) -> tuple[int, Generation] | None:
        """The newest generation, where it is of this very space, model and bucket."""
        newest = self._imports.newest()
        if newest is None:
            return None
        found, wanted = newest[1], self.spec(newest[1].prefix)
        mine = (wanted.space, wanted.model, wanted.type, wanted.environment, wanted.bucket)
        fits = mine == (found.space, found.model, found.type, found.environment, found.bucket)
        fits = fits and found.prefix.startswith(f"{self._bucket.prefix}import/")
        is_usable = fits and found.managed == self.is_managed and newest[0] not in self._gone
        return newest if is_usable else None

    def _begin(self, try_out: Callable[[JobSpec], None]) -> None:
        """Begin the next generation, unless another run is faster; who begins a managed one makes its job, once."""
        newest = self._imports.newest()
        number = (newest[0] if newest else 0) + 1
        while self._is_used(spec := self.spec(f"{self._bucket.prefix}{self._folder(number)}")):
            if self._imports.newest() != newest:
                return  # by another run, a moment ago
            number += 1
        try_out(spec)
        generation = Generation(
            bucket=spec.bucket,
            prefix=spec.prefix,
            managed=self.is_managed,
            space=spec.space,
            model=spec.model,
            type=spec.type,
            environment=spec.environment,
            schema=dict(spec.schema),
            entry=self._ledger.next_number,
            duration_s=_MAKING_S,
            written_at=self._now(),
            run=self._run,
        )
        began_s = self._clock.elapsed_s()
        if not self._imports.begin(number, generation):
            return
        step("import.begun", generation=number, prefix=spec.prefix)
        self._tried.add(number)
        if self.is_managed and self._clock.elapsed_s() - began_s < _MAKING_S:
            self._make(number, generation, spec)

    def _folder(self, number: int) -> str:
        return f"import/{self._ledger.state.ledger_id}/g{number}/"

    def _is_used(self, spec: JobSpec) -> bool:
        """Whether a prefix had files or a job before: a restored ledger may not know of it any more."""
        if any(True for _ in self._bucket.store.keys(spec.prefix.removeprefix(self._bucket.prefix))):
            return True
        return bool(self._jobs and self._jobs.at(spec.space, spec.bucket, spec.prefix))

    def _make(self, number: int, generation: Generation, spec: JobSpec) -> None:
        if self._jobs is None:
            raise WrongSettings("arize.import_job is managed, and there is no developer key", "Set ARIZE_DEVELOPER_KEY")
        try:
            job = self._jobs.create(spec)
        except Refused as no:
            raise ImportJobRefused(
                f"Arize refuses an import job for {spec.prefix}: {no.words}",
                "Fix what it names. If import jobs by GraphQL are not open to this account: arize.import_job: existing",
            ) from None
        except Unanswered as silence:
            step("import.unanswered", generation=number, why=silence.why)
            return  # asked for by its prefix
        self._know(number, generation, job, "made")

    def _has_job(self, number: int, generation: Generation) -> bool:
        """Whether a generation has its job; False where it will never have one, and its prefix is given up."""
        while self._imports.job(number) is None:
            found = self._jobs.at(self._space, generation.bucket, generation.prefix) if self._jobs else ()
            if len(found) > 1:
                raise ImportJobTwice(
                    f"{len(found)} import jobs read {generation.prefix}: all files would count {len(found)} times",
                    "Delete all but one of them in Arize",
                )
            if found:
                self._know(number, generation, found[0], "found")
            elif not generation.managed:
                raise self._missing(generation)
            elif self._imports.is_over(number, generation):
                # It was never made, or is made too late, on a prefix that stays empty.
                step("import.given_up", generation=number)
                return False
            else:
                self._clock.wait(_LOOK_AGAIN_S)
        return True

    def _missing(self, generation: Generation) -> ImportJobMissing:
        schema = ", ".join(f"{field}: {column}" for field, column in generation.schema_.items())
        told = "the next run finds it" if self._jobs else "then: sluice import-job FILE --made"
        return ImportJobMissing(
            f"Arize has no import job for s3://{generation.bucket}/{generation.prefix}",
            f"Make one in Arize, of model {generation.model} ({generation.type}, {generation.environment}), with this "
            f"bucket and prefix, and these columns: {schema}; {told}",
        )

    def _let_go(self, number: int, generation: Generation) -> None:
        """Where a job was deleted: a managed one is followed by a new generation, any other one a person makes."""
        if not generation.managed:
            raise ImportJobGone(
                f"The import job for s3://{generation.bucket}/{generation.prefix} was deleted in Arize",
                "Make another one on another prefix: sluice import-job FILE --next",
            )
        step("import.gone", generation=number)
        self._gone.add(number)

    def _check(self, job: Job, generation: Generation) -> None:
        wanted = self.spec(generation.prefix)
        differences = wanted.differences(job.spec)
        if differences:
            told = "; ".join(
                f"{name} is {is_ or 'not set'}, not {should or 'left out'}" for name, should, is_ in differences
            )
            raise ImportJobDiffers(
                f"The import job for {generation.prefix} is not as the pipeline file wants it: {told}",
                "Look at both; then: sluice import-job FILE --apply",
            )

    def _know(
        self, number: int, generation: Generation, job: str | None, by: Literal["made", "found", "person"]
    ) -> None:
        record = JobRecord(generation=generation.id, job=job, by=by, written_at=self._now(), run=self._run)
        self._imports.know_job(number, record)
        step("import.job", generation=number, job=job, by=by)

    def _is_full(self, generation: Generation) -> bool:
        return generation.managed and self._ledger.next_number - generation.entry >= FILES_A_GENERATION

    @property
    def is_managed(self) -> bool:
        return self._pipeline.arize.import_job == "managed"

    def _now(self) -> str:
        return timestamp(self._clock.epoch_s())
