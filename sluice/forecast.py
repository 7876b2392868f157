"""What a run would do now: its windows, and how much memory it would take at most. Reads and writes nothing."""

from __future__ import annotations

from typing import Any

from sluice.pipeline import Limits
from sluice.run import Run

# Rounded up from runs of the sample events: an idle run, what a window costs for each byte that it reads, and a sender.
_BASE_MIB = 200
_A_BYTE_READ = 4.0
_SENDER_MIB = 350


def forecast(run: Run) -> dict[str, Any]:
    """Plan without taking anything up, and estimate the peak of memory."""
    planned = run.forecast()
    limits = run.pipeline.limits
    return {
        "state": "held" if planned.problem else "done",
        "pipeline": run.pipeline.name,
        "windows": [[str(item) for item in window] for window in planned.plan.windows],
        "offsets": sum(item.span for item in planned.plan.ranges),
        "unfinished": [item.number for item in planned.unfinished],
        "held": str(planned.problem) if planned.problem else None,
        "peak_memory_mib": peak_memory_mib(limits),
        "peak_memory_why": f"windows of at most {limits.max_bytes >> 20} MiB, {limits.parallel_windows} in hand",
    }


def peak_memory_mib(limits: Limits) -> int:
    """Bound the memory of a run: by its window, never by its topic. All processes together."""
    window = limits.max_bytes / 2**20 * _A_BYTE_READ
    return round(_BASE_MIB + window + limits.parallel_windows * _SENDER_MIB)
