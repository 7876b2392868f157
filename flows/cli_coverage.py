"""What the command `coverage` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.cli_text import table
from sluice.words import counted, lasting

_SHOWN = 31  # days
_DAY = ("day", "delivered", "with_actual", "share", "waiting", "early", "late", "none", "repeated", "corrected")
_TAKES = (("event time", "event_delays"), ("received", "received_delays"))


def coverage_text(found: Mapping[str, Any]) -> str:
    """How many predictions have their truth: by day, how long it took, what will be too late, what matches nothing."""
    lines = [f"{found['pipeline']}, predictions of {found['predictions']}: {found['verdict']}"]
    if found["days"]:
        days = list(found["days"].items())[-_SHOWN:]
        lines.append(table(_DAY, [_day(day, counts) for day, counts in days]))
    return "\n".join([*lines, *_takes(found["total"]), *_leaving(found), *_actuals(found), *_below(found)])


def _day(day: str, counts: Mapping[str, Any]) -> list[Any]:
    share = f"{counts['with_actual'] * 1000 // counts['delivered'] / 10:g}%"
    return [share if name == "share" else day if name == "day" else counts[name] for name in _DAY]


def _takes(total: Mapping[str, Any]) -> Iterator[str]:
    for words, name in _TAKES:
        if total[name]["count"]:
            times = ", ".join(
                f"{quantile} {lasting(total[name][f'{quantile}_s'])}" for quantile in ("p50", "p90", "p99")
            )
            yield f"truth takes, by {words}: {times}"


def _leaving(found: Mapping[str, Any]) -> Iterator[str]:
    if any(found["leaving"].values()):
        days = ", ".join(f"{counted(int(days), 'day')} {count:,}" for days, count in found["leaving"].items())
        yield f"without truth, and leave the joining window of {found['join_window_days']} days within: {days}"


def _actuals(found: Mapping[str, Any]) -> Iterator[str]:
    actuals = found["actuals"]
    names = ("matched", "early", "late", "unknown")
    told = ", ".join(f"{actuals[name]:,} {name}" for name in names)
    yield f"actuals: {actuals['sent']:,} sent = {told}; {actuals['repeated']:,} repeated, not sent again"
    if unmatched := found["unmatched"]["ranges"]:
        more = found["unmatched"]["more_offsets"]
        yield f"unmatched: {', '.join(unmatched)}" + (f" and {more:,} offsets more" if more else "")
    for side, rows in found["unknown"].items():
        if rows:
            yield f"{rows:,} {side} are in no count: neither their files nor their ids are there any more"


def _below(found: Mapping[str, Any]) -> Iterator[str]:
    if found["below"]:
        asked = f"{found['asked']['at_least'] * 100:g}% after {counted(found['asked']['after_days'], 'day')}"
        yield f"below {asked}: {', '.join(found['below'][-_SHOWN:])}"
