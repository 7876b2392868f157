"""What the names of fields tell: whether they are names at all, what they speak of, and whether of a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Path = tuple[str, ...]


def vocabulary(words: str) -> frozenset[str]:
    """Return the words of a text, for telling what a name speaks of."""
    return frozenset(words.split())


FEATURES: Final = ("features", "inputs")
_NAME: Final = re.compile(r"[^\W\d]\w*(?:[.-]\w+)*")
_PHRASE: Final = re.compile(r"@?[^\W\d][\w .:/()%-]*(?<! )")
_LONGEST: Final = 64
_LIKE_DATA: Final = re.compile(r"[0-9]{5}|[0-9a-fA-F-]{16}")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|[0-9]+")
_PERSONAL: Final = vocabulary(
    "email mail phone telephone tel mobile cellphone fax msisdn address addr street zip zipcode postcode postal ssn "
    "passport ip ipv4 ipv6 imei iban surname firstname lastname fullname username nickname birthday birthdate "
    "birth dob password cvv "
)
# Whose name it is: of these, no person's.
_THINGS: Final = vocabulary(
    "model host event feature file service app application topic class type table product experiment environment env "
    "column field metric server cluster job pipeline queue airport airline carrier city region country"
)


def is_name(key: str, *, is_usual: bool = False) -> bool:
    """Whether a key looks like a field's name, and not like data: an id, an address, a person's name.

    Args:
        is_usual: nearly all of many events have it: then it may have spaces and the like, such as `Age (years)`.
    """
    if len(key) > _LONGEST or not key.isprintable() or not (_PHRASE if is_usual else _NAME).fullmatch(key):
        return False
    return not _LIKE_DATA.search(key)


def words(key: str) -> list[str]:
    """Split a name: `modelVersion` and `model_version` are `model`, `version`."""
    return [word.lower() for word in _WORD.findall(key)]


def path_words(path: Sequence[str]) -> list[str]:
    return [word for key in path for word in words(key)]


def is_below(path: Path, above: Path | None) -> bool:
    """Whether a path is another one, or leads through it."""
    return above is not None and path[: len(above)] == above


def personal_part(path: Path) -> Path | None:
    """Return the path of the field, or of the object that it is in, that may be of a person, by its name."""
    for depth in range(1, len(path) + 1):
        if _is_personal(words(path[depth - 1]), words(path[depth - 2]) if depth > 1 else []):
            return path[:depth]
    return None


def _is_personal(found: Sequence[str], above: Sequence[str]) -> bool:
    if _PERSONAL.intersection(found):
        return True
    if "name" not in found:
        return False
    at = found.index("name")
    owner = found[at - 1] if at else above[-1] if above else ""
    return owner not in _THINGS
