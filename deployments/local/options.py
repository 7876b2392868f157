"""What `make demo` and `make up` have in common: their options, and how they tell what happens."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from deployments.local.events import COUNT, TOTAL

DIRECTORY = Path(__file__).resolve().parents[2] / ".sluice"


class Teller:
    """Says what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {line}", flush=True)

    def row(self, line: str) -> None:
        print(f"          {line}", flush=True)

    def rows(self, lines: list[str]) -> None:
        for line in lines:
            self.row(line)


def options_of(program: str, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where the parts keep their data")
    parser.add_argument("--departures", type=int, default=COUNT, help="events to produce at the first call")
    parser.add_argument("--all", action="store_true", help="all departures that there are; a backfill and a replay")
    options = parser.parse_args()
    if options.all:
        options.departures = TOTAL
    return options
