"""Texts of anybody's in a grid that fits a terminal: nothing in them acts, and columns stay aligned."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_GAP = "  "
_MARKS = 4  # characters at most that stand in one place: accents on accents


def grid(columns: Sequence[Sequence[str]], width: int, *, least: int = 1) -> tuple[list[str], int]:
    """Return lines of the first columns that fit, and how many these are.

    Args:
        width: of the terminal, in characters.
        least: columns that are shown though they do not fit.
    """
    widths = [max(map(cells, column)) for column in columns]
    fitting, left = 0, width
    while fitting < len(widths) and (fitting < least or widths[fitting] <= left):
        left -= widths[fitting] + len(_GAP)
        fitting += 1
    rows = zip(*columns[:fitting], strict=True)
    return [_GAP.join(map(_padded, row, widths)).rstrip() for row in rows], fitting


def fitted(text: str, width: int) -> str:
    """Return a text of so many places at most; what a terminal would act on is a dot, for an event may be anybody's."""
    kept = "".join(character if character.isprintable() else "·" for character in text[: width * _MARKS])
    if len(kept) == len(text) and cells(kept) <= width:
        return kept
    left = width - 1
    for at, character in enumerate(kept):
        left -= _places(character)
        if left < 0:
            return f"{kept[:at]}…"
    return f"{kept}…"


def cells(text: str) -> int:
    """Return how wide a text is on a terminal: many characters of East Asia take two places, accents none."""
    return sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
