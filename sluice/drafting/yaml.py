"""Words of a pipeline file: names and paths as YAML that every reader takes alike, and lines with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.documents.yaml import AMBIGUOUS, BOOLS, NULLS
from sluice.drafting.names import Path

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_FURTHEST: Final = 60  # where comments of a block begin at the latest


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    comment: str = ""


def scalar(text: str) -> str:
    """Write a text, in quotes where YAML would take it for something else."""
    is_plain = _PLAIN.fullmatch(text) and text not in NULLS and text not in BOOLS and not AMBIGUOUS.fullmatch(text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def place(path: Path) -> str:
    """Write a path as a pipeline file does: dotted, or as a list where a key holds a dot."""
    if any("." in key for key in path):
        return f"[{', '.join(map(scalar, path))}]"
    return scalar(".".join(path))


def aligned(lines: Sequence[Line]) -> Iterator[str]:
    """Yield lines with their comments below each other."""
    at = min(_FURTHEST, max((len(line.text) for line in lines if line.comment), default=0))
    for line in lines:
        yield f"{line.text.ljust(at)}  # {line.comment}" if line.comment else line.text


def comment(words: str, width: int = 118) -> Iterator[str]:
    """Yield words as lines of comment; a name is never broken."""
    line = ""
    for word in words.split():
        if line and len(line) + len(word) + 1 > width:
            yield f"# {line}"
            line = ""
        line = f"{line} {word}".lstrip()
    yield f"# {line}"
