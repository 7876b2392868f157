"""Whether a topic holds events of several kinds, and by which field they are told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sluice.drafting.names import Path, words

_WORDS: Final = frozenset({"type", "kind", "event", "schema"})
_MOST: Final = 20  # kinds


def kind_field(events: Sequence[dict[str, Any]], keys: Sequence[str]) -> Path | None:
    """Return the first of the keys, of those named like a type, whose values go with events of different shapes."""
    for key in keys:
        if _WORDS.intersection(words(key)[-1:]) and _tells_apart(key, events):
            return (key,)
    return None


def _tells_apart(key: str, events: Sequence[dict[str, Any]]) -> bool:
    by_kind: defaultdict[object, list[frozenset[Path]]] = defaultdict(list)
    for event in events:
        if isinstance(kind := event.get(key), str | int | bool):
            by_kind[kind].append(frozenset(_shape(event)))
    if not 2 <= len(by_kind) <= _MOST:
        return False
    always = [frozenset.intersection(*shapes) for shapes in by_kind.values()]
    ever = [frozenset.union(*shapes) for shapes in by_kind.values()]
    return any(one - other for one in always for other in ever)


def _shape(event: dict[str, Any]) -> Iterator[Path]:
    """Yield the paths of an event, two keys deep."""
    for key, value in event.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, inner) for inner in value)
