"""What a run is connected to, as what it needs of each: store, source, destination, clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sluice.answers import Answer
from sluice.clock import Clock
from sluice.importing.side import ImportSide
from sluice.ledger import entries
from sluice.offsets import Bounds, GroupOffset, OffsetRange, Partition
from sluice.pacing import Pace, unpaced
from sluice.pipeline import Pipeline
from sluice.records import ReadRange
from sluice.store import Store


class Source(Protocol):
    """What a run needs of Kafka."""

    def snapshot(self, topics: Sequence[str]) -> dict[Partition, Bounds]:
        """Where every partition of the topics stands, all taken at once."""

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]: ...

    def offsets_at(self, partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        """The first offset at or behind a time, partition by partition; the end where there is none yet."""

    def retention_s(self, topics: Sequence[str]) -> dict[str, float]:
        """How long records are kept; topics are left out that keep them for good, or of which it is not told."""

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, GroupOffset]:
        """Where the group stands; partitions without a committed offset are left out."""

    def commit(self, offsets: Sequence[GroupOffset]) -> None: ...

    def read(self, ranges: Sequence[OffsetRange], epochs: Mapping[Partition, int]) -> list[ReadRange]:
        """Read a window, cut where its limits end it; the leader epochs are of the last records read before it."""


class Destination(Protocol):
    """What a run needs of Arize."""

    def resolve(self, pipeline: Pipeline) -> entries.Destination:
        """Say where a pipeline's rows go, for an entry to keep."""

    def get_ready(self, sends: int) -> None:
        """Begin whatever takes a while before the first send; so many of them are planned."""

    def send(self, file: Path, to: entries.Destination, part: entries.Part, timeout_s: float) -> Answer:
        """Send one part of a local staged file, once."""


def no_predictions() -> Source:
    """Where no actuals wait for their predictions."""
    raise LookupError("this run waits for no predictions")


def no_import_side() -> ImportSide:
    """Where nothing goes by the import path."""
    raise LookupError("this run has no import side")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What a run works with, opened.

    Attributes:
        hash_key: of the fields that the pipeline hashes.
        pace: waits until so many rows may go to Arize.
        import_side: opens it, where an entry goes that way.
        predictions: opens Kafka as the predictions of actuals are read, where these wait for them.
    """

    store: Store
    source: Source
    destination: Destination
    clock: Clock
    scratch: Path
    hash_key: str = field(default="", repr=False)
    pace: Pace = unpaced
    import_side: Callable[[], ImportSide] = no_import_side
    predictions: Callable[[], Source] = no_predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How far one run goes, beside what its pipeline file says.

    Attributes:
        max_windows: at most so many windows; None for the file's word.
        until: records from before this moment only; None for everything that is there.
    """

    max_windows: int | None = None
    until: datetime | None = None
