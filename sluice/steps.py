"""The steps of a run: each is logged as an event with fields, and a drill may kill the process at any of them."""

from __future__ import annotations

import logging
import os
import signal
import threading

DRILL = "SLUICE_DRILL"

_log = logging.getLogger("sluice")
_times: dict[str, int] = {}
_counting = threading.Lock()


def step(event: str, /, **fields: object) -> None:
    """Log an event and its fields (offsets, counts and names; never a value of a record, never a secret).

    `SLUICE_DRILL=delivery.accepted:2` kills this very process, as `kill -9` would, when that step is reached for the
    second time; `SLUICE_DRILL=delivery.accepted:1:parent` kills the worker that started it, too. It is how the proofs,
    and the demo, show that the next run finishes what a dead one began.
    """
    _log.info("%s", " ".join((event, *(f"{name}={_shown(value)}" for name, value in fields.items()))))
    with _counting:  # threads reach steps side by side
        _times[event] = reached = _times.get(event, 0) + 1
    _drill(event, reached)


def _drill(event: str, reached: int) -> None:
    match os.environ.get(DRILL, "").split(":"):
        case [wanted, times, *rest] if wanted == event and int(times) == reached:
            if rest == ["parent"]:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
