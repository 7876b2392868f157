"""What the import path works with: the bucket that Arize reads, whom to ask, and what a run knows of itself."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.clock import Clock, timestamp
from sluice.importing.jobs import Job, Jobs, JobSpec
from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries
from sluice.ledger.imports import Generation, Imports
from sluice.pipeline import Pipeline
from sluice.store import Store


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSide:
    """The bucket that Arize reads, and whom to ask; None without a developer key."""

    bucket: Bucket
    jobs: Jobs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRun:
    """The import path of one run: its pipeline, what is written beside the ledger, and both sides of the bucket.

    Attributes:
        jobs: None without a developer key: then nobody is asked, and a file counts as placed.
    """

    pipeline: Pipeline
    space: str
    ledger: Ledger
    imports: Imports
    deliveries: Deliveries
    bucket: Bucket
    jobs: Jobs | None
    clock: Clock
    run_id: str

    @property
    def is_managed(self) -> bool:
        """Whether Sluice makes the import job; a person does otherwise."""
        return self.pipeline.arize.import_job == "managed"

    def spec(self, prefix: str) -> JobSpec:
        """The job that is to read a prefix of the bucket."""
        return JobSpec.of(self.pipeline, space=self.space, bucket=self.bucket.name, prefix=prefix)

    def job_of(self, number: int, generation: Generation) -> Job | None:
        """Read the job of a generation as it is now; None where it is gone, not made yet, or nobody may ask."""
        record = self.imports.job(number)
        if self.jobs is None or record is None:
            return None
        if record.job is not None:
            return self.jobs.job(record.job)
        # A person said that it was made, before there was a key to ask for it.
        found = self.jobs.at(generation.space, generation.bucket, generation.prefix)
        return self.jobs.job(found[0]) if len(found) == 1 else None

    def now(self) -> str:
        return timestamp(self.clock.epoch_s())
