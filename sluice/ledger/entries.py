"""The objects of the ledger, as they stand in the store: one JSON object each, with the number of its format in it.

docs/ledger.md is this file in words. A change of shape is a new number, and the old one stays readable for ever.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sluice.ledger.masks import MaskText
from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import Balance, CountedRange, OffsetRange, Partition


def _is_range(text: str) -> str:
    OffsetRange.parse(text)
    return text


def _is_partition(text: str) -> str:
    OffsetRange.parse(f"{text} 0..0")
    return text


RangeText = Annotated[str, AfterValidator(_is_range)]
PartitionText = Annotated[str, AfterValidator(_is_partition)]


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicStart(_Object):
    """Where a topic is taken up.

    Attributes:
        topic_id: Kafka's id of the topic.
        positions: the first offset of each partition that there was; one that appears later starts at 0.
    """

    topic: str
    topic_id: str
    positions: dict[int, int]


class LedgerRange(_Object):
    """A range of an entry, with what became of each of its offsets."""

    topic: str
    partition: int
    start: int
    stop: int
    topic_id: str
    leader_epoch: int | None = None
    balance: dict[str, int]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if unknown := set(self.balance) - set(Balance().as_dict()):
            raise ValueError(f"a balance has no class {', '.join(sorted(unknown))}")
        _ = self.counted  # raises where the range or its balance cannot be
        return self

    @classmethod
    def of(cls, counted: CountedRange, topic_id: str) -> Self:
        partition, balance = counted.range.partition, counted.balance.as_dict()
        return cls(
            topic=partition.topic,
            partition=partition.number,
            start=counted.range.start,
            stop=counted.range.stop,
            topic_id=topic_id,
            leader_epoch=counted.leader_epoch,
            balance=balance,
        )

    @property
    def range(self) -> OffsetRange:
        return OffsetRange(Partition(self.topic, self.partition), self.start, self.stop)

    @property
    def counted(self) -> CountedRange:
        return CountedRange(range=self.range, balance=Balance(**self.balance), leader_epoch=self.leader_epoch)


class StagedFile(_Object):
    """A Parquet file in the store.

    Attributes:
        sha256: of the file's bytes.
        content: the hash of the canonical rows, which does not depend on the Parquet writer; None for raw records.
    """

    key: str
    rows: int
    bytes: int
    sha256: str
    content: str | None = None


class Destination(_Object):
    """Where the rows go, resolved when the entry was sealed; the pipeline file may say otherwise by then.

    Attributes:
        key: the address of the file on the import path, `s3://bucket/…`, which holds the entry's id; None where
            nothing goes out, and on the SDK path.
    """

    path: Literal["sdk", "object_store"]
    connection: str
    space: str
    model: str
    type: Literal["binary_classification", "regression"]
    environment: Literal["production"]
    key: str | None = None

    @property
    def anywhere(self) -> Self:
        """The same without the file's address, which is another one for each entry."""
        return self.model_copy(update={"key": None})

    @property
    def aim(self) -> dict[str, str]:
        """What actuals have of the pipeline of their predictions, as it was when they were sealed."""
        return {
            "connection": self.connection,
            "model": self.model,
            "type": self.type,
            "environment": self.environment,
        }

    def in_space(self, space: str | None) -> Self:
        """Return the same in another space; None changes nothing."""
        return self if space is None else self.model_copy(update={"space": space})


class Part(_Object):
    """The rows of an entry that go out in one send: on the SDK path those of one model version."""

    version: str | None = None
    rows: int


class _Entry(_Object):
    format: Literal[1] = 1
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    written_at: str
    run: str


class Genesis(_Entry):
    """Entry 0: its id is the ledger's, its starts are resolved once, so that `start: latest` cannot drift."""

    kind: Literal["genesis"] = "genesis"
    pipeline: str
    topics: tuple[TopicStart, ...]


class Pin(_Entry):
    """A topic that was added to the pipeline file is taken up, before any of it is read."""

    kind: Literal["pin"] = "pin"
    topics: tuple[TopicStart, ...]


class _Delivered(_Entry):
    """What window, slot and derived entries have in common: ranges, files, parts and where they go.

    Attributes:
        staged: the rows that go out; None where there are none.
        rejected: the records that were rejected, raw.
        raw: every record of a held window, raw, so that it can be taken again after retention.
        unsent: of actuals, the staged rows that are not sent, a bit a row (see `masks`): they say what an earlier one
            of their id said, or correct it and the pipeline file rejects that. None: all are sent.
        held: why the entry waits for a person; None where it does not.
    """

    ranges: tuple[LedgerRange, ...]
    staged: StagedFile | None = None
    rejected: StagedFile | None = None
    raw: StagedFile | None = None
    parts: tuple[Part, ...] = ()
    unsent: MaskText | None = None
    destination: Destination
    pipeline_sha256: str
    held: str | None = None

    @property
    def balance(self) -> Balance:
        return sum((item.counted.balance for item in self.ranges), Balance())

    @property
    def rows_sent(self) -> int:
        """Of the staged file, those that go out, or went."""
        return sum(part.rows for part in self.parts)

    @property
    def shown(self) -> str:
        """Its ranges, for people: `flights[0] 0..40, flights[1] 0..17`."""
        return ", ".join(str(item.range) for item in self.ranges)


class Window(_Delivered):
    """The next offsets of some partitions, each from where the ledger stands."""

    kind: Literal["window"] = "window"


class Slot(_Delivered):
    """One window of a claim, sealed: not an entry of the log but an object of its own."""

    kind: Literal["slot"] = "slot"
    claim: int
    slot: int


class VoidSlot(_Entry):
    """A window of a claim that will not be taken: its ranges are free again."""

    kind: Literal["void"] = "void"
    claim: int
    slot: int


class ClaimWindow(_Object):
    """The ranges of one slot, as `flights[3] 1200..1700`."""

    ranges: tuple[RangeText, ...]


class Claim(_Entry):
    """A backfill: windows of the past, fixed when it was claimed, each sealed in a slot of its own.

    Attributes:
        request: a hash of what was asked for: who asks for the same helps.
        again: takes offsets that are in the ledger already, on purpose.
        model: that the rows go to, where it is another one than the pipeline file's.
        version: of the model, for all rows, in place of what the mapping gives.
    """

    kind: Literal["claim"] = "claim"
    request: str
    reason: str
    windows: tuple[ClaimWindow, ...]
    again: bool = False
    model: str | None = None
    version: str | None = None


class Derived(_Delivered):
    """Rows of an earlier entry once more, or the end of a held one.

    Attributes:
        origin: the earlier entry's number.
        slot: of the origin, where that is a claim.
        purpose: one origin row goes out at most once for each. `deliver`, `redo` and `drop` end a held entry.
        rows: which of the origin's.
        target: of a replay, a short hash of where it goes: the rows of an origin go there once.
        version: of the model, for all rows, in place of what they had.
    """

    kind: Literal["derived"] = "derived"
    origin: int
    slot: int | None = None
    purpose: Literal["deliver", "redo", "drop", "replay", "redeliver", "rejected"]
    rows: Literal["staged", "rejected", "all", "none"]
    target: str | None = None
    version: str | None = None
    reason: str

    @property
    def is_once_more(self) -> bool:
        """Whether its origin is done without it."""
        return self.purpose in ("replay", "rejected")

    @property
    def origin_name(self) -> EntryName:
        return self.origin if self.slot is None else SlotName(self.origin, self.slot)


class Skip(_Entry):
    """Moves positions forward without delivery; what it left is open to a backfill."""

    kind: Literal["skip"] = "skip"
    ranges: tuple[RangeText, ...]
    reason: str


Entry = Annotated[Genesis | Pin | Window | Claim | Derived | Skip, Field(discriminator="kind")]
Sealed = Window | Derived | Slot


def parse_ranges(texts: Iterable[str]) -> tuple[OffsetRange, ...]:
    return tuple(OffsetRange.parse(text) for text in texts)
