"""The few pieces of HTML that the page is made of."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

NONE = "&ndash;"


def table(heads: list[str], rows: Iterable[list[str]], *, otherwise: str) -> str:
    """Draw a table; a head that begins with # stands over numbers."""
    looks = [' class="n"' if head.startswith("#") else "" for head in heads]
    head = "".join(f"<th{look}>{name.lstrip('#')}</th>" for name, look in zip(heads, looks, strict=True))
    lines = ["".join(f"<td{look}>{cell}</td>" for cell, look in zip(row, looks, strict=True)) for row in rows]
    empty = f'<td class="soft" colspan="{len(heads)}">{otherwise}</td>'
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines or [empty])}</table>"


def look(text: str, look: str) -> str:
    return f'<span class="{look}">{escape(text)}</span>'


def number(value: int) -> str:
    return f"{value:,}"


def ago(at: float, now: float) -> str:
    passed = max(0, int(now - at))
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if passed >= seconds:
            return f"{passed // seconds} {unit} ago"
    return f"{passed} s ago"
