"""How long truth takes: delays in seconds, counted in steps that are fine enough to read a percentile from. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]
_EXACT: Final = 256  # seconds are told apart below it; from there on, 128 steps to each doubling
_FINE: Final = 7
QUANTILES: Final = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99}


def steps_of(seconds: Seconds) -> Seconds:
    """Return the step that each delay is counted in; steps are in the order of delays."""
    size = np.abs(seconds)
    # The exponent of a whole number below 2**53 is exact; 0 has none that is needed.
    doublings = np.maximum(np.frexp(size.astype(np.float64))[1].astype(np.int64) - 1 - _FINE, 0)
    steps = np.where(size < _EXACT, size, (doublings << _FINE) + (size >> doublings))
    return np.where(seconds < 0, -steps, steps)


def longest_of(step: int) -> int:
    """Return the longest delay that is counted in a step, in seconds: at most 1/128 longer than any in it."""
    size = abs(step)
    if size < _EXACT:
        return step
    doublings = (size >> _FINE) - 1
    mantissa = (size & (2**_FINE - 1)) + 2**_FINE
    return -(mantissa << doublings) if step < 0 else ((mantissa + 1) << doublings) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Delays, counted; negative where the event times say that truth came first.

    Attributes:
        steps: how many are in each step.
    """

    steps: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Seconds) -> Delays:
        found, counts = np.unique(steps_of(seconds), return_counts=True)
        return cls(steps=dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def __add__(self, other: Delays) -> Delays:
        steps = Counter(self.steps)
        steps.update(other.steps)
        return Delays(steps=steps)

    @property
    def count(self) -> int:
        return sum(self.steps.values())

    def within(self, share: float) -> int | None:
        """Return in how many seconds this share of truths had come; None where there is none.

        It is too long by 1/128 at most, and exact below 256 seconds.
        """
        needed = math.ceil(share * self.count)
        reached = 0
        for step in sorted(self.steps):
            reached += self.steps[step]
            if reached >= needed:
                return longest_of(step)
        return None

    def curve(self) -> list[tuple[int, int]]:
        """Return how many truths had come within so many seconds: (seconds, count), both growing."""
        reached, points = 0, []
        for step in sorted(self.steps):
            reached += self.steps[step]
            points.append((longest_of(step), reached))
        return points

    def as_dict(self) -> dict[str, Any]:
        return {"count": self.count, **{name: self.within(share) for name, share in QUANTILES.items()}}
