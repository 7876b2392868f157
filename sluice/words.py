"""Words for people."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number and what it counts: `1 window`, `1,200 windows`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
