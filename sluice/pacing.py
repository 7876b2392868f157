"""How fast rows go to Arize: what all runs of one space may send together."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from sluice.clock import Clock

# Waits until so many rows may go, which then count as sent.
Pace = Callable[[int], None]

_MOST_ROWS = 1_000_000


def unpaced(rows: int) -> None:
    """Wait for nothing."""


class OwnPace:
    """A pace that the threads of one run keep together, each part waiting for those before it."""

    def __init__(self, rows_per_second: float, clock: Clock) -> None:
        self._rate = rows_per_second
        self._clock = clock
        self._paid_s = clock.elapsed_s()
        self._lock = threading.Lock()

    def __call__(self, rows: int) -> None:
        with self._lock:
            self._clock.wait(max(0.0, self._paid_s - self._clock.elapsed_s()))
            self._paid_s = max(self._paid_s, self._clock.elapsed_s()) + rows / self._rate


class MachinePace:
    """A pace that all runs of a space on this machine keep together, each part waiting for those before it.

    They share a file that says when what was sent so far is paid for, at so many rows a second; who waits holds its
    lock, and a run that is killed loses it. So no more than the largest part goes at once, and on the average the rate
    holds.
    """

    def __init__(self, space: str, rows_per_second: float, clock: Clock, directory: Path | None = None) -> None:
        name = hashlib.sha256(space.encode()).hexdigest()[:16]
        self._path = (directory or Path(tempfile.gettempdir())) / f"sluice-pace-{os.getuid()}-{name}"
        self._rate = rows_per_second
        self._clock = clock

    def __call__(self, rows: int) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._clock.wait(max(self._paid_at(file.read()) - self._clock.epoch_s(), 0.0))
            file.seek(0)
            file.write(f"{self._clock.epoch_s() + rows / self._rate:.6f}\n")
            file.truncate()

    def _paid_at(self, text: str) -> float:
        """When the last part is paid for; a clock that was set back must not make anybody wait for ever."""
        try:
            paid_at = float(text)
        except ValueError:  # new, or of a run that was killed while it wrote
            return 0.0
        longest_s = _MOST_ROWS / self._rate
        return min(paid_at, self._clock.epoch_s() + longest_s) if paid_at > 0 else 0.0
