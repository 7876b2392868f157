"""Every path that the stand-in answers: the SDK's, the import side's, and its own under ``/standin``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pydantic import ValidationError

from deployments.local.arize import proof
from deployments.local.arize.exchange import Exchange
from deployments.local.arize.faults import Fault, Script
from deployments.local.arize.imports import ObjectStore
from deployments.local.arize.imports.faults import GraphqlFault, fault_of
from deployments.local.arize.ingest import ingest
from deployments.local.arize.joiner.routes import JOINER_ROUTES
from deployments.local.arize.page import drawn
from deployments.local.arize.store import Call
from deployments.local.arize.wire import Refused

if TYPE_CHECKING:
    from deployments.local.arize.server import Server

_MATCHING = ("model", "environment", "kind", "space", "job", "path")


class Handler(Exchange):
    server: Server

    def do_GET(self) -> None:
        self._route("GET")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def do_DELETE(self) -> None:
        self._route("DELETE")

    def _route(self, method: str) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query))
        if (method, url.path) == ("POST", "/v1/pandas_arrow"):
            ingest(self, self.server.store, self.server.script)
            return
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if (method, url.path) == ("POST", "/graphql"):
            self.server.imports.graphql.answer(self, sent)
            return
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
            and ("version" not in self.query or self.query["version"] in call.by_version)
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
        server = self.server
        shown = drawn(
            server.summary(),
            [call for call in server.store.calls if not call.job],
            self._faults(),
            jobs=server.imports.jobs(),
            files=server.imports.files(),
            now=server.clock(),
        )
        self.answer(200, shown, kind="text/html")

    def health(self, _: Any) -> None:
        self.answer_json({"status": "ok", "calls": sum(not call.job for call in self.server.store.calls)})

    def summary(self, _: Any) -> None:
        self.answer_json(self.server.summary())

    def calls(self, _: Any) -> None:
        self.answer_json({"calls": [asdict(call) | {"kind": call.kind} for call in self._matching() if not call.job]})

    def ids(self, _: Any) -> None:
        repeated = self.query.get("repeated", "false") == "true"
        version = self.query.get("version")
        self.answer_json(proof.ids(self.server.store, self._kept(), repeated=repeated, version=version))

    def rows(self, _: Any) -> None:
        limit = int(self.query.get("limit", 100))
        wanted = {"prediction_id": self.query.get("id"), "version": self.query.get("version")}
        found = proof.rows(self.server.store, self._kept(), limit=limit, **wanted)
        self.answer_json({"rows": found})

    def arrow(self, _: Any) -> None:
        version = self.query.get("version")
        tables = proof.alike([proof.arrow(self.server.store, call, version) for call in self._kept()])
        if not tables:
            raise ValueError("no rows of that model")
        self.answer_arrow(tables)

    def answer_arrow(self, tables: list[Any]) -> None:
        self.close_connection = True  # the end of the connection is the end of the stream: its length is not known
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apache.arrow.stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with pa.ipc.new_stream(self.wfile, tables[0].schema) as stream:
            for table in tables:
                stream.write_table(table)

    def add_fault(self, sent: Any) -> None:
        fault = fault_of(sent)
        if isinstance(fault, Fault):
            self.server.script.add(fault)
        elif isinstance(fault, GraphqlFault):
            self.server.imports.graphql_script.add(fault)
        else:
            self.server.imports.importer_script.add(fault)
        self.list_faults(sent)

    def list_faults(self, _: Any) -> None:
        self.answer_json({"faults": self._faults()})

    def clear_faults(self, sent: Any) -> None:
        for script in self._scripts():
            script.clear()
        self.list_faults(sent)

    def _faults(self) -> list[dict[str, Any]]:
        return [fault for script in self._scripts() for fault in script.listing()]

    def _scripts(self) -> list[Script[Any]]:
        return [self.server.script, self.server.imports.graphql_script, self.server.imports.importer_script]

    def reset(self, sent: Any) -> None:
        self.server.joiner.clear()  # first: its runs speak of calls by their numbers
        self.server.imports.clear()
        self.health(sent)

    def jobs(self, _: Any) -> None:
        self.answer_json({"jobs": self.server.imports.jobs()})

    def files(self, _: Any) -> None:
        self.answer_json({"files": self.server.imports.files(self.query.get("job"))})

    def look(self, sent: Any) -> None:
        self.server.imports.importer.look()
        self.jobs(sent)

    def configure(self, sent: Any) -> None:
        self.answer_json(self.server.imports.configure(sent).model_dump())

    def read_objects(self, sent: Any) -> None:
        self.server.imports.importer.read_from(ObjectStore.model_validate(sent))
        self.jobs(sent)


_SPACES = "/v2/spaces/"
_ROUTES: dict[tuple[str, str], Callable[[Handler, Any], None]] = {
    ("GET", "/"): Handler.page,
    ("GET", "/standin/health"): Handler.health,
    ("GET", "/standin/summary"): Handler.summary,
    ("GET", "/standin/calls"): Handler.calls,
    ("GET", "/standin/ids"): Handler.ids,
    ("GET", "/standin/rows"): Handler.rows,
    ("GET", "/standin/rows.arrow"): Handler.arrow,
    ("DELETE", "/standin/rows"): Handler.reset,
    ("GET", "/standin/faults"): Handler.list_faults,
    ("POST", "/standin/faults"): Handler.add_fault,
    ("DELETE", "/standin/faults"): Handler.clear_faults,
    ("GET", "/standin/jobs"): Handler.jobs,
    ("GET", "/standin/files"): Handler.files,
    ("POST", "/standin/look"): Handler.look,
    ("PUT", "/standin/settings"): Handler.configure,
    ("PUT", "/standin/objects"): Handler.read_objects,
    **JOINER_ROUTES,
}
