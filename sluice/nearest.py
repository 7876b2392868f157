"""The nearest right word: for keys, values, variables and names of pipelines."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, allowed: Iterable[str], *, at_least: float = 0.6) -> str | None:
    """Return the allowed word that is most like this one, whatever its case; None where none is near.

    Args:
        at_least: how like it must be, from 0 to 1: twice the characters in common, by the characters of both.
    """
    by_lower = {choice.lower(): choice for choice in allowed}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=at_least)
    return by_lower[found[0]] if found else None


def allowed_and_nearest(word: object, allowed: Iterable[str]) -> str:
    """Return `allowed: a, b, c; nearest to "bb": b`."""
    choices = list(allowed)
    near = nearest(word, choices) if isinstance(word, str) else None
    return f"allowed: {', '.join(choices)}" + (f'; nearest to "{word}": {near}' if near else "")
