"""One HTTP exchange, and the ways in which it can end badly."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

_LOOK_S = 0.05  # how often a call that hangs looks whether its client left


class Gate(Protocol):
    """What an exchange needs to know of its server."""

    url: str
    api_key: str
    space_id: str
    clock: Callable[[], float]


class Exchange(BaseHTTPRequestHandler):
    """A kept-alive HTTP/1.1 connection whose requests are answered one by one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # head and body leave in one packet

    @property
    def gate(self) -> Gate:
        gate: Any = self.server
        checked: Gate = gate
        return checked

    def answer(self, status: int, body: str, *, kind: str = "text/plain", retry_after_s: float | None = None) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if retry_after_s is not None:
            self.send_header("Retry-After", f"{retry_after_s:g}")
        self.end_headers()
        self.wfile.write(content)

    def answer_json(self, value: dict[str, Any]) -> None:
        self.answer(200, json.dumps(value, default=str), kind="application/json")

    def leave(self) -> None:
        """Cut the connection without an answer."""
        self.close_connection = True
        cut(self.connection)

    def wait(self, released: threading.Event, *, at_most_s: float = float("inf")) -> bool:
        """Wait until released, until the client left or the time is over; say whether the client is still there."""
        until = time.monotonic() + at_most_s
        while (left := until - time.monotonic()) > 0 and not released.wait(min(_LOOK_S, left)):
            if _is_closed(self.connection):
                return False
        return True

    def drip(self, pause_s: float, released: threading.Event) -> None:
        """Promise more than will ever come, so that neither a read timeout nor the end of the body is reached."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        while not released.is_set():
            self.wfile.write(b" ")
            self.wfile.flush()
            if not self.wait(released, at_most_s=pause_s):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Leave the log to the journal and the page."""


def cut(connection: socket.socket) -> None:
    with suppress(OSError):  # the client may have been faster
        connection.shutdown(socket.SHUT_RDWR)


def _is_closed(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
