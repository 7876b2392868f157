"""Keep every call and the bodies of those that were stored, through kill -9.

One Arrow file for each stored body, exactly as it was received, and a journal with a line for each call. The file is
synced and in place before its line is written, and the line before anything is answered; so a file without a line was
never acknowledged, and is swept at the next start. A file that an import job took is kept as a call is.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deployments.local.arize.journal import Journal, sync
from deployments.local.arize.wire import kind_of, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One POST to ``/v1/pandas_arrow``, or one file that an import job took.

    number is given by the store; status is what was answered, None where nothing whole was; received_at is in seconds
    since the epoch; lost says that the file was stored and dropped afterwards. job and path say which import job took
    which object; of a POST they are empty. versions counts the rows of each version, where rows carry their own.
    """

    number: int = -1
    received_at: float
    status: int | None
    stored: bool
    lost: bool = False
    fault: str | None = None
    message: str = ""
    bytes: int = 0
    rows: int = 0
    space: str = ""
    model: str = ""
    version: str = ""
    environment: str = ""
    model_type: str = ""
    batch_id: str = ""
    job: str = ""
    path: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def by_version(self) -> Mapping[str, int]:
        """Count the rows of each version."""
        return self.versions or {self.version: self.rows}

    @property
    def kept(self) -> bool:
        return self.stored and not self.lost

    @property
    def kind(self) -> str:
        return kind_of(self.columns)


class Store:
    """Calls and bodies under one directory; safe to use from many threads."""

    def __init__(self, directory: Path) -> None:
        self._bodies = directory / "rows"
        self._incoming = directory / "incoming"
        self._lock = threading.Lock()
        self._calls: dict[int, Call] = {}
        self._imported: dict[tuple[str, str], int] = {}
        self._next = 0
        self.changes = 0
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._bodies, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(directory / "calls.jsonl")
        self._load()

    @property
    def calls(self) -> list[Call]:
        with self._lock:
            return list(self._calls.values())

    def imported(self, job: str, path: str) -> Call | None:
        """Give the file that a job took from a path, if it took it: it did exactly when its rows are kept."""
        with self._lock:
            number = self._imported.get((job, path))
            return None if number is None else self._calls[number]

    def incoming(self) -> Path:
        """Name a place for a body that is being received."""
        return self._incoming / uuid.uuid4().hex

    def table(self, call: Call) -> Any:
        """Read the rows of a stored call as they were received: a pyarrow Table."""
        return read_table(self._body(call.number))

    def record(self, call: Call, body: Path) -> Call:
        """Number a call and write it down, with its body if it is stored; the body moves, or is removed."""
        if call.stored:
            sync(body)
        with self._lock:
            call = replace(call, number=self._next)
            self._next += 1
            if call.stored:
                body.replace(self._body(call.number))
                sync(self._bodies)
            self._write({"call": asdict(call)}, durable=call.stored)
            self._remember(call)
        body.unlink(missing_ok=True)
        return call

    def lose(self, number: int) -> None:
        """Drop a stored call's file whole, as an ingestion that fails later does."""
        with self._lock:
            if number in self._calls:
                self._write({"lost": number}, durable=True)
                self._calls[number] = replace(self._calls[number], lost=True)
                self._body(number).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget every call and row. Numbers go on, so that a late loss never meets another call's number."""
        with self._lock:
            self._journal.clear()
            for number in self._calls:
                self._body(number).unlink(missing_ok=True)
            self._calls.clear()
            self._imported.clear()
            self.changes += 1

    def close(self) -> None:
        self._journal.close()

    def _body(self, number: int) -> Path:
        return self._bodies / f"{number:08d}.arrow"

    def _remember(self, call: Call) -> None:
        self._calls[call.number] = call
        if call.job:
            self._imported[call.job, call.path] = call.number

    def _write(self, line: dict[str, Any], *, durable: bool) -> None:
        self._journal.write(line, durable=durable)
        self.changes += 1

    def _load(self) -> None:
        for line in self._journal.replay():
            self._replay(line)
        self._next = max(self._calls, default=-1) + 1
        kept = {self._body(call.number) for call in self._calls.values() if call.kept}
        for path in set(self._bodies.iterdir()) - kept:
            path.unlink()

    def _replay(self, line: dict[str, Any]) -> None:
        if "call" in line:
            self._remember(Call(**line["call"]))
        elif "lost" in line:
            self._calls[line["lost"]] = replace(self._calls[line["lost"]], lost=True)
