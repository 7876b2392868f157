"""The stand-in's time, which may be moved ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from deployments.local.arize.journal import Journal


class Clock:
    """Gives the time in seconds since the epoch: that of `machine`, and ahead of it once it was moved.

    It goes on from where it was moved to, never goes back, and is not set right by a restart or by a reset.
    """

    def __init__(self, directory: Path, machine: Callable[[], float]) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._journal = Journal(directory / "clock.jsonl")
        self._ahead_s = max((line["ahead_s"] for line in self._journal.replay()), default=0.0)

    def __call__(self) -> float:
        return self._machine() + self._ahead_s

    def move_to(self, at: float) -> None:
        """Go on from `at`, in seconds since the epoch. Raises: ValueError, it lies in the past."""
        with self._lock:
            if (passed := self() - at) > 0:
                raise ValueError(f"the clock never goes back: {at:f} was {passed:.3f} s ago")
            self._move(at - self._machine())

    def advance(self, seconds: float) -> None:
        """Go on from so many seconds later. Raises: ValueError, they are fewer than none."""
        with self._lock:
            if not 0 <= seconds < float("inf"):
                raise ValueError(f"the clock never goes back: cannot advance by {seconds} s")
            self._move(self._ahead_s + seconds)

    def close(self) -> None:
        self._journal.close()

    def _move(self, ahead_s: float) -> None:
        self._journal.write({"ahead_s": ahead_s}, durable=True)
        self._ahead_s = ahead_s
