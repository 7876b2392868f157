"""An import job of Arize's, as values: what is asked of it, how it stands, and what it says of each file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from sluice.pipeline import Pipeline
from sluice.pipeline.columns import FEATURE, TAG

SettledStatus = Literal["complete", "failed", "skipped", "canceled"]
Status = Literal["pending"] | SettledStatus
JobStatus = Literal["active", "inactive", "failed", "deleted"]

# Arize's word for a column of ours. A regression's number is our label; a job of type numeric takes it as the score.
_FIELDS: Final = {
    "prediction_id": "predictionId",
    "prediction_ts": "timestamp",
    "version": "version",
    "prediction_label": "predictionLabel",
    "prediction_score": "predictionScore",
    "actual_label": "actualLabel",
    "actual_score": "actualScore",
}
_NUMBERS: Final = {"prediction_label": "predictionScore", "actual_label": "actualScore"}
_PREFIXES: Final = {FEATURE: "features", TAG: "tags"}
_TYPES: Final = {"binary_classification": "score_categorical", "regression": "numeric"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What makes a job the one that is meant.

    Attributes:
        type: in the words of Arize's import jobs: `score_categorical`, `numeric`.
        prefix: every object of the bucket under it is a file of the job; ends in a slash.
        schema: names and prefixes of columns by Arize's fields.
    """

    space: str
    model: str
    type: str
    environment: str
    bucket: str
    prefix: str
    schema: Mapping[str, str]

    @classmethod
    def of(cls, pipeline: Pipeline, *, space: str, bucket: str, prefix: str) -> JobSpec:
        """What a pipeline's job must be."""
        return cls(
            space=space,
            model=pipeline.arize.model,
            type=_TYPES[pipeline.arize.type],
            environment=pipeline.arize.environment,
            bucket=bucket,
            prefix=prefix,
            schema=dict(_schema(pipeline)),
        )

    def on(self, prefix: str) -> JobSpec:
        """The same on another prefix."""
        return replace(self, prefix=prefix)

    def differences(self, found: JobSpec) -> tuple[tuple[str, str, str], ...]:
        """Where a job is not as it should be: what, how it should be, how it is; empty texts for what is left out."""
        mine, other = self._flat(), found._flat()
        names = dict.fromkeys((*mine, *other))
        return tuple(
            (name, mine.get(name, ""), other.get(name, "")) for name in names if mine.get(name) != other.get(name)
        )

    def _flat(self) -> dict[str, str]:
        own = {name: getattr(self, name) for name in ("model", "type", "environment", "bucket", "prefix")}
        return own | {f"schema.{name}": column for name, column in self.schema.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as Arize has it.

    Attributes:
        id: by which it is asked for.
        counts: of its files, by status as far as Arize counts them.
    """

    id: str
    status: JobStatus
    spec: JobSpec
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What Arize says of one file that is settled.

    Attributes:
        reason: why it was not taken, without what may be a value of an event.
        page: where in the listing it was: whoever looks for later files begins there.
        counted: how many settled files of the job were accounted for by then.
    """

    status: SettledStatus
    reason: str = ""
    page: str | None = None
    counted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a dry run says: `reason` with the row is empty where the file would be taken."""

    reason: str = ""


class Unanswered(Exception):
    """A job that may have been made, or not: the answer did not come. why: in words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Refused(Exception):
    """A job, or a question, that Arize refuses. words: Arize's, without what may be a value."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Jobs(Protocol):
    """What is needed of Arize's import jobs. Every question may raise DestinationUnavailable or DestinationRefused."""

    def at(self, space: str, bucket: str, prefix: str) -> tuple[str, ...]:
        """The ids of the jobs on a prefix; there should be one at most."""

    def create(self, spec: JobSpec) -> str:
        """Make a job, once, and return its id. Raises Refused where it was not made, Unanswered where it may have."""

    def dry_run(self, spec: JobSpec, file: str) -> DryRun:
        """Let Arize look at a file of a prefix without taking it."""

    def job(self, job: str) -> Job | None: ...

    def update(self, job: str, schema: Mapping[str, str]) -> None: ...

    def settled(self, job: Job, keys: Collection[str], last: FileStatus | None) -> Mapping[str, FileStatus]:
        """What became of some files of a job, by key; those that are not settled are left out.

        Args:
            last: of the newest file that is known to be settled; None where there is none.
        """


def _schema(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    fields = _FIELDS | (_NUMBERS if pipeline.arize.type == "regression" else {})
    names = [column.name for column in pipeline.columns()]
    yield from ((fields[name], name) for name in names if name in fields)
    # Without this one Arize would take every column that has no other part for a feature: topic, partition, offset.
    yield _PREFIXES[FEATURE], FEATURE
    if any(name.startswith(TAG) for name in names):
        yield _PREFIXES[TAG], TAG
