"""The import path for benchmarks: a bucket, jobs of the stand-in that read it, and what settles a run's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.jobs.order import Order
from benchmarks.measuring import JobError, Taken, run
from benchmarks.systems import ROOT, System
from deployments.local.arize import ArizeStandIn
from deployments.local.seaweedfs import running_seaweedfs

NO_LIMIT: Final = 0  # of questions a minute: Arize lets so many pass that a run of one file never waits
IMPORT: Final = System(
    name="Sluice, import path",
    module="benchmarks.jobs.sluice_import",
    note="The same until its files are in their places in SeaweedFS, each looked at for its size and checksum; the "
    "import job is made and tried out in it. Out: Arize's own look at the files, by the stand-in behind the run.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSide:
    """A bucket and who reads it.

    Attributes:
        environment: by which Sluice finds both.
        settled: what each run took that settled the files of the one before.
    """

    arize: ArizeStandIn
    environment: dict[str, str]
    settled: list[Taken] = field(default_factory=list)

    def problem(self, order: Order) -> str:
        """Have Arize look at what was placed, settle it by another run, and say what is wrong; empty for nothing."""
        self.arize.look_now()
        try:
            taken = run(IMPORT.command(order), environment=self.environment, cwd=ROOT)
        except JobError as error:
            return str(error)
        self.settled.append(taken)
        return f"{taken.told['pending']} files are not settled" if taken.told["pending"] else ""


@contextmanager
def running_import_side(arize: ArizeStandIn, directory: Path) -> Iterator[ImportSide]:
    """Run a bucket beside a stand-in, whose jobs look at it only when they are told: they would share the processor."""
    with running_seaweedfs(directory) as store:
        arize.read_objects(store.endpoint_url, access_key=store.access_key, secret_key=store.secret_key)
        arize.configure(look_every_s=0, queries_per_minute=NO_LIMIT, mutations_per_minute=NO_LIMIT)
        places = {"SLUICE_IMPORT_STORE": f"s3://{store.bucket}/for-arize"}
        yield ImportSide(arize=arize, environment={**store.environment(), **arize.environment(), **places})
