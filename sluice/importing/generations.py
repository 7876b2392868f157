"""Generations of a pipeline's prefixes: each is read by one import job for ever, and that job is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from sluice.errors import ImportJobMissing, ImportJobRefused, ImportJobTwice, WrongSettings
from sluice.importing.jobs import JobSpec, Refused, Unanswered
from sluice.importing.side import ImportRun
from sluice.ledger.imports import Generation, JobRecord
from sluice.steps import step

FILES_A_GENERATION: Final = 2_000
_MAKING_S: Final = 60.0
_LOOK_AGAIN_S: Final = 1.0
Numbered = tuple[int, Generation]
TryOut = Callable[[JobSpec], None]


class Generations:
    """Finds the generation that takes a pipeline's next file, or begins it."""

    def __init__(self, work: ImportRun) -> None:
        self._work = work
        self._gone: set[int] = set()
        self._tried: set[int] = set()
        self._files: dict[int, int] = {}

    def found_or_begun(self, try_out: TryOut | None = None) -> Numbered:
        """Return the newest one that fits, if it has room and its job; begin others until there is one.

        Args:
            try_out: lets Arize look at the first file of one before it is begun, and raises what it dislikes; None
                where there is no file yet.
        """
        while True:
            seen = self._work.imports.newest()
            newest = self.fitting()
            if newest is not None and not self.is_full(*newest) and self._has_job(*newest):
                return newest
            self._begin_behind(seen, try_out)

    def fitting(self) -> Numbered | None:
        """The newest generation of this very space, model and bucket: no earlier one is ever taken up again.

        Others may be newer: those of another model, to which a backfill or a replay went.
        """
        found = self._work.imports.newest_where(self._fits)
        return found if found is not None and found[0] not in self._gone else None

    def begin(self, try_out: TryOut | None = None) -> None:
        """Begin the next generation, unless another run is faster; who begins a managed one makes its job, once."""
        self._begin_behind(self._work.imports.newest(), try_out)

    def _begin_behind(self, seen: Numbered | None, try_out: TryOut | None) -> None:
        """Begin the next one behind the newest that was seen; one that another run began meanwhile may do."""
        number = (seen[0] if seen else 0) + 1
        while self._is_used(spec := self._spec(number)):
            if self._work.imports.newest() != seen:
                return  # by another run, a moment ago
            number += 1
        if try_out is not None:
            try_out(spec)
            self._tried.add(number)
        generation = self._generation(spec)
        began_s = self._work.clock.elapsed_s()
        if not self._work.imports.begin(number, generation):
            return
        step("import.begun", generation=number, prefix=spec.prefix)
        if generation.managed and self._work.clock.elapsed_s() - began_s < _MAKING_S:
            self._make(number, generation, spec)

    def try_out_once(self, number: int, generation: Generation, try_out: TryOut) -> None:
        """Try out the first file of a generation, unless that was done before it was begun."""
        if generation.entry == self._work.ledger.next_number and number not in self._tried:
            try_out(self._work.spec(generation.prefix))
            self._tried.add(number)

    def is_full(self, number: int, generation: Generation) -> bool:
        """Whether a prefix has as many files as it takes. What others place during this run is not counted."""
        if not generation.managed:
            return False
        if number not in self._files:
            keys = self._work.bucket.store.keys(generation.prefix.removeprefix(self._work.bucket.prefix))
            self._files[number] = sum(1 for _ in keys)
        return self._files[number] >= FILES_A_GENERATION

    def count(self, number: int) -> None:
        """Count one more file that goes to a prefix."""
        self._files[number] = self._files.get(number, 0) + 1

    def let_go(self, number: int) -> None:
        """Never take this one again: its job is gone."""
        self._gone.add(number)

    def know_job(
        self, number: int, generation: Generation, job: str | None, by: Literal["made", "found", "person"]
    ) -> None:
        work = self._work
        record = JobRecord(generation=generation.id, job=job, by=by, written_at=work.now(), run=work.run_id)
        work.imports.know_job(number, record)
        step("import.job", generation=number, job=job, by=by)

    def _fits(self, found: Generation) -> bool:
        wanted = self._work.spec(found.prefix)
        mine = (wanted.space, wanted.model, wanted.type, wanted.environment, wanted.bucket)
        is_same = mine == (found.space, found.model, found.type, found.environment, found.bucket)
        is_ours = found.prefix.startswith(f"{self._work.bucket.prefix}import/")
        return is_same and is_ours and found.managed == self._work.is_managed

    def _generation(self, spec: JobSpec) -> Generation:
        return Generation(
            bucket=spec.bucket,
            prefix=spec.prefix,
            managed=self._work.is_managed,
            space=spec.space,
            model=spec.model,
            type=spec.type,
            environment=spec.environment,
            schema=dict(spec.schema),
            entry=self._work.ledger.next_number,
            duration_s=_MAKING_S,
            written_at=self._work.now(),
            run=self._work.run_id,
        )

    def _spec(self, number: int) -> JobSpec:
        return self._work.spec(f"{self._work.bucket.prefix}import/{self._work.ledger.state.ledger_id}/g{number}/")

    def _is_used(self, spec: JobSpec) -> bool:
        """Whether a prefix had files or a job before: a restored ledger may not know of it any more."""
        bucket, jobs = self._work.bucket, self._work.jobs
        if any(True for _ in bucket.store.keys(spec.prefix.removeprefix(bucket.prefix))):
            return True
        return bool(jobs and jobs.at(spec.space, spec.bucket, spec.prefix))

    def _make(self, number: int, generation: Generation, spec: JobSpec) -> None:
        if self._work.jobs is None:
            raise WrongSettings("arize.import_job is managed, and there is no developer key", "Set ARIZE_DEVELOPER_KEY")
        try:
            job = self._work.jobs.create(spec)
        except Refused as no:
            raise ImportJobRefused(
                f"Arize refuses an import job for {spec.prefix}: {no.words}",
                "Fix what it names. If import jobs by GraphQL are not open to this account: arize.import_job: existing",
            ) from None
        except Unanswered as silence:
            step("import.unanswered", generation=number, why=silence.why)
            return  # asked for by its prefix
        self.know_job(number, generation, job, "made")

    def _has_job(self, number: int, generation: Generation) -> bool:
        """Whether a generation has its job; False where it will never have one, and its prefix is given up."""
        imports, jobs = self._work.imports, self._work.jobs
        while imports.job(number) is None:
            found = jobs.at(self._work.space, generation.bucket, generation.prefix) if jobs else ()
            if len(found) > 1:
                raise ImportJobTwice(
                    f"{len(found)} import jobs read {generation.prefix}: all files would count {len(found)} times",
                    "Delete all but one of them in Arize",
                )
            if found:
                self.know_job(number, generation, found[0], "found")
            elif not generation.managed:
                raise self._missing(generation)
            elif imports.is_over(number, generation):
                # It was never made, or is made too late, on a prefix that stays empty.
                step("import.given_up", generation=number)
                return False
            else:
                self._work.clock.wait(_LOOK_AGAIN_S)
        return True

    def _missing(self, generation: Generation) -> ImportJobMissing:
        schema = ", ".join(f"{field}: {column}" for field, column in generation.schema_.items())
        told = "the next run finds it" if self._work.jobs else "then: sluice import-job FILE --made"
        return ImportJobMissing(
            f"Arize has no import job for s3://{generation.bucket}/{generation.prefix}",
            f"Make one in Arize, of model {generation.model} ({generation.type}, {generation.environment}), with this "
            f"bucket and prefix, and these columns: {schema}; {told}",
        )
