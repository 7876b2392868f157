"""One child process that calls the SDK: asked, listened to, killed."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sluice.answers import Answer
from sluice.clock import elapsed_s
from sluice.destinations.sdk_answers import refused, unknown

READY = b'{"ready": true}\n'
_START_S = 120.0
_GONE_S = 1.0
_ROOT = str(Path(__file__).parents[2])
# -P, and our own root last: nothing that lies in the working directory or beside us can pass for a module.
_SENDER = "import sys; sys.path.append(sys.argv[1]); from sluice.destinations import sdk_sender; sdk_sender.main()"


class Child:
    """A running sender, until it is killed or dies."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._directory = tempfile.mkdtemp(prefix="sluice-sending-")
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._started_s = elapsed_s()
        self._ready = self._begun = False
        self._why = ""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _SENDER, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the SDK's logs may quote values
            env=_environment(),
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's to answer
        )
        self._reader = threading.Thread(target=self._read, name="sluice-sender", daemon=True)
        self._reader.start()
        self._tell({**connection, "directory": self._directory})

    @property
    def alive(self) -> bool:
        return not self._why and self._process.poll() is None

    @property
    def may_still_start(self) -> bool:
        """Whether it imports the SDK, as far as one can tell: to begin anew would not be faster."""
        return self.alive and not self._ready and elapsed_s() < self._started_s + _START_S

    def is_ready(self, deadline: float) -> bool:
        """Wait until it can take an order; False if the deadline or the child's end comes first."""
        while not self._ready and (line := self._next_line(deadline)):
            self._ready = line == READY
        return self._ready

    def ask(self, order: Mapping[str, Any], deadline: float) -> Answer | None:
        """Hand an order to one that is ready and wait for its outcome; None if the deadline or its end comes first."""
        self._begun = False
        self._tell({**order, "deadline_s": deadline})
        answer = self._answer(deadline)
        if answer is None:
            self._why = self._why or "no answer in time: the sender was killed"
        return answer

    def kill(self) -> None:
        """End it at once, and remove what it had written for its send."""
        self._why = self._why or "the sender was told to end"
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # held by the kernel, it goes as soon as that lets it
            self._process.wait(_GONE_S)
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        with suppress(OSError):
            self._process.stdin.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def last_words(self) -> Answer:
        """Say what is known of the order of a child that was killed or died; it may have answered just before."""
        self._reader.join(_GONE_S)
        if answer := self._answer(deadline=0):
            return answer
        if self._begun:
            return unknown(f"{self._why} after the rows began to go out")
        return refused(f"{self._why}; nothing was sent", retry=True)

    def _answer(self, deadline: float) -> Answer | None:
        while line := self._next_line(deadline):
            if not line.startswith(b"{"):
                continue  # printed while Python started, before the sender could see to it
            answer = json.loads(line)
            if "kind" in answer:
                return Answer(**answer)
            self._begun = True
        return None

    def _next_line(self, deadline: float) -> bytes:
        try:
            line = self._lines.get(timeout=max(deadline - elapsed_s(), 0))
        except queue.Empty:
            return b""
        if not line:
            self._why = self._why or f"the sender died (status {self._process.wait(_GONE_S)})"
        return line

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put(line)
        self._lines.put(b"")

    def _tell(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        with suppress(OSError, ValueError):  # it has ended, or was killed meanwhile: its stdout tells
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()


def _environment() -> dict[str, str]:
    """Give the child the parent's variables but those that would change the address, the key or the TLS check.

    The SDK lets `ARIZE_REGION` and its like override an explicit host; `requests` lets ~/.netrc replace the key.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARIZE_")}
    return {**inherited, "NETRC": os.devnull, "ARIZE_LOG_ENABLE": "false"}
