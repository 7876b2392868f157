"""Tables for Prefect's pages, which draw Markdown. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a table. A value is one cell whatever is in it; an int has its commas, None is empty.

    Args:
        numbers: heads of the columns that stand to the right.
    """
    yield _row(heads)
    yield _row(["--:" if head in numbers else "---" for head in heads])
    for row in rows:
        yield _row([_cell(value) for value in row])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
