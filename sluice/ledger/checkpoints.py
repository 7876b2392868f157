"""Checkpoints: where a ledger stands, so that a run need not read its whole history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter

from sluice.errors import LedgerDamaged
from sluice.ledger.claims import OpenClaim, span_of
from sluice.ledger.codec import checked
from sluice.ledger.coverage import Coverage
from sluice.ledger.entries import Claim, ClaimWindow, Entry, PartitionText, Sealed, parse_ranges
from sluice.ledger.names import name_of
from sluice.ledger.once_more import OnceMore
from sluice.ledger.state import LedgerState, OpenEntry, Position
from sluice.ledger.went import Sent, TakenAgain, Went
from sluice.offsets import OffsetRange, Partition


def _is_origin(text: str) -> str:
    name_of(text)
    return text


StoredPosition = tuple[int, int, int | None]
OriginText = Annotated[str, AfterValidator(_is_origin)]
StoredIntervals = tuple[tuple[int, int], ...]


class StoredFirst(BaseModel):
    """What went to a place: space, model, environment, and version of all rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[str, str, str, str | None]
    covered: dict[PartitionText, StoredIntervals]


class StoredAgain(StoredFirst):
    """What a claim took there again."""

    claim: int
    request: str


class Checkpoint(BaseModel):
    """A ledger's state before entry `next_number`; partitions are keys such as `flights[3]`.

    Attributes:
        positions: offset, the entry that brought the ledger there, leader epoch.
        open: for each entry that was not known to be settled, the positions before it.
        claims: for each open claim, the ranges of the slots that were not decided.
        unsettled: for each claim, the sealed slots that were not known to be settled.
        ended: for each claim, the slots that a derived entry took over.
        backfilled: of what is covered, what is in slots of claims.
        dropped: of what is covered, what was held, and a person let go of.
        first, derived, again, ends: where what is covered went; see `Went`.
        replayed, redeemed, redelivered: see `OnceMore`; origins are numbers, or `12/3`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Literal["checkpoint"] = "checkpoint"
    ledger_id: str
    pipeline: str
    next_number: int
    topics: dict[str, str]
    starts: dict[PartitionText, int]
    positions: dict[PartitionText, StoredPosition]
    open: dict[int, dict[PartitionText, StoredPosition]]
    claims: dict[int, dict[int, ClaimWindow]]
    unsettled: dict[int, tuple[int, ...]] = {}
    ended: dict[int, tuple[int, ...]] = {}
    backfilled: dict[PartitionText, StoredIntervals] = {}
    dropped: dict[PartitionText, StoredIntervals] = {}
    first: tuple[StoredFirst, ...] = ()
    derived: tuple[StoredFirst, ...] = ()
    again: tuple[StoredAgain, ...] = ()
    ends: dict[str, dict[PartitionText, int]] = {}
    replayed: dict[OriginText, dict[str, int]] = {}
    redeemed: dict[OriginText, dict[int, int]] = {}
    redelivered: dict[OriginText, int] = {}
    covered: dict[PartitionText, StoredIntervals]


_CHECKPOINT: TypeAdapter[Checkpoint] = TypeAdapter(Checkpoint)


def decode_checkpoint(key: str, data: bytes) -> Checkpoint:
    return checked(key, data, _CHECKPOINT)


def as_checkpoint(state: LedgerState) -> Checkpoint:
    return Checkpoint(
        ledger_id=state.ledger_id,
        pipeline=state.pipeline,
        next_number=state.next_number,
        topics=dict(state.topics),
        starts={str(key): value for key, value in state.starts.items()},
        positions=_stored(state.positions),
        open={number: _stored(item.before) for number, item in state.open.items()},
        claims={number: _undecided(claim) for number, claim in state.claims.items()},
        unsettled={number: tuple(sorted(claim.unsettled)) for number, claim in state.claims.items()},
        ended={number: tuple(sorted(claim.ended)) for number, claim in state.claims.items()},
        covered=_intervals(state.covered),
        backfilled=_intervals(state.backfilled),
        dropped=_intervals(state.dropped),
        first=_firsts(state.went.first),
        derived=_firsts(state.went.derived),
        again=tuple(
            StoredAgain(to=_to(item.to), covered=_intervals(item.covered), claim=item.claim, request=item.request)
            for item in state.went.again
        ),
        ends={request: {str(at): end for at, end in its.items()} for request, its in state.went.ends.items()},
        replayed={str(origin): dict(found) for origin, found in state.once_more.replayed.items()},
        redeemed={str(origin): dict(found) for origin, found in state.once_more.redeemed.items()},
        redelivered={str(origin): number for origin, number in state.once_more.redelivered.items()},
    )


def as_state(checkpoint: Checkpoint, entry: Callable[[int], Entry]) -> LedgerState:
    """Restore a state; `entry` reads the open entries, which the checkpoint only names."""
    return LedgerState(
        ledger_id=checkpoint.ledger_id,
        pipeline=checkpoint.pipeline,
        next_number=checkpoint.next_number,
        topics=checkpoint.topics,
        starts={_partition(key): value for key, value in checkpoint.starts.items()},
        positions=_restored(checkpoint.positions),
        open={number: _open(number, entry(number), before) for number, before in checkpoint.open.items()},
        claims={number: _claim(number, entry(number), checkpoint) for number in checkpoint.claims},
        covered=_coverage(checkpoint.covered),
        backfilled=_coverage(checkpoint.backfilled),
        dropped=_coverage(checkpoint.dropped),
        went=Went(
            first={_sent(item.to): _coverage(item.covered) for item in checkpoint.first},
            derived={_sent(item.to): _coverage(item.covered) for item in checkpoint.derived},
            again=tuple(_again(item) for item in checkpoint.again),
            ends={request: _ends(its) for request, its in checkpoint.ends.items()},
        ),
        once_more=OnceMore(
            replayed={name_of(origin): found for origin, found in checkpoint.replayed.items()},
            redeemed={name_of(origin): found for origin, found in checkpoint.redeemed.items()},
            redelivered={name_of(origin): number for origin, number in checkpoint.redelivered.items()},
        ),
    )


def _firsts(went: Mapping[Sent, Coverage]) -> tuple[StoredFirst, ...]:
    return tuple(StoredFirst(to=_to(to), covered=_intervals(its)) for to, its in went.items())


def _to(sent: Sent) -> tuple[str, str, str, str | None]:
    return *sent.place, sent.version


def _sent(to: tuple[str, str, str, str | None]) -> Sent:
    space, model, environment, version = to
    return Sent(space=space, model=model, environment=environment, version=version)


def _again(item: StoredAgain) -> TakenAgain:
    return TakenAgain(claim=item.claim, request=item.request, to=_sent(item.to), covered=_coverage(item.covered))


def _ends(stored: Mapping[str, int]) -> dict[Partition, int]:
    return {_partition(at): end for at, end in stored.items()}


def _intervals(covered: Coverage) -> dict[str, StoredIntervals]:
    return {str(key): parts for key, parts in covered.items()}


def _coverage(stored: Mapping[str, StoredIntervals]) -> Coverage:
    return {_partition(key): parts for key, parts in stored.items()}


def _open(number: int, entry: Entry, before: Mapping[str, StoredPosition]) -> OpenEntry:
    if not isinstance(entry, Sealed):
        raise LedgerDamaged(f"A checkpoint says that entry {number} waits for delivery, and it has nothing to deliver")
    return OpenEntry(number=number, entry=entry, before=_restored(before))


def _undecided(claim: OpenClaim) -> dict[int, ClaimWindow]:
    return {slot: ClaimWindow(ranges=tuple(map(str, ranges))) for slot, ranges in claim.undecided.items()}


def _claim(number: int, entry: Entry, checkpoint: Checkpoint) -> OpenClaim:
    if not isinstance(entry, Claim):
        raise LedgerDamaged(f"A checkpoint says that entry {number} is a claim, and it is none")
    undecided = {slot: parse_ranges(item.ranges) for slot, item in checkpoint.claims[number].items()}
    return OpenClaim(
        entry=entry,
        undecided=undecided,
        left=span_of(undecided.values()),
        unsettled=frozenset(checkpoint.unsettled.get(number, ())),
        ended=frozenset(checkpoint.ended.get(number, ())),
    )


def _stored(positions: Mapping[Partition, Position]) -> dict[str, StoredPosition]:
    return {str(key): (item.offset, item.entry, item.leader_epoch) for key, item in positions.items()}


def _restored(stored: Mapping[str, StoredPosition]) -> dict[Partition, Position]:
    return {
        _partition(key): Position(offset=offset, entry=entry, leader_epoch=epoch)
        for key, (offset, entry, epoch) in stored.items()
    }


def _partition(text: str) -> Partition:
    return OffsetRange.parse(f"{text} 0..0").partition
