"""Loopback ports for children that are about to start."""

import random
import socket
import threading
from collections.abc import Sequence

LOOPBACK = "127.0.0.1"
# Below the ephemeral ports of Linux and macOS: an outgoing connection could take the port of a child that restarts.
_PORTS = range(12_000, 22_000)

_held: dict[int, socket.socket] = {}
_holding = threading.Lock()


class PortTakenError(RuntimeError):
    """Another process listens where a child was to listen."""


def free_port(*, also: int = 0) -> int:
    """Return a loopback port that nobody listens on and that no other caller is given while this process lives.

    also: a distance; the port that far above is free and held as well (SeaweedFS puts its gRPC 10,000 higher).
    """
    with _holding:
        for port in random.sample(_PORTS, len(_PORTS)):
            wanted = sorted({port, port + also})
            if _held.keys().isdisjoint(wanted) and all(map(is_free, wanted)) and _hold(wanted):
                return port
    raise PortTakenError(f"no free port from {_PORTS.start} to {_PORTS.stop}")


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: closed connections linger otherwise
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    """Say whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _hold(ports: Sequence[int]) -> bool:
    """Mark ports as given away to all processes: a bound UDP socket leaves TCP free and vanishes with its process."""
    marks = []
    for port in ports:
        mark = socket.socket(type=socket.SOCK_DGRAM)
        marks.append(mark)
        try:
            mark.bind((LOOPBACK, port))
        except OSError:
            for made in marks:
                made.close()
            return False
    _held.update(zip(ports, marks, strict=True))
    return True
