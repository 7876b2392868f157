"""Show what arrived on one plain page that refreshes itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from deployments.local.arize.drawing import NONE, ago, look, number, table
from deployments.local.arize.imports.page import drawn_imports
from deployments.local.arize.joiner.page import drawn_joiner
from deployments.local.arize.store import Call

_RECENT = 15

_STYLE = """
:root { --ink: #1c2430; --soft: #667085; --line: #e6e8ec; --paper: #f6f7f9;
        --good: #067647; --bad: #b42318; --warm: #b54708 }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px }
header { display: flex; justify-content: space-between; align-items: baseline; margin-bottom: 20px }
h1 { font-size: 22px; margin: 0; letter-spacing: -.01em } h2 { font-size: 15px; margin: 32px 0 10px }
small, .soft { color: var(--soft) } small { font-size: 13px }
.cards { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px }
.card, table { background: #fff; border: 1px solid var(--line); border-radius: 10px }
.card { padding: 14px 18px } .card b { display: block; font-size: 26px; font-weight: 600; letter-spacing: -.02em }
table { width: 100%; border-collapse: separate; border-spacing: 0; overflow: hidden;
        font-variant-numeric: tabular-nums }
th { text-align: left; font-size: 12px; font-weight: 600; color: var(--soft); background: #fbfbfc; white-space: nowrap }
th, td { padding: 8px 14px; border-bottom: 1px solid var(--line) } tr:last-child td { border-bottom: 0 }
.n { text-align: right } td { white-space: nowrap } td.w { white-space: normal }
.good { color: var(--good) } .bad { color: var(--bad) } .warm { color: var(--warm) }
.bad, .warm, .good { font-weight: 600 }
code { font: 13px ui-monospace, Menlo, Consolas, monospace }
"""


def drawn(
    summary: dict[str, Any],
    calls: Sequence[Call],
    faults: list[dict[str, Any]],
    *,
    jobs: Sequence[dict[str, Any]] = (),
    files: Sequence[dict[str, Any]] = (),
    now: float,
) -> str:
    """Draw the page as HTML without any other file; jobs and files are the import side's."""
    body = [
        _header(now),
        _cards(summary),
        "<h2>What arrived</h2>",
        _arrived(summary["versions"], now),
        "<h2>Faults scripted</h2>",
        _faults(faults),
        *drawn_joiner(summary["join"], now),
        *drawn_imports(jobs, files),
        f"<h2>Calls <small>the last {_RECENT}, newest first</small></h2>",
        _recent(calls[: -_RECENT - 1 : -1], now),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
        f"<title>Arize stand-in</title><style>{_STYLE}</style><main>{''.join(body)}</main></html>"
    )


def _header(now: float) -> str:
    at = datetime.fromtimestamp(now, UTC)
    return (
        "<header><div><h1>Arize stand-in</h1><small>What the real SDK, and files in a bucket, brought to this machine. "
        f"Nothing is ever deduplicated.</small></div><small>{at:%Y-%m-%d %H:%M:%S} UTC, every 3 s</small></header>"
    )


def _cards(summary: dict[str, Any]) -> str:
    calls = summary["calls"]
    twice = sum(model["repeated_ids"] for model in summary["models"])
    cards = [
        ("rows kept", number(summary["rows"]), ""),
        ("ids seen twice", number(twice), "bad" if twice else "good"),
        ("calls stored", number(calls["stored"]), ""),
        ("calls not stored", number(calls["not_stored"]), "warm" if calls["not_stored"] else ""),
        ("files lost later", number(calls["lost"]), "bad" if calls["lost"] else ""),
    ]
    shown = (
        f'<div class="card"><b class="{look}">{value}</b><small>{name}</small></div>' for name, value, look in cards
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def _arrived(versions: list[dict[str, Any]], now: float) -> str:
    heads = ["Model", "Holds", "Version", "Environment", "#Rows", "#Ids", "#Seen twice", "#Calls", "#Files", "Last"]
    rows = (
        [
            f"<b>{escape(group['model'])}</b>",
            escape(group["kind"]),
            f"<code>{escape(group['version']) or NONE}</code>",
            escape(group["environment"]),
            number(group["rows"]),
            number(group["prediction_ids"]),
            look(number(group["repeated_ids"]), "bad" if group["repeated_ids"] else "good"),
            number(group["calls"]),
            number(group["files"]),
            ago(group["last_call_at"], now),
        ]
        for group in versions
    )
    return table(heads, rows, otherwise="Nothing yet.")


def _faults(faults: list[dict[str, Any]]) -> str:
    rows = (
        [
            look(fault["kind"], "warm"),
            escape(
                ", ".join(
                    f"{name} {value}" for name, value in fault.items() if value and name not in ("kind", "times", "met")
                )
            ),
            f"{fault['met']} of {fault['times'] or 'all'}",
        ]
        for fault in faults
    )
    return table(["Kind", "With", "#Met"], rows, otherwise="None: every call is taken as it comes.")


def _recent(calls: Iterable[Call], now: float) -> str:
    heads = ["#Call", "Received", "Model", "Version", "#Rows", "#Bytes", "Answer", "Kept", "Fault, or why not"]
    rows = (
        [
            str(call.number),
            ago(call.received_at, now),
            escape(call.model) or NONE,
            f"<code>{escape(call.version) or NONE}</code>",
            number(call.rows),
            number(call.bytes),
            look(str(call.status or "none"), "good" if call.status == 200 else "bad"),
            look("lost", "bad") if call.lost else "yes" if call.stored else look("no", "warm"),
            f'<span class="soft">{escape(call.message or call.fault or "")}</span>',
        ]
        for call in calls
    )
    return table(heads, rows, otherwise="Nobody called yet.")
