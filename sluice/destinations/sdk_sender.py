"""The child's side of the SDK path: a process that sends staged rows through Arize's public SDK, and can be killed.

It reads JSON lines on stdin: first the connection, then an order a send. On what was stdout it writes `{"ready": true}`
once the SDK is imported, and for each order `{"begun": true}` just before the first byte of the rows goes to the
socket, and the outcome. So who kills it knows: what was not begun was not accepted.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sluice.answers import Answer
from sluice.clock import elapsed_s
from sluice.destinations.sdk_answers import NotSent, answer_of
from sluice.destinations.sdk_rows import read_part

_ORPHAN_POLL_S = 0.5

Message = dict[str, Any]


class Wire:
    """An audit hook: sees every block before it goes to a socket, and says so when the first rows do."""

    def __init__(self, announce: Callable[[Message], None]) -> None:
        self._announce = announce
        self._deadline = 0.0
        self.begun = False

    def expect(self, *, deadline: float) -> None:
        """Watch for the next send; no row goes out after the deadline, on the clock of `elapsed_s`."""
        self._deadline, self.begun = deadline, False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "http.client.send" or self.begun or args[1][:5] in (b"POST ", b"CONNE"):
            return  # the head of the request, or a proxy's CONNECT, carries no row
        if elapsed_s() >= self._deadline:
            raise NotSent("the time was up before the rows could go out", retry=True)
        self._announce({"begun": True})
        self.begun = True


def main() -> None:
    """Send what is ordered until stdin ends, or the parent does."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever anybody prints must not end up between the answers
    orders: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_take_orders, args=(orders, os.getppid()), daemon=True).start()
    with contextlib.suppress(Exception):
        _warm_up()  # what fails here fails again in a send, and is told there
    wire = Wire(lambda message: _write_line(answers, message))
    sys.addaudithook(wire)
    _write_line(answers, {"ready": True})
    connection = orders.get()
    while True:
        order = orders.get()
        wire.expect(deadline=order["deadline_s"])
        _write_line(answers, asdict(send(connection, order, wire)))


def send(connection: Mapping[str, Any], order: Mapping[str, Any], wire: Wire) -> Answer:
    """Send the rows of one part and say what became of it; every exception is an outcome.

    The order's deadline is on the clock of `elapsed_s`, which all processes of a machine share.
    """
    columns: Sequence[str] = ()
    try:
        frame, arguments = read_part(order["file"], order["version"], rows=order["rows"])
        columns = list(frame.columns)
        status = _log(connection, order, frame, arguments)
    except Exception as error:  # noqa: BLE001 - the SDK's documented exceptions are not all that it raises
        return answer_of(error, begun=wire.begun, columns=columns)
    return Answer(kind="accepted", status=status, rows=len(frame))


def _log(connection: Mapping[str, Any], order: Mapping[str, Any], frame: Any, arguments: Mapping[str, Any]) -> int:
    import requests
    from arize import ArizeClient
    from arize.ml.types import Environments, ModelTypes, Schema

    # Followed, a redirect turns the POST into a GET whose 200 means nothing, or shows the rows to another host.
    requests.Session.get_redirect_target = lambda self, resp: None  # type: ignore[method-assign]
    client = ArizeClient(**{name: connection[name] for name in _ENDPOINT if connection[name] is not None})
    response = client.ml.log(
        space_id=order["space_id"],
        model_name=order["model"],
        model_type=ModelTypes[order["type"].upper()],
        dataframe=frame,
        schema=Schema(**arguments),
        environment=Environments[order["environment"].upper()],
        model_version=order["version"],
        validate=False,  # it halves the speed; what our rules let through, the SDK's never refuse: a property, tested
        timeout=max(order["deadline_s"] - elapsed_s(), 0.001),  # of each wait on the socket; the parent holds the total
        tmp_dir=connection["directory"],
    )
    return response.status_code


_ENDPOINT = ("api_key", "api_host", "api_port", "api_scheme")


def _take_orders(orders: queue.Queue[Message], parent: int) -> None:
    """Queue the lines of stdin, and end this process, whatever it is at, as soon as the parent is gone.

    A process forked off the parent may hold a copy of our stdin open, so the parent's id is looked at too. The kernel's
    death signal would not do: it is bound to the thread that started us.
    """
    unread, directory = b"", ""
    while os.getppid() == parent:
        if not select.select([0], [], [], _ORPHAN_POLL_S)[0]:
            continue
        if not (block := os.read(0, 65_536)):
            break
        *lines, unread = (unread + block).split(b"\n")
        for line in lines:
            message = json.loads(line)
            directory = message.get("directory", directory)
            orders.put(message)
    shutil.rmtree(directory, ignore_errors=True)  # rows on their way lie there
    os._exit(0)


def _write_line(descriptor: int, message: Message) -> None:
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


def _warm_up() -> None:
    """Import, while there is nothing to send, all that a send needs: 2 s."""
    import arize.ml.batch_validation.validator
    import arize.ml.client
    import arize.utils.arrow  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import requests  # noqa: F401
