"""The import side whole: jobs, importer and GraphQL server, and what the stand-in's own routes ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deployments.local.arize.faults import Script
from deployments.local.arize.imports.answering import GraphqlServer
from deployments.local.arize.imports.faults import GraphqlFault, ImporterFault
from deployments.local.arize.imports.importer import Importer
from deployments.local.arize.imports.jobs import FileStatus, ImportFile, Job, Jobs
from deployments.local.arize.imports.resolvers import Resolvers
from deployments.local.arize.imports.settings import ImportSettings, ObjectStore
from deployments.local.arize.store import Store

_COUNTED: tuple[FileStatus, ...] = ("PENDING", "COMPLETE", "FAILED", "SKIPPED", "CANCELED")


class ImportSide:
    """Lives as long as its server; it shares the server's store and clock. stored_clock is that of the bucket."""

    def __init__(
        self,
        directory: Path,
        store: Store,
        *,
        space_id: str,
        developer_key: str,
        clock: Callable[[], float],
        stored_clock: Callable[[], float],
        settings: ImportSettings,
        objects: ObjectStore | None,
    ) -> None:
        self.settings = settings
        self.graphql_script: Script[GraphqlFault] = Script()
        self.importer_script: Script[ImporterFault] = Script()
        self._store = store
        self._jobs = Jobs(directory, store)
        self.importer = Importer(
            self._jobs,
            store,
            self.importer_script,
            settings=lambda: self.settings,
            clock=clock,
            stored_clock=stored_clock,
        )
        if objects is not None:
            self.importer.read_from(objects)
        self.graphql = GraphqlServer(
            Resolvers(self._jobs, space_id=space_id, clock=clock, dry_run=self.importer.dry_run),
            self.graphql_script,
            developer_key=developer_key,
            settings=lambda: self.settings,
            clock=clock,
        )
        self.importer.start()

    def configure(self, changes: dict[str, Any]) -> ImportSettings:
        """Change some settings. Raises: pydantic.ValidationError."""
        self.settings = ImportSettings.model_validate({**self.settings.model_dump(), **changes})
        self.importer.tell()
        return self.settings

    def jobs(self) -> list[dict[str, Any]]:
        """Show every job, the deleted ones too, with its files counted by status and what stopped its last look."""
        return [self._shown(job) for job in self._jobs.all()]

    def files(self, job_id: str | None = None) -> list[dict[str, Any]]:
        """Show the files of one job (by its global id) or of all, in the order in which they were seen."""
        jobs = [job for job in self._jobs.all() if job_id in (None, job.global_id)]
        return [self._shown_file(job, file) for job in jobs for file in self._jobs.files(job.number)]

    def clear(self) -> None:
        """Forget every job and file, and with them all rows that the store keeps."""
        with self.importer.at_rest():
            self._jobs.clear()
            self.importer.troubles.clear()
            self._store.clear()

    def stop(self) -> None:
        self.graphql_script.clear()
        self.importer.stop()
        self._jobs.close()

    def _shown(self, job: Job) -> dict[str, Any]:
        statuses = [file.status for file in self._jobs.files(job.number)]
        return {
            "id": job.global_id,
            **asdict(job),
            "files": {status: statuses.count(status) for status in _COUNTED},
            "trouble": self.importer.troubles.get(job.number),
        }

    def _shown_file(self, job: Job, file: ImportFile) -> dict[str, Any]:
        taken = self._store.imported(job.global_id, file.path)
        return {
            "job": job.global_id,
            "path": file.path,
            "status": file.status,
            "bytes": file.bytes,
            "rows": taken.rows if taken else 0,
            "error": asdict(file.refusal) if file.refusal else None,
        }
