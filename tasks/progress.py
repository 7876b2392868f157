"""A bar in the page of a run that goes on for a while: offsets done, how fast, and how long it will take."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from sluice.ingest import Planned
from sluice.report import WindowReport
from tasks.never_failing import never_failing

_EVERY_S: Final = 2.0
_MOMENT_S: Final = 5.0
_FEW: Final = 2  # windows: over before anybody looks at a bar


class Progress:
    """Offsets done of those that a run found to do.

    A thread of its own tells Prefect: a server that is gone, which its client asks again for minutes, keeps no window.

    Args:
        key: of the artifact.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._id: UUID | None = None
        self._whole = 0
        self._left = 0
        self._began_s = self._said_s = 0.0
        self._last: Future[object] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="progress")

    def begin(self, offsets: int) -> None:
        """Show the bar, once; what a later look adds is added."""
        is_first = not self._whole
        self._whole += offsets
        self._left += offsets
        if is_first and offsets:
            self._began_s = self._said_s = time.monotonic()
            self._submit(self._create)

    def update(self, left: int) -> None:
        """Say that so many offsets are left; soon, if it was said a moment ago."""
        self._left = left
        if (now_s := time.monotonic()) - self._said_s >= _EVERY_S:
            self._said_s = now_s
            self._submit(self._update)

    def so_far(self, left: int) -> str:
        """How far it has come, in words, when so many offsets are left."""
        return f"{max(self._whole - left, 0):,} of {self._whole:,} offsets taken"

    def rest(self) -> None:
        """Tell how far it is, and leave a moment to that: a run that is over has a full bar, as a rule."""
        if self._last is not None:
            self._submit(self._update)
            wait([self._last], timeout=_MOMENT_S)

    def _submit(self, tell: Callable[[], object]) -> None:
        self._last = self._thread.submit(contextvars.copy_context().run, tell)

    @never_failing
    def _create(self) -> None:
        found = create_progress_artifact(0.0, key=self._key, description="0 offsets done")
        self._id = found if isinstance(found, UUID) else None

    @never_failing
    def _update(self) -> None:
        left = self._left  # by now: what was to be told meanwhile is told with it
        if self._id is not None:
            percent, words = progress_of(self._whole, left, time.monotonic() - self._began_s)
            update_progress_artifact(self._id, percent, description=words)


class PlannedProgress:
    """The bar of a run that drains what it planned: after a while away that may be a week."""

    def __init__(self, pipeline: str) -> None:
        self.bar = Progress(f"progress-{pipeline}")
        self._left: int | None = None

    def planned(self, planned: Planned) -> None:
        """Show what is to do, at the first plan; another run that makes that void changes nothing of the bar."""
        windows = planned.plan.windows[: planned.plan.most]
        if self._left is None and len(windows) > _FEW:
            self._left = sum(item.span for window in windows for item in window)
            self.bar.begin(self._left)

    def ended(self, window: WindowReport) -> None:
        """Say that a window is delivered, or held."""
        if self._left is not None and window.sealed_here:
            self._left = max(self._left - window.entry.balance.total, 0)
            self.bar.update(self._left)


def progress_of(whole: int, left: int, seconds: float) -> tuple[float, str]:
    """How far it is: in percent, and in words."""
    done = max(whole - left, 0)
    rate = done / seconds if seconds > 0 else 0.0
    words = f"{done:,} of {whole:,} offsets, {rate:,.0f} a second"
    words += f", about {left / rate:,.0f} s left" if rate and left else ""
    return (100.0 * done / whole if whole else 100.0), words
