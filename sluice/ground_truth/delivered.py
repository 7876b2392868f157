"""Which rows were delivered to a model since a moment, and when Arize received them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sluice.clock import epoch_s_of
from sluice.ground_truth.lookback import sealed_since
from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries, Delivery, End, PartName, space_of
from sluice.ledger.entries import Sealed, StagedFile
from sluice.ledger.names import EntryName, SlotName, in_order
from sluice.ledger.went import Sent
from sluice.store import Store

_READERS: Final = 8
_NEIGHBOURS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredPart:
    """A part of an entry that Arize has, or of which a file is in its place that nobody may ask about.

    Attributes:
        received_s: when Arize received it, as far as the ledger tells, in epoch seconds: when its send was answered;
            when its file was in its place; where a person said so, when the send began.
        version: the rank of its rows' version among those of the staged file (see `ids.prediction_ids`); None: all rows
            are the part.
    """

    name: EntryName
    part: int
    entry: Sealed
    staged: StagedFile
    rows: int
    received_s: int
    version: int | None


def delivered_since(
    store: Store, ledger: Ledger, deliveries: Deliveries, to: Sent, since_s: float
) -> tuple[DeliveredPart, ...]:
    """Return what a model received since a moment, the newest first.

    Not in it: what waits for delivery, what is held, or was and was dropped, parts that a person let go of.

    Args:
        ledger: as loaded.
        to: the place: space, model and environment; of whatever version.
        since_s: in epoch seconds.
    """
    if not ledger.exists:
        return ()
    candidates = {
        name: entry
        for name, entry in sealed_since(store, ledger, since_s).items()
        if entry.parts and not entry.held and _may_go(entry, to)
    }
    ended = [
        (PartName.of(name, candidates[name], part), end)
        for name, ends in _ends(deliveries, candidates)
        for part, end in ends.items()
    ]
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(lambda item: _delivered(deliveries, to, candidates[item[0].entry], *item), ended))
    since = (item for item in found if item is not None and item.received_s >= since_s)
    return tuple(sorted(since, key=lambda item: (item.received_s, in_order(item.name), item.part), reverse=True))


def _may_go(entry: Sealed, to: Sent) -> bool:
    """Whether an entry may have gone to a place: a person may have sent it to another space than it names."""
    return (entry.destination.model, entry.destination.environment) == (to.model, to.environment)


def _ends(deliveries: Deliveries, entries: Mapping[EntryName, Sealed]) -> Iterator[tuple[EntryName, Mapping[int, End]]]:
    """Yield what settles the parts of each entry; neighbours are asked for together, for what is between is listed."""
    ids = {name: entry.id for name, entry in entries.items()}
    numbers = sorted(name for name in ids if isinstance(name, int))
    gaps = [at for at in range(1, len(numbers)) if numbers[at] - numbers[at - 1] > _NEIGHBOURS]
    groups: list[Iterable[EntryName]] = [[name for name in ids if isinstance(name, SlotName)]]
    groups += [numbers[start:stop] for start, stop in pairwise([0, *gaps, len(numbers)])]
    for group in groups:
        yield from deliveries.ends({name: ids[name] for name in group}).items()


def _delivered(deliveries: Deliveries, to: Sent, entry: Sealed, name: PartName, end: End) -> DeliveredPart | None:
    if end.is_dropped or entry.staged is None:
        return None
    space, received_at = entry.destination.space, end.outcome.written_at
    # What the first send of all brought was received where the entry says, when it was answered. All else is looked up.
    if end.number or end.outcome.by == "person" or entry.destination.path == "object_store":
        known = deliveries.of(name)[: end.number + 1]
        space, received_at = space_of(known) or space, _received_at(known, end)
    if space != to.space:
        return None
    return DeliveredPart(
        name=name.entry,
        part=name.part,
        entry=entry,
        staged=entry.staged,
        rows=entry.parts[name.part].rows,
        received_s=int(epoch_s_of(received_at)),
        version=name.part if len(entry.parts) > 1 else None,
    )


def _received_at(known: Sequence[Delivery], end: End) -> str:
    """Return when rows were received: an answer tells it itself; a file's status, and a person, tell it later."""
    sends = [item.intent for item in known if item.intent.word is None]
    if not sends or (end.outcome.by == "sender" and sends[-1].placed is None):
        return end.outcome.written_at
    return sends[-1].written_at
