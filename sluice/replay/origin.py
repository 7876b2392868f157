"""The entry that a person names: whether its rows were delivered, by whom they were made, and where they went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.errors import NothingToReplay
from sluice.ledger.deliveries import Delivery, PartName, end_of, is_refiled, space_of
from sluice.ledger.entries import Claim, Derived, Sealed, VoidSlot
from sluice.ledger.log import ways_out
from sluice.ledger.names import EntryName, SlotName, parts_of
from sluice.ledger.went import Sent
from sluice.run import Run

_LOOK = "See: sluice status FILE"
_SAME_ROWS = ("deliver", "redeliver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An entry whose rows were delivered.

    Attributes:
        maker: the entry whose records were read, and mapped by the file that it names: mostly the same one.
        maker_name: of that, by which its rejected records go.
        claim: whose window the maker is, with its number.
        sent: where its rows went.
    """

    name: EntryName
    entry: Sealed
    maker: Sealed
    maker_name: EntryName
    claim: tuple[int, Claim] | None
    sent: tuple[Sent, ...]

    @property
    def rows(self) -> int:
        return self.entry.rows_sent


def origin_of(run: Run, name: EntryName) -> Origin:
    """Find an entry by its name.

    Raises:
        NothingToReplay: there is none of that name, or it was not delivered, or another one should be named.
    """
    entry = _sealed(run, name)
    maker_name, maker = _maker(run, name, entry)
    _check_kind(name, maker)
    _check_not_held(run, name, entry)
    known = {part: run.deliveries.of(PartName.of(name, entry, part)) for part in range(len(entry.parts))}
    for part, deliveries in known.items():
        _check_delivered(run, name, part, deliveries)
    return Origin(
        name=name,
        entry=entry,
        maker=maker,
        maker_name=maker_name,
        claim=run.ledger.claim_of(maker),
        sent=tuple(dict.fromkeys(Sent.to(entry.destination, space=space_of(item)) for item in known.values())),
    )


def sent_by(run: Run, number: int) -> Iterator[Sent]:
    """Yield where an earlier replay took the rows of its origin; nothing where a person let go of them."""
    entry = run.ledger.sealed(number)
    version = entry.version if isinstance(entry, Derived) else None
    number, entry = _at_last(run, number)
    for part in range(len(entry.parts)):
        known = run.deliveries.of(PartName.of(number, entry, part))
        end = end_of(known)
        if end is None or not end.is_dropped:
            yield Sent.to(entry.destination, version=version, space=space_of(known))


def is_dropped(run: Run, number: int) -> bool:
    """Whether a person let go of rows of a derived entry."""
    number, entry = _at_last(run, number)
    ends = (end_of(run.deliveries.of(PartName.of(number, entry, part))) for part in range(len(entry.parts)))
    return any(end is not None and end.is_dropped for end in ends)


def check_came(run: Run, number: int, origin: EntryName, space: str) -> None:
    """Check that the rows of an earlier replay came where they were to go.

    Raises:
        NothingToReplay: a person let go of them, or sent them to another space.
    """
    elsewhere = {item.space for item in sent_by(run, number)} - {space}
    if elsewhere:
        raise NothingToReplay(
            f"Entry {number} was to take the rows of entry {origin} there, and a person sent them to {elsewhere.pop()}",
            "With count-twice, and the reason, another entry takes them",
        )
    if is_dropped(run, number):
        raise NothingToReplay(
            f"Entry {number} was to take the rows of entry {origin} there, and a person let go of them",
            "With count-twice, and the reason, another entry takes them",
        )


def _at_last(run: Run, number: int) -> tuple[int, Sealed]:
    """Return the entry by which the rows of one go out, which may be another file's."""
    last = run.ledger.state.once_more.goes_on_as(number)
    return last, run.ledger.sealed(last)


def _sealed(run: Run, name: EntryName) -> Sealed:
    entry = run.ledger.find(name)
    if isinstance(entry, Sealed):
        return entry
    match entry:
        case None:
            what = f"There is no entry {name}; the ledger's last one is {run.ledger.state.next_number - 1}"
            raise NothingToReplay(what, _LOOK)
        case Claim():
            windows = f"{name}/0 to {name}/{len(entry.windows) - 1}"
            raise NothingToReplay(f"Entry {name} is a backfill: each of its windows goes by itself", f"Name {windows}")
        case VoidSlot():
            raise NothingToReplay(f"Entry {name} is a window that was given up", "A backfill takes its offsets")
    raise NothingToReplay(f"Entry {name} delivered nothing: it is a {entry.kind}", "Name another")


def _maker(run: Run, name: EntryName, entry: Sealed) -> tuple[EntryName, Sealed]:
    while isinstance(entry, Derived) and entry.purpose in _SAME_ROWS:
        name = entry.origin_name
        entry = run.ledger.sealed(name)
    return name, entry


def _check_kind(name: EntryName, maker: Sealed) -> None:
    if not isinstance(maker, Derived):
        return
    if maker.purpose == "drop":
        raise NothingToReplay(
            f"Entry {name} lets go of what entry {maker.origin_name} held: nothing was delivered",
            "A backfill that takes them again brings these offsets",
        )
    if maker.purpose == "replay":
        raise NothingToReplay(
            f"Entry {name} is a replay of entry {maker.origin_name}", f"Name that one: {maker.origin_name}"
        )


def _check_not_held(run: Run, name: EntryName, entry: Sealed) -> None:
    if not entry.held:
        return
    if run.ledger.waiting(name) is not None:
        raise NothingToReplay(f"Entry {name} is held: nothing of it was delivered", f"First: {ways_out(name)}")
    raise NothingToReplay(f"Entry {name} was held: its rows went out by another entry, if any did", _by(run, name))


def _check_delivered(run: Run, name: EntryName, part: int, known: tuple[Delivery, ...]) -> None:
    end = end_of(known)
    if end is None and is_refiled(known):
        raise NothingToReplay(f"The rows of entry {name} went out as another file", _by(run, name))
    if end is None:
        way = "start its backfill again" if isinstance(name, SlotName) else "sluice run FILE"
        raise NothingToReplay(f"Entry {name} is not delivered yet (part {part})", f"First: {way}")
    if end.is_dropped:
        raise NothingToReplay(
            f"Entry {name}: a person let go of the rows of part {part}, and Arize never had them",
            "A backfill that takes them again brings these offsets",
        )


def _by(run: Run, name: EntryName) -> str:
    """Name the entry that ended another one; looked for only to be told."""
    for number in range(parts_of(name)[0] + 1, run.ledger.state.next_number):
        entry = run.ledger.entry(number)
        if isinstance(entry, Derived) and entry.origin_name == name:
            return f"Name the entry that ended it: {number}"
    return _LOOK
