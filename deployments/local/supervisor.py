"""Keep one command alive exactly as long as the process that asked for it.

Run as a script (standard library only) by `deployments.local.processes`: `supervisor.py LIFELINE_FD GRACE_S COMMAND…`.
The lifeline is one end of a socket pair. The supervisor writes the command's pid to it and reads orders from it; when
the other end closes, its owner is gone, whatever way it went (kill -9 included), and the command goes too. A death
signal of the kernel alone (PR_SET_PDEATHSIG) would not do: it is Linux's own, and bound to the *thread* that forked.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time

TERMINATE = b"T"
KILL = b"K"

_PR_SET_PDEATHSIG = 1


def supervise(lifeline: socket.socket, grace_s: float, command: list[str]) -> int:
    """Run `command` until it ends, is told to, or has lost its owner; return its status, 128 + n after signal n."""
    owner = os.getppid()
    wake = _signals_as_bytes()
    # In a session of its own: Ctrl-C in the terminal must reach the owner alone, who ends its children in order.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_supervisor,  # noqa: PLW1509 - unsafe beside threads, and there are none here
    )
    lifeline.sendall(b"%d\n" % child.pid)
    kill_at = float("inf")
    while child.poll() is None:
        order = _next_order(lifeline, wake, owner)
        if order == TERMINATE and kill_at == float("inf"):
            _signal_group(child.pid, signal.SIGTERM)
            kill_at = time.monotonic() + grace_s
        if order == KILL or time.monotonic() >= kill_at:
            _signal_group(child.pid, signal.SIGKILL)
    _signal_group(child.pid, signal.SIGKILL)  # what the command itself started and left behind
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _next_order(lifeline: socket.socket, wake: socket.socket, owner: int) -> bytes:
    """Wait up to half a second for an order; the empty one means that there is none."""
    ready, _, _ = select.select([lifeline, wake], [], [], 0.5)
    if wake in ready and set(wake.recv(64)) - {signal.SIGCHLD}:
        return TERMINATE
    if lifeline in ready:
        return _received(lifeline) or _orphaned()
    # A process forked off the owner may hold a copy of the lifeline's other end, which then does not close with it.
    return TERMINATE if os.getppid() != owner else b""


def _received(lifeline: socket.socket) -> bytes:
    try:
        return lifeline.recv(1)
    except ConnectionError:
        return b""


def _orphaned() -> bytes:
    time.sleep(
        0.05
    )  # a closed lifeline is always ready: without a pause the loop would spin until the command has ended
    return TERMINATE


def _signals_as_bytes() -> socket.socket:
    """Turn signals into bytes on a socket, so that one `select` waits for everything."""
    wake, waker = socket.socketpair()
    wake.setblocking(False)
    waker.setblocking(False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker.detach())
    return wake


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(leader, number)


def _die_with_supervisor() -> None:
    """Ask the kernel, where it can, to end the command even if the supervisor itself is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(supervise(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), sys.argv[3:]))
