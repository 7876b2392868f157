"""Script how the import side fails: its GraphQL server, one request at a time, and its importer, one look or file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from deployments.local.arize.faults import Fault
from deployments.local.arize.imports.jobs import FileStatus, Job, JobStatus

_ON_JOB: dict[str, JobStatus] = {"pause": "inactive", "delete": "deleted", "break": "failed"}
_ON_FILE: dict[str, FileStatus] = {"fail": "FAILED", "skip": "SKIPPED", "cancel": "CANCELED"}


class GraphqlFault(BaseModel):
    """One scripted failure of the GraphQL server.

    - ``status``: answer with `status`, and `retry_after_s` as Retry-After.
    - ``drop``: cut the connection without an answer.
    - ``hang``: answer nothing until the client leaves or faults are cleared (then the answer if it was carried out,
      else a cut).
    - ``slow``: carry it out and answer after `seconds`.
    - ``error``: answer 200 with `message` as GraphQL's error, and `code` in its extensions.

    carried_out says that what was asked happens before it fails; with ``hang`` or ``drop`` it happened and timed out.
    operation narrows the requests: ``query``, ``mutation``, the name of a field at the root (``node``,
    ``createFileImportJob``, …), or ``dryRun`` (a dry run is no ``createFileImportJob``). times and after count those.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Literal["graphql"]
    kind: Literal["status", "drop", "hang", "slow", "error"]
    status: int = Field(default=503, ge=200, le=599)
    retry_after_s: float | None = None
    message: str = "scripted failure"
    code: str | None = None
    seconds: float = Field(default=1.0, ge=0)
    carried_out: bool = False
    operation: str | None = None
    times: int | None = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)

    def matches(self, operations: set[str]) -> bool:
        return self.operation is None or self.operation in operations

    def shown(self) -> dict[str, Any]:
        """Give the fields that were set."""
        return {**self.model_dump(exclude_defaults=True), "times": self.times}


class ImporterFault(BaseModel):
    """One scripted failure of the importer.

    On a job, when it looks next: ``pause``, ``delete`` (as somebody else would), ``break`` (Arize sets it failed).

    On a listing: ``lag``: objects younger than `seconds`, by the store's clock, are not seen.

    On a file that is new or pending: ``fail``, ``skip`` and ``cancel`` end it, though it is good, with `message` (and
    `row`); ``hold`` leaves it pending.

    job (its global id) and path (a pattern as the shell has them, for the whole key) narrow what is met. times is how
    many looks or files it meets: one, but of ``lag`` and ``hold`` all until faults are cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Literal["importer"]
    kind: Literal["pause", "delete", "break", "lag", "fail", "skip", "cancel", "hold"]
    message: str = "scripted failure"
    row: int | None = None
    seconds: float = Field(default=3600.0, ge=0)
    job: str | None = None
    path: str | None = None
    times: int | None = Field(default=None, ge=1)
    after: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _most_meet_once(cls, told: Any) -> Any:
        if isinstance(told, dict) and told.get("kind") not in ("lag", "hold"):
            return {"times": 1, **told}
        return told

    @model_validator(mode="after")
    def _only_files_have_a_path(self) -> Self:
        if self.path is not None and self.kind not in (*_ON_FILE, "hold"):
            raise ValueError(f"{self.kind} meets a job, which has no path")
        return self

    @property
    def job_status(self) -> JobStatus | None:
        return _ON_JOB.get(self.kind)

    @property
    def file_status(self) -> FileStatus | None:
        return _ON_FILE.get(self.kind)

    def matches_job(self, job: Job) -> bool:
        return self.kind in _ON_JOB and self.job in (None, job.global_id)

    def matches_listing(self, job: Job) -> bool:
        return self.kind == "lag" and self.job in (None, job.global_id)

    def matches_file(self, job: Job, path: str) -> bool:
        on_file = self.kind == "hold" or self.kind in _ON_FILE
        return on_file and self.job in (None, job.global_id) and (self.path is None or fnmatchcase(path, self.path))

    def shown(self) -> dict[str, Any]:
        """Give the fields that were set."""
        return {**self.model_dump(exclude_defaults=True), "times": self.times}


AnyFault = Annotated[Fault | GraphqlFault | ImporterFault, Field(discriminator="on")]
_READ: TypeAdapter[Fault | GraphqlFault | ImporterFault] = TypeAdapter(AnyFault)


def fault_of(told: dict[str, Any]) -> Fault | GraphqlFault | ImporterFault:
    """Read a fault as it is posted; without `on` it is one of the SDK's uploads.

    Raises: pydantic.ValidationError.
    """
    return _READ.validate_python({"on": "upload", **told})
