"""Jobs and files as the GraphQL schema has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from graphql import GraphQLError

from deployments.local.arize.imports.ids import FILE, cursor, global_id, number_after
from deployments.local.arize.imports.jobs import FileStatus, ImportFile, Job, Jobs, Refusal

_JOBS_A_PAGE = 10
_FILES_A_PAGE = 50


def space_node(jobs: Jobs, space_id: str) -> dict[str, Any]:
    """Show a space. Deleted jobs are not listed; the order is that of their making, which Arize does not promise."""

    def import_jobs(_: Any, first: int | None = None, after: str | None = None) -> dict[str, Any]:
        mine = [job for job in jobs.all() if job.space == space_id and job.status != "deleted"]
        return _connection(mine, lambda job: job_node(jobs, job), first, after, at_most=_JOBS_A_PAGE)

    return {"__typename": "Space", "id": space_id, "name": "local", "importJobs": import_jobs}


def job_node(jobs: Jobs, job: Job) -> dict[str, Any]:
    """Show a job as it is now. Files that were skipped or canceled are in none of its counts."""

    def total(status: FileStatus) -> Callable[[Any], int]:
        return lambda _: sum(file.status == status for file in jobs.files(job.number))

    def files(_: Any, first: int | None = None, status: str | None = None, after: str | None = None) -> dict[str, Any]:
        found = [file for file in jobs.files(job.number) if status in (None, file.status)]
        return _connection(found, file_node, first, after, at_most=_FILES_A_PAGE)

    return {
        "__typename": "FileImportJob",
        "id": job.global_id,
        "jobId": job.job_id,
        "jobStatus": job.status,
        "modelName": job.model,
        "modelType": job.model_type,
        "modelEnvironmentName": job.environment,
        "modelVersion": job.version,
        "batchId": job.batch_id,
        "blobStore": job.blob_store,
        "bucketName": job.bucket,
        "prefix": job.prefix,
        "schema": job.schema,
        "totalFilesPendingCount": total("PENDING"),
        "totalFilesSuccessCount": total("COMPLETE"),
        "totalFilesFailedCount": total("FAILED"),
        "createdAt": datetime.fromtimestamp(job.created_at, UTC).isoformat().replace("+00:00", "Z"),
        "files": files,
    }


def file_node(file: ImportFile) -> dict[str, Any]:
    return {
        "__typename": "ImportedFile",
        "id": global_id(FILE, file.job, file.number),
        "filePath": file.path,
        "status": file.status,
        "error": error_node(file.refusal),
    }


def error_node(refusal: Refusal | None) -> dict[str, Any] | None:
    return None if refusal is None else asdict(refusal)


def _connection(
    items: Sequence[Any],
    node: Callable[[Any], dict[str, Any]],
    first: int | None,
    after: str | None,
    *,
    at_most: int,
) -> dict[str, Any]:
    """Give one page of numbered items, which stay behind their cursors however the list changes."""
    if first is None or not 0 < first <= at_most:
        raise GraphQLError(f"set a page size: first must be given, and be from 1 to {at_most}")
    number = number_after(after)
    if number is None:
        raise GraphQLError("after is no cursor of this connection")
    rest: Iterable[Any] = (item for item in items if item.number > number)
    page = list(islice(rest, first + 1))
    shown = page[:first]
    return {
        "pageInfo": {
            "hasNextPage": len(page) > first,
            "endCursor": cursor(shown[-1].number) if shown else None,
        },
        "edges": [{"cursor": cursor(item.number), "node": node(item)} for item in shown],
    }
