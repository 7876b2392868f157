"""What is sealed is called: an entry by its number, a slot by its claim's number and its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class SlotName:
    """One window of a claim, or what was left of it; `str()` is `12/3`."""

    claim: int
    slot: int

    def __str__(self) -> str:
        return f"{self.claim}/{self.slot}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote.

        Raises:
            ValueError: the text names no slot.
        """
        match = re.fullmatch(r"(\d{1,12})/(\d{1,8})", text)
        if match is None:
            raise ValueError(f"not a slot: {text!r}")
        return cls(int(match[1]), int(match[2]))


EntryName = int | SlotName


def in_order(name: EntryName) -> tuple[int, int]:
    """By which names are sorted: slots stand behind the number of their claim."""
    return (name.claim, name.slot) if isinstance(name, SlotName) else (name, -1)


def parts_of(name: EntryName) -> tuple[int, int | None]:
    """The entry's number, and the slot where that is a claim."""
    return (name.claim, name.slot) if isinstance(name, SlotName) else (name, None)


def shown(name: EntryName) -> int | str:
    """A name in JSON: a number, or `12/3`."""
    return str(name) if isinstance(name, SlotName) else name


def name_of(text: str) -> EntryName:
    """Read a name.

    Raises:
        ValueError: it is neither a number nor a slot.
    """
    return int(text) if re.fullmatch(r"\d{1,12}", text) else SlotName.parse(text)
