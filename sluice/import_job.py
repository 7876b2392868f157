"""A person's look at the import job of a pipeline, and word on it."""

from __future__ import annotations

from typing import Any

from sluice.errors import NothingToResolve
from sluice.importing.jobs import Job, JobSpec
from sluice.ledger.imports import Generation
from sluice.run import Run

_LOOK = "See: sluice import-job FILE"


def describe(run: Run) -> dict[str, Any]:
    """Say which job reads the pipeline's files, how it stands, and where it is not as the pipeline file wants it."""
    newest = run.outbound.importing.newest()
    wanted = run.outbound.importing.spec(newest[1].prefix if newest else "")
    found: dict[str, Any] = {
        "path": run.pipeline.arize.path,
        "import_job": run.pipeline.arize.import_job,
        "wanted": _spec(wanted),
        "generation": newest[0] if newest else None,
        "job": None,
        "status": "none yet",
        "files": {},
        "differences": [],
    }
    if newest is None:
        return found
    record = run.outbound.imports.job(newest[0])
    job = run.outbound.importing.job_of(*newest)
    return found | {
        "job": record.job if record else None,
        "status": _status(job, is_known=record is not None, asks=run.outbound.importing.asks),
        "files": dict(job.counts) if job else {},
        "differences": _differences(wanted, job),
    }


def apply(run: Run) -> dict[str, Any]:
    """Bring the columns of the job to what the pipeline file wants.

    Raises:
        NothingToResolve: there is nothing to change, or Arize changes it in no job, or files still wait.
    """
    number, generation, job = _job(run)
    differences = run.outbound.importing.spec(generation.prefix).differences(job.spec)
    if not differences:
        raise NothingToResolve("The import job is as the pipeline file wants it", _LOOK)
    others = [what for what, _, _ in differences if not what.startswith("schema.")]
    if others:
        raise NothingToResolve(
            f"Of an import job only the columns can be changed, and here it is: {', '.join(others)}",
            "Begin another one: sluice import-job FILE --next",
        )
    if waiting := _waiting(run, generation):
        raise NothingToResolve(
            f"{waiting} files of the job wait, and would be read with the new columns", "First: sluice run FILE"
        )
    run.outbound.importing.change(job, generation)
    return {"generation": number, "job": job.id, "changed": [what for what, _, _ in differences]}


def say_made(run: Run) -> dict[str, Any]:
    """Take a person's word that the job of the newest generation is made, where nobody may ask Arize."""
    newest = run.outbound.importing.newest()
    if newest is None or run.outbound.imports.job(newest[0]) is not None:
        raise NothingToResolve("There is no import job to be made by a person", _LOOK)
    if run.outbound.importing.asks:
        raise NothingToResolve("With a developer key the next run finds the job by itself", "sluice run FILE")
    run.outbound.importing.say_made(*newest)
    return {"generation": newest[0], "prefix": newest[1].prefix}


def begin_next(run: Run) -> dict[str, Any]:
    """Leave the prefix of today behind, for good: later files go to another one, by another job."""
    number, generation = run.outbound.importing.begin_next()
    return {"generation": number, "prefix": generation.prefix, "bucket": generation.bucket}


def _job(run: Run) -> tuple[int, Generation, Job]:
    newest = run.outbound.importing.newest()
    job = run.outbound.importing.job_of(*newest) if newest else None
    if newest is None or job is None:
        raise NothingToResolve("There is no import job that Arize shows", _LOOK)
    return *newest, job


def _waiting(run: Run, generation: Generation) -> int:
    start = f"s3://{generation.bucket}/{generation.prefix}"
    waiting = (*(item.entry for item in run.ledger.state.open.values()), *run.ledger.waiting_slots())
    return sum((entry.destination.key or "").startswith(start) for entry in waiting)


def _status(job: Job | None, *, is_known: bool, asks: bool) -> str:
    if job is not None:
        return job.status
    if not is_known:
        return "not made yet"
    return "deleted" if asks else "not known: there is no developer key"


def _differences(wanted: JobSpec, job: Job | None) -> list[dict[str, str]]:
    found = wanted.differences(job.spec) if job else ()
    return [{"what": what, "wanted": should, "found": is_} for what, should, is_ in found]


def _spec(spec: JobSpec) -> dict[str, Any]:
    return {
        "space": spec.space,
        "model": spec.model,
        "type": spec.type,
        "environment": spec.environment,
        "bucket": spec.bucket,
        "prefix": spec.prefix,
        "schema": dict(spec.schema),
    }
