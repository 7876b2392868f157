"""Fork commands, and the senders of their rows, off a process that has imported all that they need.

`sluice` spends a second of a short run on imports, and the SDK takes two in each sender. Here every one of them is
still a process of its own, with its own environment, input and output, and dies by `kill -9` like any other; it only
starts in a tenth of the time. `test_new_pipeline` goes the whole way, without any of this.

It listens on the Unix socket that its argument names. A client sends one line, an order as JSON, and is told, a line
each: `{"pid": …}`, `{"stopped": true}` as often as the process stops, `{"code": …}` at the end (negative: the signal).
A command finds, as `sys.executable`, a launcher that orders its sender here, with its own standard streams.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

IMPORTED = (
    *("flows.cli", "sluice.opening", "sluice.ingest", "sluice.forecast", "sluice.status", "sluice.resolution"),
    *("sluice.windows", "sluice.staging", "sluice.stores.s3", "sluice.destinations.sdk_sender"),
)
LAUNCHER = """#!{python} -IS
import json, os, socket, sys
at = socket.socket(socket.AF_UNIX)
at.connect({socket!r})
socket.send_fds(at, [json.dumps({{"sender": True, "env": dict(os.environ)}}).encode() + b"\\n"], [0, 1, 2])
for line in at.makefile():
    if "code" in (told := json.loads(line)):
        sys.exit(abs(told["code"]))
"""


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    importlib.import_module("sluice.destinations.sdk_sender")._warm_up()
    path = Path(sys.argv[1])
    launcher = path.with_name("python")
    launcher.write_text(LAUNCHER.format(python=sys.executable, socket=str(path)))
    launcher.chmod(0o700)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever watches over a process is not waited for
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _watch_over(connection, str(launcher))
            connection.close()


def _watch_over(connection: socket.socket, launcher: str) -> NoReturn:
    """Fork what is ordered, tell what becomes of it, end it when whoever ordered it is gone, and end with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words, streams = b"", []
    while not words.endswith(b"\n"):
        block, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        words += block
        streams += descriptors
    order = json.loads(words)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(order, streams, launcher)
    for descriptor in streams:
        os.close(descriptor)
    _tell(connection, {"pid": pid})
    code = _outcome(connection, pid)
    _tell(connection, {"code": code})
    os._exit(0)


def _outcome(connection: socket.socket, pid: int) -> int:
    watched, asking = os.pidfd_open(pid), connection.fileno()
    while True:
        # A stop is no end, so a descriptor does not tell of it: it is looked for now and then.
        ready, _, _ = select.select([watched, asking], [], [], 0.02)
        if asking in ready:
            os.kill(pid, signal.SIGKILL)
        found, status = os.waitpid(pid, os.WUNTRACED | (0 if ready else os.WNOHANG))
        if found and not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        if found:
            _tell(connection, {"stopped": True})


def _tell(connection: socket.socket, words: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(words).encode() + b"\n")
    except OSError:
        pass  # whoever asked is gone


def _become(order: dict[str, Any], streams: list[int], launcher: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(order["env"])
    if order.get("sender"):
        for at, descriptor in enumerate(streams):
            os.dup2(descriptor, at)
            os.close(descriptor)
        _end(importlib.import_module("sluice.destinations.sdk_sender").main)
    for at, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), at)
    faulthandler.enable()
    if order["pause"]:
        logging.getLogger("sluice").addFilter(_Pause(order["pause"]).filter)
    sys.executable = launcher
    _end(lambda: importlib.import_module("flows.cli").main(order["arguments"]))


def _end(main: Callable[[], int | None]) -> NoReturn:
    """Run a program to its end, as the interpreter would."""
    code = 1
    try:
        code = main() or 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001 - told on stderr, as at the end of any process
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Pause:
    """Stop this process, as SIGSTOP does, when a step is logged for the n-th time: `window.staged:2`."""

    def __init__(self, at: str) -> None:
        self._step, times = at.split(":")
        self._left = int(times)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().split(" ")[0] == self._step:
            self._left -= 1
            if self._left == 0:
                # To this thread, which so gets no further; sent to the process, it would stop it a moment later.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return True


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
