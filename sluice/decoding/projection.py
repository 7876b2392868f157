"""What of an event is read: the paths that the pipeline's columns need, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from sluice.errors import WrongPipelineFile
from sluice.pipeline import Column, ColumnType, FromValue

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One field of the event: the keys that lead to it, and what it must hold where it is there and not null."""

    path: Path
    type: ColumnType

    def __str__(self) -> str:
        return ".".join(self.path)

    @property
    def column(self) -> str:
        """Its name as a decoded column; the control character keeps it apart from every staged name."""
        return "\x1f" + json.dumps(self.path)


@dataclass(frozen=True, slots=True)
class Projection:
    """The leaves that are read, each once, in the order in which columns first ask for them."""

    leaves: tuple[Leaf, ...]

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Self:
        """Collect what the columns read of the value.

        Raises:
            WrongPipelineFile: two columns contradict each other, so that no event can satisfy both.
        """
        found: dict[Path, Leaf] = {}
        for column in columns:
            if isinstance(column.origin, FromValue):
                leaf = Leaf(path=column.origin.path, type=event_type(column))
                found[leaf.path] = _both(found.get(leaf.path, leaf), leaf)
        for leaf in found.values():
            if any(leaf.path[:depth] in found for depth in range(1, len(leaf.path))):
                raise WrongPipelineFile(
                    f"{leaf} is below a field that is read as a value", "Change one of the two paths"
                )
        return cls(tuple(found.values()))

    def leaf(self, path: Path) -> Leaf:
        return next(leaf for leaf in self.leaves if leaf.path == path)


def event_type(column: Column) -> ColumnType:
    """Return what the event holds: a time is a number there, or text, whatever the staged column is."""
    if column.unit is None:
        return column.type
    return "string" if column.unit == "rfc3339" else "float"


def _both(one: Leaf, other: Leaf) -> Leaf:
    """A field that is read as int and as float is read as int: each int is a float too."""
    if one.type == other.type:
        return one
    if {one.type, other.type} != {"int", "float"}:
        raise WrongPipelineFile(f"{one} is read as {one.type} and as {other.type}", "Change the type of one of the two")
    return Leaf(path=one.path, type="int")
