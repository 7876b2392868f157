"""Where the proofs run Sluice's commands: pipeline files of their own, real parts, and everything that was printed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.local.arize import ArizeStandIn
from sluice.settings import StoreConnection
from sluice.stores.opening import open_store
from tests.end_to_end.books import Books
from tests.end_to_end.events import CANARY

ENOUGH_S = 120.0
API_KEY = f"{CANARY}-api-key"

SMALL: dict[str, Any] = {
    "kind": "predictions",
    "map": {
        "prediction_id": "id",
        "timestamp": {"path": "at", "unit": "ms"},
        "prediction": {"label": "label", "score": "score"},
        "features": {"from": "features", "columns": {"carrier": "string", "distance": "float"}},
        "tags": {"partition": "$partition", "offset": "$offset"},
        "version": {"path": "version", "default": "none"},
    },
    "arize": {"type": "binary_classification"},
    "limits": {"max_records": 100, "parallel_windows": 1, "send_timeout_seconds": 8},
}

SMALL_ACTUALS: dict[str, Any] = {
    "kind": "actuals",
    "map": {
        "prediction_id": "id",
        "timestamp": {"path": "at", "unit": "ms"},
        "actual": {"label": "label", "score": "score"},
        "tags": {"gate": "string", "offset": "$offset"},
    },
    "limits": SMALL["limits"],
}

IMPORT: dict[str, Any] = {"arize": {"path": "object_store"}, "limits": {"settle_seconds": 60}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that is over: its exit status (negative: the signal that ended it) and what it printed."""

    code: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        """What it printed for machines."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def lines(self) -> list[list[str]]:
        """The steps that it logged, each as its words: the event, then `name=value`."""
        stamped = (line.split(" ")[2:] for line in self.err.splitlines())
        return [words for words in stamped if words and "." in words[0] and "=" in "".join(words[1:2])]

    @property
    def steps(self) -> list[str]:
        return [words[0] for words in self.lines]

    @property
    def said(self) -> str:
        """What it told a person on stderr, beside the steps."""
        return "\n".join(line for line in self.err.splitlines() if not line[:4].isdigit())


class Command:
    """A command under way in a process of its own."""

    def __init__(self, warm: str, order: Mapping[str, Any], secrets: Sequence[str]) -> None:
        self._out, self._err = Path(order["out"]), Path(order["err"])
        self._secrets = secrets
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(ENOUGH_S)
        self._connection.connect(warm)
        self._connection.sendall(json.dumps(order).encode() + b"\n")
        self._told = self._connection.makefile()
        self.pid: int = self._next()["pid"]

    def until_it_stops(self) -> None:
        """Wait until it has reached the step at which it pauses."""
        told = self._next()
        assert "stopped" in told, f"it ended with {told} before it paused: {self._err.read_text()}"

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def done(self, *, shows_values: bool = False) -> Done:
        """Wait for its end; whatever it printed holds no secret and, but for what is there to show some, no value."""
        told = self._next()
        while "code" not in told:
            told = self._next()
        self._connection.close()
        done = Done(code=told["code"], out=self._out.read_text(), err=self._err.read_text())
        return checked(done, self._secrets, shows_values=shows_values)

    def _next(self) -> dict[str, Any]:
        line = self._told.readline()
        assert line, f"the process that forks commands is gone: {self._err.read_text()}"
        told: dict[str, Any] = json.loads(line)
        return told


def checked(done: Done, secrets: Sequence[str], *, shows_values: bool = False) -> Done:
    """Return it, if what it printed is fit to be shown to anybody; on stderr nothing ever shows a value of an event."""
    printed = done.out + done.err
    assert "Traceback" not in printed, printed
    assert CANARY not in done.err, done.err
    for secret in secrets if shows_values else (CANARY, *secrets):
        assert secret not in printed, f"{secret!r} was printed: {printed}"
    return done


def stopped(done: Done, error: str, *says: str) -> None:
    """It ended before anything was read, with one clear message."""
    assert (done.code, done.found["state"]) == (1, "failed")
    assert "window.read" not in done.steps
    for words in (*says, f"docs/runbook.md#{error}"):
        assert words in done.said, done.said


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The commands of Sluice on real parts. A pipeline, its group and its model have one name, each test its own.

    Attributes:
        environment: the variables of every command.
        store: the address of the staging store.
        secrets: what must never be printed, beside every value of an event.
        warm: the socket of the process that forks commands.
    """

    arize: ArizeStandIn
    environment: Mapping[str, str]
    store: str
    secrets: tuple[str, ...]
    directory: Path
    warm: str

    @property
    def servers(self) -> str:
        return self.environment["SLUICE_KAFKA_BOOTSTRAP_SERVERS"]

    def pipeline(self, name: str, topics: Sequence[str] | str, **changed: Any) -> str:
        """Write a pipeline file and return its name; sections of the small one are changed key by key."""
        made = deepcopy(SMALL)
        made["arize"]["model"] = name
        return self._written(name, made, topics, changed)

    def actuals(self, name: str, topics: Sequence[str] | str, predictions: str, **changed: Any) -> str:
        """Write the file of a pipeline of actuals, which go where those of the pipeline `predictions` went."""
        return self._written(name, {**deepcopy(SMALL_ACTUALS), "predictions": predictions}, topics, changed)

    def _written(self, name: str, made: dict[str, Any], topics: Sequence[str] | str, changed: Mapping[str, Any]) -> str:
        made["name"] = name
        made["source"] = {"kafka": {"topics": [topics] if isinstance(topics, str) else list(topics), "group": name}}
        self.file(name).write_text(yaml.safe_dump(_merged(made, changed), sort_keys=False))
        return name

    def file(self, name: str) -> Path:
        return self.directory / "pipelines" / f"{name}.yaml"

    def start(self, verb: str, *arguments: str, drill: str = "", pause: str = "", **variables: str) -> Command:
        """Start a command: without Prefect, unless a variable names its API.

        drill, pause: the step, such as `window.sealed:2`, that kills it, or at which it stops.
        """
        runs_a_flow = verb in ("run", "backfill", "replay")
        flags = ["--no-prefect"] if runs_a_flow and "PREFECT_API_URL" not in variables else []
        folder = self.directory / "printed" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        order = {
            "arguments": [verb, *arguments, *flags, "--json", "-v"],
            "env": {**self.environment, "SLUICE_STORE": self.store, "SLUICE_DRILL": drill, **variables},
            "out": str(folder / "out"),
            "err": str(folder / "err"),
            "pause": pause,
        }
        told = [value for name, value in variables.items() if value and re.search("PASSWORD|SECRET|API_KEY", name)]
        return Command(self.warm, order, [*self.secrets, *told])

    def sluice(self, verb: str, *arguments: str, drill: str = "", **variables: str) -> Done:
        return self.start(verb, *arguments, drill=drill, **variables).done()

    def preview(self, name: str, *arguments: str, **variables: str) -> Done:
        """Preview a pipeline: the one command that is there to show values of events."""
        return self.start("preview", name, *arguments, **variables).done(shows_values=True)

    def run(self, name: str, *arguments: str, drill: str = "", **variables: str) -> Done:
        return self.sluice("run", name, *arguments, drill=drill, **variables)

    def killed(self, name: str, drill: str, *arguments: str, verb: str = "run") -> Done:
        """Run a command that is killed at a step."""
        done = self.sluice(verb, name, *arguments, drill=drill)
        assert done.code == -signal.SIGKILL, f"{drill} was not reached ({done.code}): {done.err}"
        assert done.steps[-1] == drill.split(":", maxsplit=1)[0]
        return done

    def finished(self, name: str, *arguments: str) -> Done:
        """Run a pipeline that has nothing left to do afterwards."""
        done = self.run(name, *arguments)
        assert (done.code, done.found["state"]) == (0, "done"), done.err
        return done

    def books(self, name: str) -> Books:
        """The pipeline's ledger as it stands now."""
        (self.directory / "printed").mkdir(exist_ok=True)
        with patched(self.environment):
            return Books(
                open_store(StoreConnection(url=self.store)), name, self.directory / "printed" / uuid.uuid4().hex
            )

    def ids(self, name: str) -> list[str]:
        """What the stand-in holds of the pipeline's model: an id for each row."""
        return sorted(self.arize.ids(name))

    def doubted(self, name: str) -> list[tuple[int, int]]:
        """The parts that `sluice status` names as perhaps counted twice: entry and part."""
        found = self.sluice("status", name).found["may_be_counted_twice"]
        return [(item["entry"], item["part"]) for item in found]

    def sends(self, name: str) -> list[tuple[str, int | None]]:
        """The calls for the pipeline's model, in order: version and status, None where nothing was answered."""
        return [(call["version"], call["status"]) for call in self.arize.calls(model=name)]


@contextmanager
def patched(environment: Mapping[str, str]) -> Iterator[None]:
    """Give this process the variables by which boto3 finds the store."""
    with _patching:
        before = dict(os.environ)
        os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


_patching = threading.Lock()


def _merged(whole: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changed.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = _merged(whole[key], value) if both else value
    return whole


def cold(bench: Bench, *arguments: str, **variables: str) -> Done:
    """Run the installed command itself, as a person would, without any warm process."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sluice")), *arguments],
        env={**bench.environment, "SLUICE_STORE": bench.store, **variables}, cwd=bench.directory,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    return checked(Done(code=done.returncode, out=done.stdout, err=done.stderr), bench.secrets)
