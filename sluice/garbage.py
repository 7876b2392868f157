"""Python's garbage collector, kept from counting a window's messages over and over while it is in hand."""

from __future__ import annotations

import gc
import threading
from types import TracebackType

_SELDOM = 200_000


class _CollectingSeldom:
    """Raises the threshold of young objects, which is the whole process's, until the last of all threads has left.

    A window of 100,000 messages is as many objects that live on until it is staged: at Python's own threshold they are
    walked 140 times while they arrive, which costs a fifth of the reader's time, and once or twice more behind it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = gc.get_threshold()
                gc.set_threshold(max(_SELDOM, self._before[0]), *self._before[1:])
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                gc.set_threshold(*self._before)


collecting_seldom = _CollectingSeldom()
