"""What the queries and mutations do.

Assumed, for no document says it:

- ``node`` and the mutations know a job by its global ``id``, not by its ``jobId``.
- ``node`` of a deleted job, or of anything unknown, is null; a mutation of it is an error NOT_FOUND.
- A job may be updated to active or inactive. The status failed is Arize's alone to set, and a job set to active leaves
  it; deleted is what the deletion sets.
- A schema given with an update is read by the files that are read from then on, the pending ones too.
- A job is made whether or not its bucket can be read. Arize's proof that the bucket is one's own is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError

from deployments.local.arize.imports.ids import FILE, JOB, numbers_of
from deployments.local.arize.imports.jobs import Job, Jobs, Refusal
from deployments.local.arize.imports.nodes import error_node, file_node, job_node, space_node

_OUTCOMES = {
    "score_categorical": ("predictionLabel", "predictionScore", "actualLabel", "actualScore", "shapValues"),
    "numeric": ("predictionLabel", "predictionScore", "actualLabel", "actualScore", "shapValues"),
    "ranking": ("rank", "relevanceScore", "relevanceLabel", "shapValues"),
    "multi_class": ("predictionScores", "actualScores", "shapValues"),
}
DryRun = Callable[[Job, str | None], tuple[str | None, Refusal | None]]


class Resolvers:
    """The roots of both operations; one lives for each server.

    dry_run tries a file for a job that is not made, and gives its path, and why it was refused.
    """

    def __init__(self, jobs: Jobs, *, space_id: str, clock: Callable[[], float], dry_run: DryRun) -> None:
        self._jobs = jobs
        self._space_id = space_id
        self._clock = clock
        self._dry_run = dry_run

    def node(self, _: Any, id: str) -> dict[str, Any] | None:
        if id == self._space_id:
            return space_node(self._jobs, self._space_id)
        if (job := self._job(id)) is not None:
            return job_node(self._jobs, job)
        if (numbers := numbers_of(FILE, id)) and len(numbers) == 2:
            found = (file for file in self._jobs.files(numbers[0]) if file.number == numbers[1])
            return next(map(file_node, found), None)
        return None

    def createFileImportJob(self, _: Any, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - GraphQL's name
        told = self._told(input)
        if input.get("dryRun"):
            path, refusal = self._dry_run(Job(number=0, job_id="", **told), input.get("fileName"))
            status = "FAILED" if refusal else "PASSED"
            return {"validationResult": {"validationStatus": status, "filePath": path, "error": error_node(refusal)}}
        return {"fileImportJob": job_node(self._jobs, self._jobs.add(**told))}

    def updateFileImportJob(self, _: Any, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - GraphQL's name
        job = self._known(input["jobId"])
        status = input.get("jobStatus") or job.status
        if status not in ("active", "inactive", job.status):
            raise _bad(f"jobStatus cannot be set to {status}")
        _check_outcome(job.model_type, input["schema"])
        changed = self._jobs.change(job.number, status=status, schema=_given(input["schema"]))
        return {"fileImportJob": job_node(self._jobs, changed)}

    def deleteFileImportJob(self, _: Any, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - GraphQL's name
        job = self._jobs.change(self._known(input["jobId"]).number, status="deleted")
        return {"fileImportJob": job_node(self._jobs, job)}

    def _told(self, input: Mapping[str, Any]) -> dict[str, Any]:
        if input["spaceId"] != self._space_id:
            raise GraphQLError("no such space", extensions={"code": "NOT_FOUND"})
        if input["blobStore"] != "S3":
            raise _bad(f"the stand-in reads no {input['blobStore']}: S3 alone")
        if input["modelEnvironmentName"] == "validation" and not input.get("batchId"):
            raise _bad("the environment validation needs a batchId")
        _check_outcome(input["modelType"], input["schema"])
        return {
            "created_at": self._clock(),
            "space": input["spaceId"],
            "model": input["modelName"],
            "model_type": input["modelType"],
            "environment": input["modelEnvironmentName"],
            "version": input.get("modelVersion"),
            "batch_id": input.get("batchId"),
            "blob_store": input["blobStore"],
            "bucket": input["bucketName"],
            "prefix": input["prefix"],
            "schema": _given(input["schema"]),
        }

    def _known(self, id: str) -> Job:
        job = self._job(id)
        if job is None:
            raise GraphQLError("no such import job", extensions={"code": "NOT_FOUND"})
        return job

    def _job(self, id: str) -> Job | None:
        numbers = numbers_of(JOB, id)
        job = self._jobs.get(numbers[0]) if numbers and len(numbers) == 1 else None
        return None if job is None or job.status == "deleted" else job


def _check_outcome(model_type: str, schema: Mapping[str, Any]) -> None:
    if model_type not in _OUTCOMES:
        raise _bad(f"the stand-in reads no {model_type}")
    if not any(schema.get(word) for word in _OUTCOMES[model_type]):
        raise _bad(f"the schema of a model of type {model_type} needs one of {', '.join(_OUTCOMES[model_type])}")


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was null or empty: it is as if it was not given."""
    return {word: value for word, value in schema.items() if value not in (None, "", [])}


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
