"""Lines into Markdown, and into JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rounds import Line

_RATES = ("rows/s, median", "from, to", "rows/s with the start", "CPU µs a row", "peak RSS MB", "rounds")
_TIMES = ("seconds, median", "from, to", "seconds with the start", "CPU s", "peak RSS MB", "rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a report.

    Attributes:
        timed: whether seconds are shown, and not rows a second.
        beside: the line that the others are compared with, by name; empty for none.
        remarks: sentences behind the table.
    """

    title: str
    what: str
    lines: Sequence[Line]
    timed: bool = False
    beside: str = ""
    remarks: Sequence[str] = ()

    def markdown(self) -> str:
        base = next((line.rate for line in self.lines if line.name == self.beside and line.taken), None)
        first, *others = _TIMES if self.timed else _RATES
        head = [self.what, first, *([f"times the {self.beside}"] if base else []), *others]
        cells = _seconds if self.timed else _rates
        rows = [[line.name, *(cells(line, base) if line.taken else _void(line, len(head)))] for line in self.lines]
        ruler = ["---", *["---:"] * (len(head) - 1)]
        notes = [f"- {line.name}: {line.note}" for line in self.lines if line.note]
        parts = [f"## {self.title}", "\n".join(_joined(cells) for cells in (head, ruler, *rows))]
        parts += ["\n".join(self.remarks)] if self.remarks else []
        parts += ["\n".join(notes)] if notes else []
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        return {"title": self.title, "lines": [asdict(line) for line in self.lines], "remarks": list(self.remarks)}


def _void(line: Line, width: int) -> list[str]:
    return [line.void, *[""] * (width - 2)]


def _rates(line: Line, base: float | None) -> list[str]:
    return [
        _thousands(line.rate),
        *([f"{line.rate / base:.1f}"] if base else []),
        f"{_thousands(line.rates[0])}, {_thousands(line.rates[-1])}",
        _thousands(line.whole_rate),
        f"{line.cpu_us:.1f}",
        f"{line.peak_mb:,.0f}",
        str(len(line.taken)),
    ]


def _seconds(line: Line, _: float | None) -> list[str]:
    """Of a line whose `records` are one."""
    return [
        f"{1 / line.rate:.2f}",
        f"{1 / line.rates[-1]:.2f}, {1 / line.rates[0]:.2f}",
        f"{1 / line.whole_rate:.2f}",
        f"{line.cpu_us / 1e6:.2f}",
        f"{line.peak_mb:,.0f}",
        str(len(line.taken)),
    ]


def _thousands(rate: float) -> str:
    return f"{rate / 1000:,.1f}k"


def _joined(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
