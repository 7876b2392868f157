"""Import jobs by GraphQL: find, make, try out, read, change, and what became of their files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, get_args

from sluice.destinations.arize_words import without_values
from sluice.destinations.imports.files import ImportFiles
from sluice.destinations.imports.graphql import Graphql, NotFound, next_page
from sluice.errors import DestinationRefused
from sluice.importing.jobs import DryRun, FileStatus, Job, JobSpec, JobStatus, Status

_COUNTS: Final[dict[Status, str]] = {
    "pending": "totalFilesPendingCount",
    "complete": "totalFilesSuccessCount",
    "failed": "totalFilesFailedCount",
}


class ImportJobs:
    """The import jobs of one space, and their files.

    Args:
        columns: names that may be told where Arize says why a file was refused.
    """

    def __init__(self, graphql: Graphql, columns: Collection[str] = ()) -> None:
        self._graphql = graphql
        self._columns = columns
        self._files: dict[str, ImportFiles] = {}

    def at(self, space: str, bucket: str, prefix: str) -> tuple[str, ...]:
        """The ids of the jobs on a prefix that are not deleted: there should be one."""
        return tuple(
            node["id"]
            for node in self._jobs(space)
            if (node.get("bucketName"), node.get("prefix")) == (bucket, prefix) and _status(node) != "deleted"
        )

    def create(self, spec: JobSpec) -> str:
        """Make a job, and return its id.

        Raises:
            Unanswered: it may have been made; asking for it tells.
            Refused: Arize does not make it.
        """
        made = self._graphql.mutate("create_job", input=_input(spec) | {"dryRun": False})
        return str(made["createFileImportJob"]["fileImportJob"]["id"])

    def dry_run(self, spec: JobSpec, file: str) -> DryRun:
        """Let Arize look at a file without taking it.

        Args:
            spec: of a job on the prefix where the file is.
            file: its key in the bucket.
        """
        asked = self._graphql.mutate("dry_run", input=_input(spec) | {"dryRun": True, "fileName": file})
        result = asked["createFileImportJob"]["validationResult"]
        found = result["error"] if result else {}
        if found is None:  # the values of validationStatus are not documented
            return DryRun()
        words = without_values(str(found.get("message") or "no reason given"), self._columns)
        row = found.get("row")
        return DryRun(reason=words if row is None else f"{words} (row {int(row)})")

    def job(self, job: str) -> Job | None:
        """Read a job; None where there is none any more."""
        try:
            node = self._graphql.query("read_job", job=job)["node"]
        except NotFound:
            return None
        if not node or _status(node) == "deleted":
            return None
        spec = JobSpec(
            space="",
            model=node["modelName"],
            type=node["modelType"],
            environment=node["modelEnvironmentName"],
            bucket=node["bucketName"],
            prefix=node["prefix"],
            schema={name: column for name, column in (node["schema"] or {}).items() if column},
        )
        counts = {status: int(node[field] or 0) for status, field in _COUNTS.items()}
        return Job(id=node["id"], status=_status(node), spec=spec, counts=counts)

    def update(self, job: str, schema: Mapping[str, str]) -> None:
        self._graphql.mutate("update_schema", job=job, schema=dict(schema))

    def settled(self, job: Job, keys: Collection[str], last: FileStatus | None) -> Mapping[str, FileStatus]:
        """What became of some files of a job, by key; those that are not settled are left out."""
        if job.id not in self._files:
            self._files[job.id] = ImportFiles(self._graphql, job.id, self._columns, last)
        return self._files[job.id].settled(keys, job.counts)

    def _jobs(self, space: str) -> Iterator[dict[str, Any]]:
        after = None
        while True:
            try:
                node = self._graphql.query("find_jobs", space=space, after=after)["node"]
            except NotFound:
                node = None
            if not node:
                raise DestinationRefused(
                    f"Arize does not show the space {space} to the developer key", "Fix ARIZE_SPACE_ID, or the key"
                )
            page = node.get("importJobs") or {}
            yield from (edge["node"] for edge in page.get("edges", ()) if edge.get("node"))
            after = next_page(page)
            if after is None:
                return


def _status(node: dict[str, Any]) -> JobStatus:
    said = str(node.get("jobStatus") or "active").lower()
    return next((status for status in get_args(JobStatus) if status == said), "inactive")


def _input(spec: JobSpec) -> dict[str, Any]:
    return {
        "spaceId": spec.space,
        "modelName": spec.model,
        "modelType": spec.type,
        "modelEnvironmentName": spec.environment,
        "blobStore": "S3",
        "bucketName": spec.bucket,
        "prefix": spec.prefix,
        "schema": dict(spec.schema),
    }
