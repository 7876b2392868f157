"""Serve the SDK's wire, the proofs and the page over HTTP."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pydantic import ValidationError

from deployments.local.arize import proof
from deployments.local.arize.exchange import Exchange, cut
from deployments.local.arize.faults import Fault, Script
from deployments.local.arize.handle import API_KEY, SPACE_ID, ArizeStandIn
from deployments.local.arize.ingest import ingest
from deployments.local.arize.page import drawn
from deployments.local.arize.store import Call, Store
from deployments.local.arize.wire import Refused
from deployments.local.processes import only_one

_MATCHING = ("model", "version", "environment", "kind", "space")


@contextmanager
def running_arize(
    directory: Path,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    api_key: str = API_KEY,
    space_id: str = SPACE_ID,
    clock: Callable[[], float] = time.time,
) -> Iterator[ArizeStandIn]:
    """Run a stand-in on a thread of this process, with what an earlier one kept in the directory.

    clock gives the time at which a call is received, in seconds since the epoch.
    """
    with only_one(directory):
        server = _Server((host, port), directory, api_key=api_key, space_id=space_id, clock=clock)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="arize", daemon=True
        )
        thread.start()
        try:
            yield ArizeStandIn(host=host, port=server.server_port, api_key=api_key, space_id=space_id)
        finally:
            server.stop()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        directory: Path,
        *,
        api_key: str,
        space_id: str,
        clock: Callable[[], float],
    ) -> None:
        self.store = Store(directory)
        self.script = Script()
        self.api_key, self.space_id, self.clock = api_key, space_id, clock
        self._open: set[socket.socket] = set()
        self._summary: tuple[int, dict[str, Any]] = (-1, {})
        super().__init__(address, _Handler)
        self.url = f"http://{address[0]}:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that left: most proofs make one leave."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def summary(self) -> dict[str, Any]:
        """Count anew only after something changed: the page asks every few seconds."""
        changes, summed = self._summary
        if changes != self.store.changes:
            changes = self.store.changes
            summed = proof.summary(self.store)
            self._summary = (changes, summed)
        return summed

    def stop(self) -> None:
        self.shutdown()
        self.script.clear()
        for connection in list(self._open):  # else a client's kept-alive connection would be served after the end
            cut(connection)
        self.server_close()
        self.store.close()


class _Handler(Exchange):
    server: _Server

    def do_GET(self) -> None:
        self._route("GET")

    def do_POST(self) -> None:
        self._route("POST")

    def do_DELETE(self) -> None:
        self._route("DELETE")

    def _route(self, method: str) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query))
        if (method, url.path) == ("POST", "/v1/pandas_arrow"):
            ingest(self, self.server.store, self.server.script)
            return
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        serve = _ROUTES.get((method, url.path))
        try:
            if method == "GET" and url.path.startswith(_SPACES):
                self.space(unquote(url.path.removeprefix(_SPACES)))
            elif serve is None:
                self.answer(404, f"{method} {url.path}: no such thing here")
            else:
                serve(self, json.loads(sent or b"{}"))
        except (ValueError, ValidationError, pa.ArrowException, Refused) as exc:
            self.answer(400, str(exc))

    def _kept(self) -> list[Call]:
        if "model" not in self.query:
            raise ValueError("which model? ?model=…")
        return [call for call in self._matching() if call.kept]

    def _matching(self) -> list[Call]:
        wanted = {name: self.query[name] for name in _MATCHING if name in self.query}
        return [
            call
            for call in self.server.store.calls
            if all(getattr(call, name) == value for name, value in wanted.items())
        ]

    def space(self, space_id: str) -> None:
        """Show a space to who knows its key, as Arize's REST API does: the SDK's `spaces.get`."""
        if self.headers.get("authorization") != f"Bearer {self.server.api_key}":
            self.answer(401, "invalid api-key")
        elif space_id != self.server.space_id:
            self.answer(404, "space not found")
        else:
            self.answer_json({"id": space_id, "name": "local"})

    def page(self, _: Any) -> None:
        shown = drawn(
            self.server.summary(), self.server.store.calls, self.server.script.listing(), now=self.server.clock()
        )
        self.answer(200, shown, kind="text/html")

    def health(self, _: Any) -> None:
        self.answer_json({"status": "ok", "calls": len(self.server.store.calls)})

    def summary(self, _: Any) -> None:
        self.answer_json(self.server.summary())

    def calls(self, _: Any) -> None:
        self.answer_json({"calls": [asdict(call) | {"kind": call.kind} for call in self._matching()]})

    def ids(self, _: Any) -> None:
        repeated = self.query.get("repeated", "false") == "true"
        self.answer_json(proof.ids(self.server.store, self._kept(), repeated=repeated))

    def rows(self, _: Any) -> None:
        limit = int(self.query.get("limit", 100))
        found = proof.rows(self.server.store, self._kept(), limit=limit, prediction_id=self.query.get("id"))
        self.answer_json({"rows": found})

    def arrow(self, _: Any) -> None:
        tables = proof.alike([proof.arrow(self.server.store, call) for call in self._kept()])
        if not tables:
            raise ValueError("no rows of that model")
        self.close_connection = True  # the end of the connection is the end of the stream: its length is not known
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apache.arrow.stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with pa.ipc.new_stream(self.wfile, tables[0].schema) as stream:
            for table in tables:
                stream.write_table(table)

    def add_fault(self, sent: Any) -> None:
        self.server.script.add(Fault.model_validate(sent))
        self.list_faults(sent)

    def list_faults(self, _: Any) -> None:
        self.answer_json({"faults": self.server.script.listing()})

    def clear_faults(self, sent: Any) -> None:
        self.server.script.clear()
        self.list_faults(sent)

    def join(self, sent: Any) -> None:
        result = proof.join(self.server.store, now=self.server.clock(), window_days=float(sent.get("window_days", 14)))
        self.server.store.keep_join(result)
        self.answer_json(result)

    def reset(self, sent: Any) -> None:
        self.server.store.clear()
        self.health(sent)


_SPACES = "/v2/spaces/"
_ROUTES: dict[tuple[str, str], Callable[[_Handler, Any], None]] = {
    ("GET", "/"): _Handler.page,
    ("GET", "/standin/health"): _Handler.health,
    ("GET", "/standin/summary"): _Handler.summary,
    ("GET", "/standin/calls"): _Handler.calls,
    ("GET", "/standin/ids"): _Handler.ids,
    ("GET", "/standin/rows"): _Handler.rows,
    ("GET", "/standin/rows.arrow"): _Handler.arrow,
    ("DELETE", "/standin/rows"): _Handler.reset,
    ("GET", "/standin/faults"): _Handler.list_faults,
    ("POST", "/standin/faults"): _Handler.add_fault,
    ("DELETE", "/standin/faults"): _Handler.clear_faults,
    ("POST", "/standin/join"): _Handler.join,
}
