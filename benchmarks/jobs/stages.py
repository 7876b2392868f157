"""How long each stage of Sluice's windows takes: a clock around the one function that does it, a call a window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Final
from unittest import mock

from sluice import windows
from sluice.opening import KafkaWindows
from sluice.staging import Staging

_CLOCKED: Final[Mapping[str, tuple[Any, str]]] = {
    "reading": (KafkaWindows, "read"),
    "decoding": (windows, "decode"),
    "mapped": (windows, "map_window"),
    "staging": (Staging, "stage"),
}


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Hand out the seconds that each stage takes, by its name; they are there at the end."""
    found = dict.fromkeys(_CLOCKED, 0.0)
    with ExitStack() as stack:
        for name, (owner, function) in _CLOCKED.items():
            timed = _timed(getattr(owner, function), name, found)
            stack.enter_context(mock.patch.object(owner, function, timed))
        yield found
    found["mapping and validating"] = found.pop("mapped") - found["decoding"]


def _timed(function: Callable[..., Any], name: str, found: dict[str, float]) -> Callable[..., Any]:
    @wraps(function)
    def clock(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            found[name] += time.perf_counter() - began

    return clock
