"""The classes of predictions that a page of coverage draws and counts: each prediction is in one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sluice.ground_truth.days import Day

CLASSES: Final[Mapping[str, str]] = {
    "with truth": "an actual of its id was received within the joining window, or it brought its truth along",
    "none yet": "no actual of its id was sent, and it is in the joining window: one that comes in time joins it",
    "early": "an actual of its id came before the prediction itself, and none since that joins it",
    "late": "actuals of its id came, the first one behind the joining window",
    "left": "no actual of its id was sent, and it left the joining window: what comes now joins nothing",
}


def classes_of(counts: Day) -> dict[str, int]:
    """Return how many predictions are in each class, which together are all that were delivered.

    A prediction whose actual came early or late is in that class, waiting or not: a day says how many wait, and not for
    which class. So where a day has both, those without any actual are taken to wait first.
    """
    waiting = min(counts.none, counts.waiting)
    return {
        "with truth": counts.with_actual,
        "none yet": waiting,
        "early": counts.early,
        "late": counts.late,
        "left": counts.none - waiting,
    }
