"""Run the stand-in as a process of its own, which can be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments.local.arize.handle import API_KEY, DEVELOPER_KEY, SPACE_ID, ArizeStandIn
from deployments.local.arize.imports.settings import ImportSettings, ObjectStore
from deployments.local.ports import LOOPBACK, free_port, is_open
from deployments.local.processes import Child, running


@dataclass(frozen=True, slots=True, kw_only=True)
class ArizeProcess(ArizeStandIn):
    """A stand-in in a process of its own."""

    process: Child


@contextmanager
def arize_process(
    directory: Path,
    *,
    port: int | None = None,
    api_key: str = API_KEY,
    space_id: str = SPACE_ID,
    developer_key: str = DEVELOPER_KEY,
    imports: ImportSettings | None = None,
    objects: ObjectStore | None = None,
    deadline_s: float = 60,
) -> Iterator[ArizeProcess]:
    """Run the stand-in as a child for as long as the block lives; port None takes a free one.

    imports and objects hold again after a restart; what is told later does not.

    Raises: PortTakenError, ChildError with the end of its log.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "deployments.local.arize", "--port", str(port), "--directory", str(directory)]
    command += ["--api-key", api_key, "--space", space_id, "--developer-key", developer_key]
    command += ["--imports", (imports or ImportSettings()).model_dump_json()]
    with running(
        command,
        log_path=directory / "arize.log",
        env={**os.environ, **(objects.environment() if objects else {})},
        ready=lambda: is_open(port),
        deadline_s=deadline_s,
        name="Arize stand-in",
        ports=[port],
    ) as process:
        yield ArizeProcess(
            host=LOOPBACK,
            port=port,
            api_key=api_key,
            space_id=space_id,
            developer_key=developer_key,
            process=process,
        )
