"""From what was read to the entry that seals it: mapped, staged, judged, and where it goes."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sluice.clock import epoch_s_of, timestamp
from sluice.connections import Connections
from sluice.errors import NothingToResolve, WrongSettings
from sluice.ledger import Ledger, entries
from sluice.ledger.names import SlotName
from sluice.offsets import CountedRange, OffsetRange
from sluice.pipeline import LoadedPipeline, Pipeline
from sluice.records import ReadRange, Record
from sluice.redaction import Redaction
from sluice.staging import Staging

if TYPE_CHECKING:
    import polars as pl

    from sluice.windows import MappedWindow

_REASONS = 3  # the commonest ones are named
_WITHOUT_A_KEY = "Take the staged files, or hash a field in today's pipeline file, too: then SLUICE_HASH_KEY is read"
# Where the file of an entry will be: of its id, its first range, and the file with its sha256.
Address: TypeAlias = Callable[[str, OffsetRange, Path, str], str]


class Sealing:
    """Makes the entries of one run.

    Args:
        address: asked on the import path alone.
    """

    def __init__(
        self,
        loaded: LoadedPipeline,
        connections: Connections,
        *,
        ledger: Ledger,
        staging: Staging,
        run_id: str,
        address: Address,
    ) -> None:
        self._address = address
        self._loaded = loaded
        self._pipeline = loaded.pipeline
        self._connections = connections
        self._ledger = ledger
        self._staging = staging
        self._run_id = run_id
        self._redaction = Redaction.of(loaded.pipeline, connections.hash_key)

    def entry_from(self, read: Sequence[ReadRange], slot: SlotName | None = None) -> dict[str, Any]:
        """Map what was read, stage its rows, and return the fields of the entry that seals it.

        Args:
            slot: of a claim, that it seals: its files are called after that, for the same offsets may be in other
                entries, whose files are older, or are let go of.
        """
        # One reading of the clock: a replay from Kafka judges the age of events by what the entry says of it.
        written_at, redaction = timestamp(self._connections.clock.epoch_s()), self._redaction
        mapped = self.map_as(self._pipeline, read, now_s=epoch_s_of(written_at))
        first = mapped.counted[0].range
        at = slot or first
        held = self._why_held(mapped)
        staged, entry_id = self._staging.stage(mapped.frame, at), uuid.uuid4().hex
        return {
            "id": entry_id,
            "written_at": written_at,
            "run": self._run_id,
            "ranges": tuple(self._ledger_range(item) for item in mapped.counted),
            "staged": staged,
            "rejected": self._staging.stage_rejected(redaction.rejected(mapped.rejected), at),
            "raw": self._staging.stage_raw(self._every_record(read), at) if held and redaction.keeps_raw else None,
            "parts": parts_of(mapped.frame, self._pipeline),
            "destination": self.destination(entry_id, first, None if held else staged),
            "pipeline_sha256": self._loaded.sha256,
            "held": held,
        }

    def destination(self, entry_id: str, first: OffsetRange, staged: entries.StagedFile | None) -> entries.Destination:
        """Say where the rows of an entry go, by today's file and settings.

        Args:
            first: its first range.
            staged: what goes out; None: nothing does.
        """
        found = self._connections.destination.resolve(self._pipeline)
        if found.path == "sdk" or staged is None:
            return found
        file = self._staging.local_copy(staged)
        return found.model_copy(update={"key": self._address(entry_id, first, file, staged.sha256)})

    def file_destination(self, entry_id: str, origin: entries.Sealed) -> entries.Destination:
        """Say where rows go out once more that were sealed to go out as a file.

        Raises:
            NothingToResolve: the pipeline goes another way by now, where parts are others.
        """
        if self._pipeline.arize.path != "object_store":
            raise NothingToResolve(
                "The entry goes out as a file, and the pipeline by the SDK now",
                "Set arize.path: object_store until it is delivered",
            )
        return self.destination(entry_id, origin.ranges[0].range, origin.staged)

    def map_as(self, pipeline: Pipeline, read: Sequence[ReadRange], *, now_s: float) -> MappedWindow:
        """Map and validate what was read by a pipeline, which may be of another file than this run's.

        Args:
            now_s: the clock by which times are judged.

        Raises:
            WrongSettings: it hashes fields, and there is no key.
        """
        # Imported here: pyarrow's reader costs a fifth of a second, and a plan needs none of it.
        from sluice.windows import kept_window

        key = self._connections.hash_key
        if pipeline.hash and not key:
            raise WrongSettings("The pipeline file of then hashes fields, and there is no key", _WITHOUT_A_KEY)
        return kept_window(pipeline, read, Redaction.of(pipeline, key), now_s=now_s)

    def _every_record(self, read: Sequence[ReadRange]) -> Iterator[Record]:
        for item in read:
            yield from (self._redaction.record(item.records.record(index)) for index in range(len(item.records)))

    def _why_held(self, mapped: MappedWindow) -> str | None:
        rule = self._pipeline.policies.max_rejected
        records = mapped.frame.height + len(mapped.rejected)
        if records < rule.of_at_least or len(mapped.rejected) <= rule.share * records:
            return None
        reasons = Counter(item.reason for item in mapped.rejected).most_common(_REASONS)
        why = ", ".join(f"{reason} ({count:,})" for reason, count in reasons)
        return f"{len(mapped.rejected):,} of {records:,} records were rejected, more than {rule.share * 100:g}%: {why}"

    def _ledger_range(self, counted: CountedRange) -> entries.LedgerRange:
        return entries.LedgerRange.of(counted, self._ledger.state.topics[counted.range.partition.topic])


def parts_of(frame: pl.DataFrame, pipeline: Pipeline) -> tuple[entries.Part, ...]:
    """One part for each model version, as the SDK takes one a call; actuals are joined whatever their version.

    On the import path the file is the one part.
    """
    if not frame.height:
        return ()
    if pipeline.arize.path == "object_store" or pipeline.kind == "actuals" or "version" not in frame.columns:
        return (entries.Part(version=None, rows=frame.height),)
    counts = frame.group_by("version").len().sort("version")
    return tuple(entries.Part(version=version, rows=rows) for version, rows in counts.iter_rows())
