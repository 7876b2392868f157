"""What the commands print for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.offsets import Balance
from sluice.words import counted

_CLASSES = tuple(Balance().as_dict())
_PARTITION = (
    *("topic", "partition", "position", "committed", "end", "lag", "in_open_transactions", "earliest"),
    "retention_margin",
)
_SHOWN = 20  # rejected records


_MARKS = {True: "✓", False: "✗", None: "?"}


def check_text(found: Mapping[str, Any]) -> str:
    if "deployed" in found:
        return _deployments_text(found)
    rows = [(name, kind) for name, kind in found["columns"].items()]
    head = f"{found['file']} is valid: pipeline {found['pipeline']}, {counted(len(rows), 'column')}"
    trials = [f"{_MARKS[item['ok']]} {item['what']}: {item['says']}" for item in found.get("trials", ())]
    return "\n".join([head, *(trials or [table(("column", "type"), rows)])])


def _deployments_text(found: Mapping[str, Any]) -> str:
    lines = [f"✓ {name}" for name in found["deployed"]]
    lines += [f"✗ {name}: no pipeline file of that name, but an entry in {found['file']}" for name in found["unknown"]]
    lines += [f"✗ {name}: no entry in {found['file']}" for name in found["missing"]]
    if found["missing"]:
        lines += ["", f"Add to deployments in {found['file']}:", found["lines"].rstrip()]
    return "\n".join(lines)


def draft_text(found: Mapping[str, Any]) -> str:
    """The file itself, unless it was written to one."""
    if not found["file"]:
        return str(found["text"]).rstrip("\n")
    lines = [f"{found['file']}: a draft from {found['seen']}"]
    lines += [f"to be filled in: {', '.join(found['open'])}"] if found["open"] else []
    return "\n".join([*lines, f"Next: review it, then sluice check {found['file']}"])


def plan_text(found: Mapping[str, Any]) -> str:
    rows = [(number, item) for number, window in enumerate(found["windows"], 1) for item in window]
    waiting = [f"Entry {number} is sealed and not delivered: the run finishes it." for number in found["unfinished"]]
    lines = [f"{counted(len(found['windows']), 'window')}, {found['offsets']:,} offsets"]
    lines += waiting + ([found["held"]] if found["held"] else [])
    lines += [table(("window", "range"), rows)] if rows else ["Nothing new: every partition is caught up."]
    return "\n".join(
        [*lines, f"Peak of memory, estimated: {found['peak_memory_mib']:,} MiB ({found['peak_memory_why']})"]
    )


def run_text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['pipeline']}: {found['state']}, {counted(len(found['windows']), 'window')}"]
    lines += [window_text(window) for window in found["windows"]]
    lines += found["notes"]
    if pending := found["totals"]["files_pending"]:
        lines.append(f"{counted(pending, 'file')} pending: Arize has not said yet; the next run asks again")
    lines += [
        f"the file does not know {field['path']}; to take it: {field['line']}" for field in found["unknown_fields"]
    ]
    return "\n".join(lines)


def window_text(window: Mapping[str, Any]) -> str:
    """One line of arithmetic a window: `entry 3  100,000 = 99,890 staged + 110 rejected → 99,890 accepted`."""
    balance = Balance(**{name: sum(item[name] for item in window["ranges"]) for name in _CLASSES})
    others = [f", {window[f'rows_{name}']:,} {name}" for name in ("placed", "dropped") if window[f"rows_{name}"]]
    line = f"entry {window['entry']:>4}  {balance.arithmetic()} → {window['rows_accepted']:,} accepted{''.join(others)}"
    line += f", {window['status']}"
    doubted = [str(item["part"]) for item in window["receipts"] if item["unknown_sends"]]
    return line + (f"; part {', '.join(doubted)} may be counted twice" if doubted else "")


def status_text(found: Mapping[str, Any]) -> str:
    ledger = found["ledger"]
    begun = (
        f"ledger {ledger['id'][:8]}, {ledger['entries']} entries"
        if ledger
        else "no ledger yet: the first run begins it"
    )
    lines = [f"{found['pipeline']}: {begun}; group {found['group']}"]
    if found["partitions"]:
        lines.append(table(_PARTITION, ([item[name] for name in _PARTITION] for item in found["partitions"])))
    if (waits := found["predictions"]) and waits["delivered_until"]:
        lines.append(f"waits for {waits['pipeline']}, which is delivered up to {waits['delivered_until']}")
    if found["problem"]:
        lines.append(f"the next run stops: {found['problem']['message']}")
    files = {name: count for name, count in found["files"].items() if count}
    if files:
        lines.append("files: " + ", ".join(f"{count:,} {name}" for name, count in files.items()))
    lines += (
        [f"{counted(found['redeemed'], 'rejected record')} passed later, and went out"] if found["redeemed"] else []
    )
    lines += [
        f"backfill {item['claim']} ({item['reason']}): {item['offsets_left']:,} offsets in "
        f"{counted(item['windows_left'], 'window')} left, {counted(item['slots_waiting'], 'slot')} waiting"
        for item in found["backfills"]
    ]
    lines += [
        f"entry {item['entry']} part {item['part']} may be counted twice" for item in found["may_be_counted_twice"]
    ]
    for item in found["waiting"]:
        why = item["held"] or "; ".join(part["last"] for part in item["parts"])
        lines.append(f"entry {item['entry']} waits: {why}. Next: {item['next']}")
    return "\n".join(lines)


def rejected_text(found: Mapping[str, Any]) -> str:
    records = found["records"]
    lines = [f"entry {found['entry']} of {found['pipeline']}: {counted(found['rejected'], 'rejected record')}"]
    lines += [f"{count:,} {reason}" for reason, count in found["reasons"].items()]
    lines += [f"{found['redeemed']:,} of them passed later, and went out"] if found["redeemed"] else []
    if records:
        lines.append(table(tuple(records[0]), ([*record.values()] for record in records[:_SHOWN])))
    if len(records) > _SHOWN:
        lines.append(f"and {len(records) - _SHOWN:,} more; --json lists all")
    return "\n".join(lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns; numbers to the right."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    return "\n".join(
        "  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)


def _padded(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() or cell[:2].lstrip("-").isdigit() else cell.ljust(width)
