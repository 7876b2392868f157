"""Put results into docs/benchmarks.md, in the order given: `python -m benchmarks.paste benchmarks/results/….md …`.

`make bench ARGS=--paste` does it with what it measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.systems import ROOT

DOCS = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def pasted(page: str, results: list[str]) -> str:
    """Return the page with results in the place of those that it has."""
    before, _, rest = page.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return "\n\n".join([before + BEGIN, *(result.strip() for result in results), END + behind])


if __name__ == "__main__":
    DOCS.write_text(pasted(DOCS.read_text(), [Path(name).read_text() for name in sys.argv[1:]]))
