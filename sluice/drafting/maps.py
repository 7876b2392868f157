"""Which keys of objects are names of fields, and which are data: in a map by users, each key is somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sluice.drafting.looks import MOST
from sluice.drafting.names import FEATURES, Path, is_name, words

_MANY: Final = 20  # objects, nearly all of which have no key by chance; keys that come and go, whatever they hold
_SOME: Final = 5  # the same, of values that are all alike, beside keys that every object has
_ENOUGH: Final = 10  # objects, from which on a key that only one of them has is no field
_DEEPEST: Final = 8


def told_keys(objects: Sequence[dict[str, Any]], path: Path) -> list[str]:
    """Return the keys that are names, in the order in which objects have them.

    Args:
        objects: all that are at a path; `path` is that one.
    """
    counts = Counter(key for item in objects for key in item)
    names = [key for key, count in counts.items() if _is_told(key, count, len(objects))]
    stable = [key for key in names if _is_stable(counts[key], len(objects))]
    others = [key for key in names if not _is_stable(counts[key], len(objects))]
    if path and _is_called_map(path[-1]):
        return stable if len(objects) >= _MANY else []
    if not _come_and_go(others, counts, len(objects)):
        return names
    is_map = _are_many(others, counts, objects)
    if not (path and path[-1].lower() in FEATURES) and len(others) >= (2 if not stable else _SOME):
        is_map |= (bool(path) or not stable) and _are_alike(_values(objects, others), _DEEPEST)
    return stable if is_map else names


def _is_told(key: str, count: int, objects: int) -> bool:
    is_usual = objects >= _MANY and _is_stable(count, objects)
    return is_name(key, is_usual=is_usual) and (count > 1 or objects < _ENOUGH)


def _is_called_map(key: str) -> bool:
    """Whether it is called like `by_user` or `clicks_per_page`; `created_by` is not."""
    return bool({"by", "per"}.intersection(words(key)[:-1]))


def _is_stable(count: int, objects: int) -> bool:
    return count >= MOST * objects


def _come_and_go(keys: Sequence[str], counts: Mapping[str, int], objects: int) -> bool:
    """Whether there are keys, of which an object has not even half."""
    return objects > 1 and len(keys) > 0 and sum(counts[key] for key in keys) * 2 <= len(keys) * objects


def _are_many(keys: Sequence[str], counts: Mapping[str, int], objects: Sequence[dict[str, Any]]) -> bool:
    if len(keys) <= _MANY:
        return False
    seldom = sum(counts[key] == 1 for key in keys)
    return len(keys) > 4 * max(map(len, objects)) or seldom * 2 > len(keys)


def _are_alike(values: Sequence[Any], depth: int) -> bool:
    """Whether values are of one type; of objects, whether they share a key, or are maps themselves."""
    kinds = {float if type(value) is int else type(value) for value in values}
    if kinds != {dict} or not depth:
        return len(kinds) <= 1
    keys = [frozenset(value) for value in values if value]
    if not keys or frozenset.intersection(*keys):
        return True
    inner = Counter(key for item in keys for key in item)
    return _come_and_go([*inner], inner, len(keys)) and _are_alike(_values(values, inner), depth - 1)


def _values(objects: Iterable[dict[str, Any]], keys: Iterable[str]) -> list[Any]:
    wanted = set(keys)
    return [value for item in objects for key, value in item.items() if key in wanted and value is not None]
