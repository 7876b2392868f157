"""What was seen of each field of a sample's events: how often, of which types, how many values; and no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

from sluice.drafting.kinds import kind_field
from sluice.drafting.looks import MOST, are_dated, looks_like, unit_of_numbers, unit_of_texts
from sluice.drafting.maps import told_keys
from sluice.drafting.names import Path
from sluice.pipeline import TimeUnit

Type = Literal["string", "number", "bool", "object", "array"]
DEEPEST: Final = 8
MOST_FIELDS: Final = 1000  # and objects that hold them
_TYPES: Final[dict[type, Type]] = {
    **dict.fromkeys((int, float), "number"),
    str: "string",
    bool: "bool",
    dict: "object",
    list: "array",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What was seen at a path.

    Attributes:
        of: events in the sample.
        values: of them, how many have a value here; `nulls`: how many a null.
        types: how many values are of each type.
        distinct: different values of the main type; 0 of objects and arrays.
        paired: how many values are one of the two commonest.
        fractions: numbers that are not written as whole ones.
        low, high: of the numbers; None where there is none.
        unit: how most values write a time, if they do.
        longest: characters of the longest text.
        blanks: texts without a character.
        looks: what texts look like, by themselves: somebody's addresses.
        is_dated: the texts are dates or times, if not such as a unit tells.
    """

    path: Path
    of: int
    values: int
    nulls: int
    types: dict[Type, int]
    distinct: int
    paired: int = 0
    fractions: int = 0
    low: float | None = None
    high: float | None = None
    unit: TimeUnit | None = None
    longest: int = 0
    blanks: int = 0
    looks: str | None = None
    is_dated: bool = False

    @classmethod
    def of_values(cls, path: Path, found: Sequence[Any], events: int) -> Self:
        held = [value for value in found if value is not None]
        types = Counter(_TYPES[type(value)] for value in held)
        texts = [value for value in held if type(value) is str]
        numbers = [value for value in held if type(value) in (int, float)]
        main = _main(types)
        scalars = {"string": texts, "number": numbers, "bool": [value for value in held if type(value) is bool]}
        different = Counter(scalars.get(main or "", []))
        return cls(
            path=path,
            of=events,
            values=len(held),
            nulls=len(found) - len(held),
            types=dict(types),
            distinct=len(different),
            paired=sum(count for _, count in different.most_common(2)),
            fractions=sum(type(number) is float for number in numbers),
            low=min(numbers, default=None),
            high=max(numbers, default=None),
            unit=unit_of_texts(texts) if main == "string" else unit_of_numbers(numbers),
            longest=max(map(len, texts), default=0),
            blanks=sum(not text.strip() for text in texts),
            looks=looks_like(texts),
            is_dated=main == "string" and are_dated(texts),
        )

    @property
    def type(self) -> Type | None:
        """The type of most values; None where there is no such, or no value."""
        return _main(self.types)

    @property
    def others(self) -> int:
        """How many values are of another type than the main one."""
        return self.values - self.types.get(self.type, 0) if self.type else 0

    @property
    def is_unique(self) -> bool:
        return self.values > 1 and self.distinct == self.values

    @property
    def is_usual(self) -> bool:
        """Whether most events have it."""
        return self.values >= MOST * self.of

    @property
    def is_common(self) -> bool:
        """Whether it is no exception: events of several kinds may share a topic."""
        return self.values > 0 and self.values >= (1 - MOST) * self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a sample tells.

    Attributes:
        events: how many there are.
        fields: whatever is no object, in the order in which events have it.
        is_cut: there are more than so many fields and objects; the others were not looked at.
        unnamed: how many keys may be data, by the object that they are in; no such key is told.
        deep: objects that are nested too deeply to be looked at.
        kind: the field that tells events of different shapes apart; None where there is none.
    """

    events: int
    fields: tuple[Field, ...]
    is_cut: bool
    unnamed: dict[Path, int]
    deep: tuple[Path, ...]
    kind: Path | None


def learn(events: Sequence[dict[str, Any]]) -> Learned:
    """Look at each field of a sample's events."""
    look = _Look(len(events))
    fields = tuple(look.at(events, ()))
    return Learned(
        events=len(events),
        fields=fields,
        is_cut=look.is_cut,
        unnamed=look.unnamed,
        deep=tuple(look.deep),
        kind=kind_field(events, [field.path[0] for field in fields if _may_tell_apart(field)]),
    )


class _Look:
    def __init__(self, events: int) -> None:
        self._events = events
        self._left = MOST_FIELDS
        self.is_cut = False
        self.unnamed: dict[Path, int] = {}
        self.deep: list[Path] = []

    def at(self, objects: Sequence[dict[str, Any]], above: Path) -> Iterator[Field]:
        """Look at all objects that are at one path."""
        for key in self._names(objects, above):
            if not self._left:
                self.is_cut = True
                return
            self._left -= 1
            found = [item[key] for item in objects if key in item]
            field = Field.of_values((*above, key), found, self._events)
            if field.type != "object":
                yield field
            elif len(field.path) < DEEPEST:
                yield from self.at([item for item in found if type(item) is dict], field.path)
            else:
                self.deep.append(field.path)

    def _names(self, objects: Sequence[dict[str, Any]], above: Path) -> list[str]:
        names = told_keys(objects, above)
        if left_out := len({key for item in objects for key in item}) - len(names):
            self.unnamed[above] = left_out
        return names


def _main(types: dict[Type, int]) -> Type | None:
    every = sum(types.values())
    return next((name for name in get_args(Type) if every and types.get(name, 0) >= MOST * every), None)


def _may_tell_apart(field: Field) -> bool:
    return len(field.path) == 1 and field.is_usual and field.type in ("string", "number", "bool")
