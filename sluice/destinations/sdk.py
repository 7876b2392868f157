"""The SDK path: staged rows go to Arize through `ArizeClient.ml.log`, within a total time that holds.

The SDK's call never retries, may hang for ever, and its timeout is one of each wait on the socket: a server that sends
a byte a second is waited for without end. A limit on the whole needs something that can be killed, which a thread
cannot: so the call is made by a child process (`sdk_sender`), reused from send to send, killed at the deadline, and
gone when its parent is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from sluice.answers import Answer
from sluice.clock import elapsed_s
from sluice.destinations.sdk_answers import class_names, refused
from sluice.destinations.sdk_child import Child


class Secret(Protocol):
    """A key that does not show itself, like pydantic's `SecretStr`."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a part goes.

    Attributes:
        version: the model version of the part: where the file has a column `version`, rows of another one are not sent.
            None for actuals, which Arize joins whatever their version; then all rows are.
    """

    space_id: str
    model: str
    type: Literal["binary_classification", "regression"]
    environment: Literal["production"] = "production"
    version: str | None = None


class SdkDestination:
    """Arize by its SDK; a context manager. Leaving it ends the senders, even one in the middle of a send.

    Args:
        api_key: handed to the senders on their stdin, so that no list of processes shows it.
        host, port, scheme: of Arize's API; None is the SDK's default. The SDK's variables (`ARIZE_…`) change nothing.
        parallel: how many sends may be under way at once, each in a process of its own (280 MB, 340 MB at a send).
    """

    def __init__(
        self,
        *,
        api_key: Secret,
        host: str | None = None,
        port: int | None = None,
        scheme: str | None = None,
        parallel: int = 1,
    ) -> None:
        if parallel < 1:
            raise ValueError(f"parallel must be 1 or more, not {parallel}")
        endpoint = {"api_host": host, "api_port": port, "api_scheme": scheme}
        self._senders = [_Sender(api_key, endpoint) for _ in range(parallel)]
        self._idle: queue.LifoQueue[_Sender] = queue.LifoQueue()
        for sender in reversed(self._senders):  # the first one is taken first
            self._idle.put(sender)

    def __enter__(self) -> Self:
        """Start all senders."""
        self.start(len(self._senders))
        return self

    def start(self, senders: int) -> None:
        """Start so many senders, if there are: they import the SDK (2 s) while the caller reads its first window.

        The others start when a send needs them.
        """
        try:
            for sender in self._senders[:senders]:
                sender.child()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for sender in self._senders:
            sender.close()

    def send(self, file: Path, target: Target, *, rows: int, timeout_s: float) -> Answer:
        """Send the rows of one part of a staged file, once. May be called from `parallel` threads.

        Args:
            file: a staged Parquet file on this machine.
            rows: how many rows the part has; where the file holds another number nothing is sent.
            timeout_s: the limit on the whole, reading the file and waiting for a free sender included. A sender that is
                still starting then goes on with that, for the next send.
        """
        deadline = elapsed_s() + timeout_s
        try:
            sender = self._idle.get(timeout=max(timeout_s, 0))
        except queue.Empty:
            return refused(f"no sender was free within {timeout_s:g} s; nothing was sent", retry=True)
        try:
            return sender.send({"file": str(file.absolute()), "rows": rows, **asdict(target)}, deadline)
        finally:
            self._idle.put(sender)


class _Sender:
    """A place for one child at a time: a new one takes it when the one before was killed, or died."""

    def __init__(self, api_key: Secret, endpoint: Mapping[str, Any]) -> None:
        self._api_key = api_key
        self._endpoint = endpoint
        self._child: Child | None = None
        self._closed = False
        self._lock = threading.Lock()

    def child(self) -> Child:
        with self._lock:
            if self._closed:
                raise RuntimeError("this destination is closed")
            if self._child is None or not self._child.alive:
                self._end_child()
                self._child = Child({"api_key": self._api_key.get_secret_value(), **self._endpoint})
            return self._child

    def send(self, order: Mapping[str, Any], deadline: float) -> Answer:
        if elapsed_s() >= deadline:
            return refused("no time was left; nothing was sent", retry=True)
        try:
            child = self.child()
        except OSError as error:
            return refused(f"the sender could not be started ({class_names(error)})", retry=True)
        if not child.is_ready(deadline):
            if child.may_still_start:
                return refused("the sender was still starting; nothing was sent", retry=True)
            child.kill()
            return child.last_words()
        outcome = None
        try:
            outcome = child.ask(order, deadline)
        finally:
            if outcome is None:  # late, dead, or the caller was interrupted: it may still be sending
                child.kill()
        return outcome or child.last_words()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end_child()

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
