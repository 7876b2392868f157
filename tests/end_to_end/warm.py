"""Fork commands off a process that has imported all that they need.

`sluice` spends most of a short run on imports. Here every command is still a process of its own, with its own
environment, output and exit status, and dies by `kill -9` like any other; it only starts in a tenth of the time.

It listens on the Unix socket that its argument names. A client sends one line, an order as JSON, and is told, a line
each: `{"pid": …}`, `{"stopped": true}` as often as the command stops, `{"code": …}` at the end (negative: the signal).
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

IMPORTED = (
    *("flows.cli", "sluice.opening", "sluice.ingest", "sluice.forecast", "sluice.status", "sluice.resolution"),
    *("sluice.windows", "sluice.staging", "sluice.store.s3"),
)


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever watches over a command is not waited for
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(32)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _watch_over(connection)
            connection.close()


def _watch_over(connection: socket.socket) -> NoReturn:
    """Fork the command, tell what becomes of it, and end with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(order)
    _tell(connection, {"pid": pid})
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        _tell(connection, {"stopped": True})
    _tell(connection, {"code": os.waitstatus_to_exitcode(status)})
    os._exit(0)


def _tell(connection: socket.socket, words: dict[str, Any]) -> None:
    connection.sendall(json.dumps(words).encode() + b"\n")


def _become(order: dict[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(order["env"])
    for descriptor, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    if order["pause"]:
        logging.getLogger("sluice").addFilter(_Pause(order["pause"]).filter)
    code = 1
    try:
        code = importlib.import_module("flows.cli").main(order["arguments"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would, at the end of a process
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
                os.kill(os.getpid(), signal.SIGSTOP)
        return True


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
