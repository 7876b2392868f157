"""Run the stand-in as a process of its own, which can be killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments.local.arize.handle import API_KEY, SPACE_ID, ArizeStandIn
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
    deadline_s: float = 60,
) -> Iterator[ArizeProcess]:
    """Run the stand-in as a child for as long as the block lives; port None takes a free one.

    Raises: PortTakenError, ChildError with the end of its log.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "deployments.local.arize", "--port", str(port), "--directory", str(directory)]
    with running(
        [*command, "--api-key", api_key, "--space", space_id],
        log_path=directory / "arize.log",
        ready=lambda: is_open(port),
        deadline_s=deadline_s,
        name="Arize stand-in",
        ports=[port],
    ) as process:
        yield ArizeProcess(host=LOOPBACK, port=port, api_key=api_key, space_id=space_id, process=process)
