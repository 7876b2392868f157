"""How many requests a minute a key has, of each kind of operation."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable

_WINDOW_S = 60.0


class RateLimit:
    """Count what was let through in the last minute. Arize's own way to count is not known: this is the strictest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._passed: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def wait_s(self, key: str, operation: str, per_minute: int) -> float:
        """Let a request through, and return 0, or return after how many seconds there is room for it again."""
        if not per_minute:
            return 0.0
        now = self._clock()
        with self._lock:
            passed = self._passed[key, operation]
            while passed and passed[0] <= now - _WINDOW_S:
                passed.popleft()
            if len(passed) >= per_minute:
                return passed[len(passed) - per_minute] + _WINDOW_S - now
            passed.append(now)
            return 0.0
