"""A Prefect server of one's own: in one directory, on a free port, quiet, with a pool, deployments and workers."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from deployments.local.api import PrefectApi
from deployments.local.ports import LOOPBACK, free_port
from deployments.local.processes import Child, ChildError, only_one, running

POOL = "local"
PREFECT_YAML = Path(__file__).resolve().parents[2] / "prefect.yaml"
_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # else "database is locked" at the start
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_LEVEL": "INFO",
    # With the default, in memory, a restart of the server leaks the slot of a run that was killed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectServer:
    """A running server. `environment()` is all that a worker, a flow or the command line needs to find it."""

    directory: Path
    port: int
    process: Child

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.ui_url}/api"

    def environment(self) -> dict[str, str]:
        return {**_home(self.directory), "PREFECT_API_URL": self.api_url}

    def automate(self) -> None:
        """Have it watch the runs, by the command that people use. Raises: ChildError with what that said."""
        self._call([str(Path(sys.executable).with_name("sluice")), "automations"])

    def make_pool(self) -> None:
        """Make the work pool, unless it is there. Raises: ChildError with what Prefect said."""
        if not PrefectApi(self.api_url).ask("POST", "/work_pools/filter", {}):
            self._prefect(["work-pool", "create", POOL, "--type", "process"])

    def deploy(self, prefect_file: Path = PREFECT_YAML) -> None:
        """Make the deployments of a `prefect.yaml`. Raises: ChildError with what Prefect said."""
        self._prefect(["deploy", "--all", "--prefect-file", str(prefect_file)])

    @contextmanager
    def worker(self, environment: Mapping[str, str]) -> Iterator[Child]:
        """Run a worker for as long as the block lives; its flow runs inherit `environment`."""
        with running(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
            log_path=self.directory / "worker.log",
            env={**os.environ, **self.environment(), **environment},
            ready=lambda: True,
            deadline_s=30,
            name="Prefect worker",
        ) as worker:
            yield worker

    def _prefect(self, arguments: list[str]) -> None:
        self._call([sys.executable, "-m", "prefect", "--no-prompt", *arguments])

    def _call(self, command: list[str]) -> None:
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(
            command, env=environment, cwd=PREFECT_YAML.parent, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChildError(f"`{' '.join(command)}` failed: {done.stdout}{done.stderr}")


@contextmanager
def running_prefect(directory: Path, *, deadline_s: float = 120) -> Iterator[PrefectServer]:
    """Run a server on a free port for as long as the block lives; a directory that was used before is opened again.

    Raises: DirectoryInUseError, PortTakenError, ChildError with the end of its log.
    """
    directory, port = directory.absolute(), free_port()
    with (
        only_one(directory) as lock,
        running(
            [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)],
            log_path=directory / "server.log",
            env={
                **os.environ,
                **_home(directory),
                "PREFECT_SERVER_UI_API_URL": f"http://{LOOPBACK}:{port}/api",  # else its pages ask port 4200
            },
            ready=lambda: _answers(port),
            deadline_s=deadline_s,
            name="Prefect server",
            ports=[port],
            keep_open=[lock],
        ) as process,
    ):
        yield PrefectServer(directory=directory, port=port, process=process)


def _home(directory: Path) -> dict[str, str]:
    return {
        **_QUIET,
        "PREFECT_HOME": str(directory),
        "PREFECT_PROFILES_PATH": str(directory / "profiles.toml"),
        "PREFECT_MEMO_STORE_PATH": str(directory / "memo_store.toml"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{directory / 'prefect.db'}",
        "PREFECT_LOCAL_STORAGE_PATH": str(directory / "storage"),
    }


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
