"""The HTTP server: one port for the SDK's wire, the import side's GraphQL, the proofs and the page."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deployments.local.arize import proof
from deployments.local.arize.clock import Clock
from deployments.local.arize.exchange import cut
from deployments.local.arize.faults import Fault, Script
from deployments.local.arize.handle import API_KEY, DEVELOPER_KEY, SPACE_ID, ArizeStandIn
from deployments.local.arize.imports import ImportSettings, ImportSide, ObjectStore
from deployments.local.arize.joiner import Joiner
from deployments.local.arize.routes import Handler
from deployments.local.arize.store import Store
from deployments.local.processes import only_one


@contextmanager
def running_arize(
    directory: Path,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    api_key: str = API_KEY,
    space_id: str = SPACE_ID,
    developer_key: str = DEVELOPER_KEY,
    clock: Callable[[], float] = time.time,
    imports: ImportSettings | None = None,
    objects: ObjectStore | None = None,
) -> Iterator[ArizeStandIn]:
    """Run a stand-in on a thread of this process, with what an earlier one kept in the directory.

    clock gives the machine's time in seconds since the epoch; the stand-in's own may be moved ahead of it. imports and
    objects may be told later, too; what was told later is forgotten at the end.
    """
    with only_one(directory):
        server = Server((host, port), directory, api_key=api_key, space_id=space_id, clock=clock)
        server.imports = ImportSide(
            directory,
            server.store,
            space_id=space_id,
            developer_key=developer_key,
            clock=server.clock,
            stored_clock=clock,
            settings=imports or ImportSettings(),
            objects=objects,
        )
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="arize", daemon=True
        )
        thread.start()
        try:
            yield ArizeStandIn(
                host=host,
                port=server.server_port,
                api_key=api_key,
                space_id=space_id,
                developer_key=developer_key,
            )
        finally:
            server.stop()
            thread.join()


class Server(ThreadingHTTPServer):
    imports: ImportSide
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
        self.script: Script[Fault] = Script()
        self.clock = Clock(directory, clock)
        self.joiner = Joiner(directory, self.store, self.clock)
        self.api_key, self.space_id = api_key, space_id
        self._open: set[socket.socket] = set()
        self._summary: tuple[tuple[int, int], dict[str, Any]] = ((-1, -1), {})
        super().__init__(address, Handler)
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
        known, summed = self._summary
        changes = (self.store.changes, len(self.joiner.runs()))
        if known != changes:
            summed = proof.summary(self.store) | {"join": self.joiner.summary()}
            self._summary = (changes, summed)
        return summed

    def stop(self) -> None:
        self.shutdown()
        self.script.clear()
        self.imports.stop()
        for connection in list(self._open):  # else a client's kept-alive connection would be served after the end
            cut(connection)
        self.server_close()
        self.joiner.close()
        self.store.close()
        self.clock.close()
