"""Bad records among good ones, of every kind that topics know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final


def _without_id(event: dict[str, Any]) -> Any:
    return {key: value for key, value in event.items() if key != "id"}


def _text_score(event: dict[str, Any]) -> Any:
    return event | {"prediction": {"label": "delayed", "score": "high"}}


def _broken_int(event: dict[str, Any]) -> Any:
    return event | {"features": event["features"] | {"distance": 1.5}}


_WAYS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda value: value[:-20],  # cut off: not JSON
    lambda value: b"[" + value + b"]",  # no object
    lambda value: value + value,  # two in one
    lambda value: value.replace(b'"carrier":"', b'"carrier":"\xff'),  # not UTF-8
    lambda value: value.replace(b'"attempt":1', b'"attempt":NaN'),  # in a field that nobody maps
    lambda value: json.dumps(_without_id(json.loads(value))).encode(),
    lambda value: json.dumps(_text_score(json.loads(value))).encode(),
    lambda value: json.dumps(_broken_int(json.loads(value))).encode(),
    lambda _: b"",
)


def spoilt(values: Iterable[bytes], share: float) -> Iterator[bytes]:
    """Spoil a share of values, evenly spread, in all ways in turn."""
    bad = 0
    for number, value in enumerate(values, 1):
        if bad < int(number * share):
            bad += 1
            yield _WAYS[bad % len(_WAYS)](value)
        else:
            yield value
