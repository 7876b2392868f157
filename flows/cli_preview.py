"""The command `preview`: rows on the person's own terminal, so that cells are cut, and nothing in them acts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flows.cli_grid import fitted, grid
from flows.cli_opening import loaded, settings
from sluice.words import counted

_WIDEST = 24  # a cell


def previewed(options: argparse.Namespace) -> dict[str, Any]:
    """Preview a pipeline: on Kafka alone, and on the hash key where the file hashes."""
    from sluice.last_records import preview_last

    return preview_last(loaded(options).pipeline, settings(), options.count)


def preview_text(found: Mapping[str, Any], width: int) -> str:
    """Return a table of rows and what else became of the records.

    Args:
        width: of the terminal, in characters.
    """
    if not found["records"] and found["is_cut"]:
        return f"{found['pipeline']}: no record of {_topics(found)} came within the limits of time and bytes: try again"
    if not found["records"]:
        return f"{found['pipeline']}: {_topics(found)} holds no record that can be read now. Nothing to preview"
    head = f"{found['pipeline']}: the last {counted(found['records'], 'record')} of {_topics(found)}"
    lines = [f"{head}, {counted(found['partitions'], 'partition')}"]
    if found["is_cut"]:
        lines.append("Not all that was asked for came within the limits of time and bytes: ask for fewer with -n")
    lines += _table(found, width) if found["rows"] else ["No record would become a row."]
    return "\n".join([*lines, *_others(found)])


def _topics(found: Mapping[str, Any]) -> str:
    return ", ".join(found["topics"])


def _others(found: Mapping[str, Any]) -> list[str]:
    lines = [f"{counted(found['mapped'], 'record')} would be sent as above"] if found["rows"] else []
    if found["rejected"]:
        lines.append(f"{counted(found['rejected'], 'record')} would be rejected:")
        lines += [
            f"{item['count']:>7,}  {item['reason']}, such as {', '.join(item['at'])}" for item in found["reasons"]
        ]
        lines += _held(found)
    if found["filtered"]:
        lines.append(f"{counted(found['filtered'], 'record')} would be filtered: not what `when` asks for")
    if found["tombstones"]:
        lines.append(f"{counted(found['tombstones'], 'tombstone')} would be counted, and not sent")
    lines += [
        f"the file does not know {field['path']}; to take it: {field['line']}" for field in found["unknown_fields"]
    ]
    return lines


def _held(found: Mapping[str, Any]) -> list[str]:
    share = found["rejected"] / (found["rejected"] + found["mapped"])
    if share <= found["max_rejected"]:
        return []
    return [f"That is {share:.0%}: policies.max_rejected holds windows with more than {found['max_rejected'] * 100:g}%"]


def _table(found: Mapping[str, Any], width: int) -> list[str]:
    """Return rows, each on a line, and the columns for which a line has no room turned, each on a line."""
    rows, has_topics = found["rows"], len(found["topics"]) > 1
    names = [name for name in rows[0] if name != "topic" or has_topics]
    columns = [[fitted(text, _WIDEST) for text in (name, *(_cell(name, row[name]) for row in rows))] for name in names]
    lines, fitting = grid(columns, width)
    if fitting == len(names):
        return lines
    heads = [f"{row['topic'] if has_topics else ''}[{row['partition']}] {row['offset']}" for row in rows]
    most = max(_WIDEST, width // 2)
    turned = [["", *(fitted(name, most) for name in names[fitting:])]]
    turned += [[heads[at], *(texts[at + 1] for texts in columns[fitting:])] for at in reversed(range(len(rows)))]
    rest, taken = grid(turned, width, least=2)
    head = f"The columns that do not fit, of the last {counted(taken - 1, 'record')} (--json has all):"
    return [*lines, "", head, *rest, ""]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "prediction_ts":
        return _moment(value)
    return value if isinstance(value, str) else repr(value)


def _moment(epoch_s: float) -> str:
    """As a date, in which a wrong unit is seen at once."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
