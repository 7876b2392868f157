"""Time, injected, so that proofs need none of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def elapsed_s(self) -> float:
        """Seconds that only grow, and that go on while the machine sleeps."""

    def epoch_s(self) -> float:
        """The wall clock, for people and for judging event times; no decision about a delivery rests on it."""

    def wait(self, seconds: float) -> None: ...


def elapsed_s() -> float:
    """Seconds that only grow, of this machine."""
    # CLOCK_MONOTONIC stands still while a machine is suspended: a sender that wakes up would believe to be in time.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    def elapsed_s(self) -> float:
        return elapsed_s()

    def epoch_s(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def timestamp(epoch_s: float) -> str:
    """RFC 3339 in UTC, whole seconds: how every object of the ledger says when."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_s_of(timestamp: str) -> float:
    """Read back what `timestamp` wrote, in epoch seconds."""
    return datetime.fromisoformat(timestamp).timestamp()
