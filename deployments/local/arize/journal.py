"""A file of JSON lines that outlives a kill -9: what is written durably is there again, a half line is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


class Journal:
    """Lines in the order in which they were written. Its owner sees to it that one thread writes at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = self._whole()
        self._file: BinaryIO = path.open("ab")

    def replay(self) -> Iterator[dict[str, Any]]:
        """Give the lines that were there when it was opened."""
        yield from map(json.loads, self._lines.splitlines())
        self._lines = b""

    def write(self, *lines: dict[str, Any], durable: bool) -> None:
        """Append lines; durable ones are on the disk before this returns."""
        self._file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())

    def clear(self) -> None:
        self._file.truncate(0)

    def close(self) -> None:
        self._file.close()

    def _whole(self) -> bytes:
        written = self._path.read_bytes() if self._path.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]  # a line cut short by a kill was never acknowledged
        if whole != written:
            os.truncate(self._path, len(whole))
        return whole


def sync(*paths: Path) -> None:
    """Have files, and folders that name them, on the disk before this returns."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
