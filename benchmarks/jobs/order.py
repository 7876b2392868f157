"""What a job is asked for, and what it answers: JSON in a line each. Standard library only: peers read it, too."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job: a topic to read to its end, and a directory to write into.

    Attributes:
        ends: the end offset of each partition.
        pipeline: Sluice's pipeline file.
        extra: what only some jobs need, by name.
    """

    servers: str
    topic: str
    ends: tuple[int, ...]
    output: str
    pipeline: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return sum(self.ends)

    @property
    def model(self) -> str:
        """The name of the pipeline, its group and its model."""
        return Path(self.pipeline).stem

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def run_job(work: Callable[[Order], Mapping[str, Any] | None]) -> None:
    """Do what the command line asks for, and print how long it took: neither Python's start nor imports count.

    A job that times itself, for only a part of its work counts, returns its `seconds`.
    """
    given = json.loads(sys.argv[1])
    order = Order(**{**given, "ends": tuple(given["ends"])})
    began = time.perf_counter()
    told = work(order) or {}
    print(json.dumps({"seconds": time.perf_counter() - began, **told}), flush=True)
