"""Words for people."""

from __future__ import annotations

from typing import Final

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


def counted(number: int, what: str) -> str:
    """A number and what it counts: `1 window`, `1,200 windows`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def lasting(seconds: int) -> str:
    """A time in the unit that a person would say it in: `45 s`, `12 min`, `3.5 h`, `61 days`."""
    sign, size = "-" if seconds < 0 else "", abs(seconds)
    if size < 2 * _MINUTE_S:
        return f"{sign}{size} s"
    if size < 2 * _HOUR_S:
        return f"{sign}{_short(size / _MINUTE_S)} min"
    if size < 2 * _DAY_S:
        return f"{sign}{_short(size / _HOUR_S)} h"
    return f"{sign}{_short(size / _DAY_S)} days"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.1f}".removesuffix(".0")
