"""What the numbers were measured on, in a line; and how much of it others took meanwhile."""

from __future__ import annotations

import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path

_SHOWN = ("polars", "pyarrow", "confluent-kafka", "arize", "prefect")
_TICKS = os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")


def machine_line() -> str:
    """Name the processors, the memory, and the versions that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = ".".join(platform.release().split(".")[:2])
    versions = ", ".join(f"{name} {version(name)}" for name in _SHOWN)
    return (
        f"{os.cpu_count()} cores ({_processor()}) shared with the broker, {memory:.0f} GiB, "
        f"{platform.system()} {kernel}, Python {platform.python_version()}, {versions}"
    )


class Meanwhile:
    """What else the machine does from now on."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._before = _spent()

    def line(self) -> str:
        """Say how busy others kept it; to be asked when all processes of our own have ended."""
        whole, busy, own = (after - before for after, before in zip(_spent(), self._before, strict=True))
        if not whole:
            return ""
        others = max(0.0, busy - own) / whole
        return f"Load before the start {self._load:.1f}; others took {others:.0%} of the cores meanwhile."


def _spent() -> tuple[float, float, float]:
    """Return seconds of processor time since the start of the machine: all, all but idle ones, and our own."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    if not _STAT.exists():
        return 0.0, 0.0, own
    # user, nice, system, idle, iowait, irq, softirq, steal; what follows is in the first two already
    ticks = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:9]]
    whole = sum(ticks) / _TICKS
    return whole, whole - (ticks[3] + ticks[4]) / _TICKS, own


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
