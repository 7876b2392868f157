"""From what was read to the entry that seals it: mapped, staged, judged, and where it goes."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from sluice.clock import epoch_s_of, timestamp
from sluice.connections import Connections
from sluice.errors import NothingToResolve, WrongSettings
from sluice.judging import judged
from sluice.ledger import Ledger, entries
from sluice.ledger.names import SlotName
from sluice.ledger.went import Sent
from sluice.offsets import CountedRange, OffsetRange
from sluice.pipeline import LoadedPipeline, Pipeline
from sluice.records import ReadRange, Record
from sluice.redaction import Redaction
from sluice.repeats import Decided, Repeats
from sluice.staging import Staging

if TYPE_CHECKING:
    from sluice.windows import MappedWindow

_REASONS = 3  # the commonest ones are named
_PLACES = 5  # of corrections: so many offsets are named
_WITHOUT_A_KEY = "Take the staged files, or hash a field in today's pipeline file, too: then SLUICE_HASH_KEY is read"
# Where the file of an entry will be: of its id, its first range, and the file with its sha256.
Address: TypeAlias = Callable[[str, OffsetRange, Path, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A window that is read, mapped and staged, and not sealed yet.

    Attributes:
        at: what its files are called after.
        repeats: of actuals, which of them were said before; None: all go out.
    """

    read: Sequence[ReadRange]
    mapped: MappedWindow
    staged: entries.StagedFile | None
    at: OffsetRange | SlotName
    written_at: str
    repeats: Repeats | None
    entry_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def decided(self) -> Decided | None:
        if self.repeats is None or self.staged is None:
            return None
        return self.repeats.decide(self.staged, is_slot=isinstance(self.at, SlotName))


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
        self._repeats = self._what_was_said() if loaded.pipeline.kind == "actuals" else None

    def _what_was_said(self) -> Repeats:
        return Repeats(
            self._pipeline,
            store=self._connections.store,
            ledger=self._ledger,
            staging=self._staging,
            to=Sent.to(self._connections.destination.resolve(self._pipeline)),
            clock=self._connections.clock,
        )

    def prepare(self, read: Sequence[ReadRange], slot: SlotName | None = None, *, again: bool = False) -> Prepared:
        """Map what was read, and stage its rows.

        Args:
            slot: of a claim, that it seals: its files are called after that, for the same offsets may be in other
                entries, whose files are older, or are let go of.
            again: what was sent is to be sent again, whatever it says.
        """
        # One reading of the clock: a replay from Kafka judges the age of events by what the entry says of it.
        written_at = timestamp(self._connections.clock.epoch_s())
        mapped = self.map_as(self._pipeline, read, now_s=epoch_s_of(written_at))
        at = slot or mapped.counted[0].range
        staged = self._staging.stage(mapped.frame, at)
        repeats = self._repeats if not again and staged is not None else None
        return Prepared(read=read, mapped=mapped, staged=staged, at=at, written_at=written_at, repeats=repeats)

    def entry_from(
        self, read: Sequence[ReadRange], slot: SlotName | None = None, *, again: bool = False
    ) -> dict[str, Any]:
        """Map what was read, stage its rows, and return the fields of the entry that seals it; see `prepare`."""
        return self.fields(self.prepare(read, slot, again=again))

    def fields(self, prepared: Prepared) -> dict[str, Any]:
        """Return the fields of the entry that seals it, by what is sealed before it now."""
        mapped, staged, entry_id, redaction = prepared.mapped, prepared.staged, prepared.entry_id, self._redaction
        decided, first, at = prepared.decided(), mapped.counted[0].range, prepared.at
        counted, rejected = mapped.counted, mapped.rejected
        if decided is not None:
            counted, rejected = judged(prepared.read, mapped, decided)
        sent = mapped.frame if decided is None else mapped.frame.filter(pl.Series(~decided.unsent))
        held = self._why_held(mapped) or self._why_corrected(decided)
        parts = parts_of(sent, self._pipeline)
        return {
            "id": entry_id,
            "written_at": prepared.written_at,
            "run": self._run_id,
            "ranges": tuple(self._ledger_range(item) for item in counted),
            "staged": staged,
            "rejected": self._staging.stage_rejected(redaction.rejected(rejected), at),
            "raw": self._staging.stage_raw(self._every_record(prepared.read), at)
            if held and redaction.keeps_raw
            else None,
            "parts": parts,
            "unsent": decided.mask if decided is not None else None,
            "destination": self.destination(entry_id, first, None if held or not parts else staged),
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

    def _why_corrected(self, decided: Decided | None) -> str | None:
        if decided is None or not decided.corrected.any() or self._pipeline.policies.corrections != "hold":
            return None
        offsets = sorted(decided.offsets(decided.corrected))
        places = ", ".join(f"{partition} {offset}" for partition, offset in offsets[:_PLACES])
        more = f" and {len(offsets) - _PLACES:,} more" if len(offsets) > _PLACES else ""
        why = "actuals say otherwise than earlier ones of their ids, and policies.corrections is hold"
        return f"{why}: {places}{more}"

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
