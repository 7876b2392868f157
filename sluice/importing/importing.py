"""The prefix that a pipeline's next file goes to, and the one import job that reads it."""

from __future__ import annotations

from sluice.errors import DestinationUnavailable, ImportJobDiffers, ImportJobGone, ImportJobRefused
from sluice.importing.generations import Generations, Numbered, TryOut
from sluice.importing.jobs import Job, JobSpec, Refused, Unanswered
from sluice.importing.side import ImportRun
from sluice.ledger.imports import Generation
from sluice.steps import step
from sluice.store import probe


class Importing:
    """Where files go now, and whether the job that reads them is as the pipeline file wants it."""

    def __init__(self, work: ImportRun) -> None:
        self._work = work
        self._generations = Generations(work)
        self._current: Numbered | None = None

    def check(self) -> Job | None:
        """Look at the job as it is, before anything is read; None where there is none yet, or nobody may ask.

        Raises:
            ImportJobDiffers: it is not as the pipeline file wants it.
            ImportJobMissing, ImportJobGone: a person has to make it.
            DestinationRefused: the developer key is not taken.
        """
        probe(self._work.bucket.store)
        if not self._work.is_managed:
            self._current = self._generations.found_or_begun()
        newest = self._generations.fitting()
        record = self._work.imports.job(newest[0]) if newest else None
        if newest is None or record is None or self._work.jobs is None:
            if self._work.jobs is not None:
                # Is the key taken, and shown the space?
                self._work.jobs.at(self._work.space, self._work.bucket.name, "")
            return None
        job = self.job_of(*newest)
        if job is None:
            self._let_go(*newest)
        else:
            self._check(job, newest[1])
            self._current = newest
        return job

    def prefix(self, try_out: TryOut) -> str:
        """Return the prefix, in our part of the bucket, that the next file goes to; one job reads it.

        Args:
            try_out: of a generation that has no file yet: lets Arize look at the file, and raises what it dislikes.
        """
        if self._current is None:
            self.check()
        if self._current is None or self._generations.is_full(*self._current):
            self._current = self._generations.found_or_begun(try_out)
        self._generations.try_out_once(*self._current, try_out)
        self._generations.count(self._current[0])
        return self._current[1].prefix.removeprefix(self._work.bucket.prefix)

    def newest(self) -> Numbered | None:
        """The generation that takes the next file, unless its job turns out to be gone; None before the first."""
        return self._generations.fitting()

    @property
    def asks(self) -> bool:
        """Whether there is a developer key, and so somebody to ask."""
        return self._work.jobs is not None

    def spec(self, prefix: str) -> JobSpec:
        """The job that is to read a prefix of the bucket."""
        return self._work.spec(prefix)

    def job_of(self, number: int, generation: Generation) -> Job | None:
        """Read the job of a generation as it is now; None where it is gone, not made yet, or nobody may ask."""
        return self._work.job_of(number, generation)

    def change(self, job: Job, generation: Generation) -> None:
        """Bring the columns of a job to what the pipeline file wants."""
        if self._work.jobs is not None:
            try:
                self._work.jobs.update(job.id, self.spec(generation.prefix).schema)
            except Refused as no:
                raise ImportJobRefused(f"Arize refuses to change the import job: {no.words}", "Fix it there") from None
            except Unanswered as silence:
                raise DestinationUnavailable(
                    f"Whether Arize changed the import job is not known ({silence.why})", "Look: sluice import-job FILE"
                ) from None

    def say_made(self, number: int, generation: Generation) -> None:
        """Take a person's word that the job of a generation is made."""
        self._generations.know_job(number, generation, None, "person")

    def begin_next(self) -> Numbered:
        """Begin another generation, whatever becomes of the one before; its job is made by whoever makes jobs here."""
        self._generations.begin()
        begun = self._generations.fitting()
        if begun is None:
            raise LookupError("a generation was begun")
        return begun

    def _let_go(self, number: int, generation: Generation) -> None:
        """Where a job was deleted: a managed one is followed by a new generation, any other one a person makes."""
        if not generation.managed:
            raise ImportJobGone(
                f"The import job for s3://{generation.bucket}/{generation.prefix} was deleted in Arize",
                "Make another one on another prefix: sluice import-job FILE --next",
            )
        step("import.gone", generation=number)
        self._generations.let_go(number)

    def _check(self, job: Job, generation: Generation) -> None:
        differences = self.spec(generation.prefix).differences(job.spec)
        if differences:
            told = "; ".join(
                f"{name} is {is_ or 'not set'}, not {should or 'left out'}" for name, should, is_ in differences
            )
            raise ImportJobDiffers(
                f"The import job for {generation.prefix} is not as the pipeline file wants it: {told}",
                "Look at both; then: sluice import-job FILE --apply",
            )
