"""Run one job in a process of its own, and say what it took."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_SAMPLE_S: Final = 0.05
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_LAST_LINES: Final = 3


class JobError(RuntimeError):
    """A job ended before it was done; the message holds the last lines that it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run of a job took.

    Attributes:
        seconds: of the work, as the job itself measured it.
        whole_seconds: from the start of its process to its end.
        cpu_seconds: of all its processes together, by samples, twenty a second; no less than the system counted of its
            first process and of the children that it waited for.
        peak_bytes: of all its processes together, by samples of their resident sizes; what two of them share counts
            twice. No less than the first of them ever had. Not `ru_maxrss`: that of a new process begins with what its
            parent holds.
        told: whatever else the job said.
    """

    seconds: float
    whole_seconds: float
    cpu_seconds: float
    peak_bytes: int
    told: Mapping[str, Any] = field(default_factory=dict)


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, cwd: Path) -> Taken:
    """Run a job to its end.

    Raises:
        JobError: it failed, or said nothing.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
        samples = _Samples(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            samples.stop()
        whole = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        told = _answer(process.returncode, _text(out), _text(err))
    return Taken(
        seconds=told.pop("seconds"),
        whole_seconds=whole,
        cpu_seconds=max(samples.cpu_seconds, usage.ru_utime + usage.ru_stime),
        peak_bytes=samples.peak_bytes,
        told=told,
    )


def most_resident(pid: int) -> int:
    """Return the most bytes that a process ever had resident; 0 if it has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read()
    return text


def _answer(code: int, out: str, err: str) -> dict[str, Any]:
    if code == 0 and out.strip():
        answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return answer
    last = [line.strip() for line in (out + err).splitlines() if line.strip()][-_LAST_LINES:]
    raise JobError(f"ended with status {code}: {' / '.join(last)}")


class _Samples:
    """Looks at a process and all below it, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._cpu: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            resident = 0
            for pid in _tree(self._pid):
                used = _used(pid)
                if used is None:
                    continue
                if pid in self._cpu:  # in its first sample it may still have its parent's memory, about to start
                    resident += used[0]
                self._cpu[pid] = used[1]
            self.peak_bytes = max(self.peak_bytes, resident, most_resident(self._pid))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in _PROC.glob(f"{pid}/task/*/children"):
        try:
            below = children.read_text().split()
        except OSError:
            continue  # the thread has ended
        for child in below:
            yield from _tree(int(child))


def _used(pid: int) -> tuple[int, float] | None:
    """Return the resident bytes of a process and the seconds of processor time that it took; None if it has ended."""
    try:
        words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(words[21]) * _PAGE, (int(words[11]) + int(words[12])) / _TICKS
