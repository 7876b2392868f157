"""Child processes that never outlive their parent, and waiting with a deadline."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deployments.local import supervisor
from deployments.local.ports import PortTakenError, is_free

_POLL_S = 0.02
_GRACE_S = 10.0  # from SIGTERM to SIGKILL


class ChildError(RuntimeError):
    """A child process ended, or was not ready, before it should; the message ends with the last lines of its log."""


class DeadlineError(TimeoutError):
    """What was waited for did not come about by the deadline."""


class DirectoryInUseError(RuntimeError):
    """A directory is taken by another process."""


def wait_until(condition: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Return as soon as `condition` holds; raise DeadlineError, naming `what`, after `deadline_s` seconds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= deadline:
            raise DeadlineError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(_POLL_S)


@contextmanager
def only_one(directory: Path, *, deadline_s: float = 15) -> Iterator[int]:
    """Hold a directory against any other process; yields the lock's descriptor, for `running(..., keep_open=...)`.

    The children of a parent that was just killed need a moment to end; they keep the lock until they have.
    Raises: DirectoryInUseError when it is still taken after `deadline_s` seconds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            wait_until(lambda: _locked(descriptor), deadline_s, f"the lock of {directory}")
        except DeadlineError as late:
            raise DirectoryInUseError(
                f"{directory} is in use by another process: end that one, or choose another directory"
            ) from late
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM leave every `with` block in order, as Ctrl-C does. For the main thread of a command.

    Without it SIGTERM ends Python on the spot; children still end, but side by side and not one after the other.
    """

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(slots=True, kw_only=True)
class Child:
    """A supervised command. Made by `running`; signals go to the command and to all that it started in its group."""

    name: str
    command: Sequence[str] = field(repr=False)
    log_path: Path
    env: Mapping[str, str] | None = field(repr=False)  # it may hold secrets
    ready: Callable[[], bool] = field(repr=False)
    deadline_s: float
    ports: Sequence[int]
    keep_open: Sequence[int]
    pid: int = 0
    _lifeline: socket.socket | None = field(default=None, repr=False)
    _supervisor: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, 128 + n after signal n; None while it runs."""
        return None if self._supervisor is None else self._supervisor.poll()

    def start(self) -> None:
        """Start, and wait until it is ready. Raises: PortTakenError, ChildError with the end of its log."""
        # Checked first: a stale server on the same port would otherwise pass for this child.
        if taken := [port for port in self.ports if not is_free(port)]:
            raise PortTakenError(f"{self.name} cannot start: another process listens on port {taken[0]}")
        self._spawn()
        try:
            wait_until(self._ready_or_dead, self.deadline_s, f"{self.name} to be ready")
        except DeadlineError as late:
            raise ChildError(f"{late}{self._log_tail()}") from late

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would, and return when it is gone."""
        self._order(supervisor.KILL)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), insist after the grace period, and return when it is gone."""
        self._order(supervisor.TERMINATE)

    def restart(self, *, crash: bool = False) -> None:
        """End it, by SIGKILL if `crash`, and start the same command again: on the same ports and data."""
        if crash:
            self.kill()
        self.terminate()
        self.start()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        arguments = [str(theirs.fileno()), str(_GRACE_S), *self.command]
        with theirs, self.log_path.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=None if self.env is None else dict(self.env),
                pass_fds=(theirs.fileno(), *self.keep_open),
                start_new_session=True,
            )
        self._lifeline = ours
        with ours.makefile("rb") as answers:
            pid = answers.readline()
        if not pid:
            self._supervisor.wait()
            raise ChildError(f"{self.name} could not be started{self._log_tail()}")
        self.pid = int(pid)

    def _ready_or_dead(self) -> bool:
        if not self.alive:
            raise ChildError(f"{self.name} ended with status {self.exit_status} before it was ready{self._log_tail()}")
        return self.ready()

    def _order(self, order: bytes) -> None:
        if self._supervisor is None or self._lifeline is None:
            return
        with suppress(OSError):  # it may have ended by itself
            self._lifeline.sendall(order)
        try:
            self._supervisor.wait()
        finally:
            # Also when a second Ctrl-C breaks the wait off: the closed lifeline ends the command.
            self._lifeline.close()

    def _log_tail(self, lines: int = 20) -> str:
        tail = self.log_path.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"; the last lines of {self.log_path}:", *tail]) if tail else f"; {self.log_path} is empty"


@contextmanager
def running(
    command: Sequence[str],
    *,
    log_path: Path,
    env: Mapping[str, str] | None = None,
    ready: Callable[[], bool],
    deadline_s: float,
    name: str,
    ports: Sequence[int] = (),
    keep_open: Sequence[int] = (),
) -> Iterator[Child]:
    """Run a command for as long as the block, or this process, lives.

    log_path: its output is appended there. env: the whole environment; this process's own if None.
    ready, deadline_s: the block is entered when `ready` holds, at most so many seconds later.
    ports: must be free at each start. keep_open: descriptors (locks) kept until it has ended.
    Raises: PortTakenError, ChildError.
    """
    child = Child(
        command=command,
        log_path=log_path,
        env=env,
        ready=ready,
        deadline_s=deadline_s,
        name=name,
        ports=ports,
        keep_open=keep_open,
    )
    try:
        child.start()
        yield child
    finally:
        child.terminate()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
