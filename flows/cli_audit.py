"""The command `audit`: what is lost, doubled or damaged, and what somebody should look at."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli_opening import opened
from flows.cli_prefect import empty_report
from flows.cli_text import table
from sluice.errors import SluiceError
from sluice.offsets import Balance
from sluice.words import counted

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from collections.abc import Iterator, Mapping

_SHOWN = 20
_PARTITION = ("topic", "partition", "position", "delivered", "committed", "group", "end", "retention_hours")


def audited(options: argparse.Namespace) -> dict[str, Any]:
    """Audit a pipeline's ledger, and return what was found as a dict, whatever became of it."""
    from sluice.audit.report import AuditReport
    from sluice.audit.story import audit
    from sluice.audit.work import Audit

    empty = empty_report(options)
    report = AuditReport(run=empty)
    try:
        with opened(options, empty.run_id) as run:
            work = Audit(run, full=options.full, deep=options.deep, sweep=options.sweep)
            report = audit(work, AuditReport(run=run.report()))
    except SluiceError as error:
        report = report.ended_by(error)
    return report.as_dict()


def audit_text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['pipeline']}: {found['state']}, {found['verdict']}"]
    if totals := found["totals"]:
        balance = Balance(**{name: totals[name] for name in Balance().as_dict()})
        rows = [f"{totals[f'rows_{name}']:,} {name}" for name in ("accepted", "placed", "dropped")]
        lines.append(f"since the genesis: {balance.arithmetic()}; rows settled: {', '.join(rows)}")
    lines += [line for item in found["findings"][:_SHOWN] for line in _finding(item)]
    if len(found["findings"]) > _SHOWN:
        lines.append(f"and {found['errors'] + found['warnings'] - _SHOWN:,} more; --json lists more of them")
    if found["partitions"]:
        lines.append(table(_PARTITION, ([item[name] for name in _PARTITION] for item in found["partitions"])))
    return "\n".join([*lines, *_others(found)])


def _finding(item: Mapping[str, Any]) -> Iterator[str]:
    entry = f"entry {item['entry']}" if item["entry"] is not None else ""
    at = f"{item['topic']}[{item['partition']}] {item['start']}..{item['stop']}" if item["topic"] else ""
    where = ", ".join(word for word in (entry, at) if word)
    yield f"{item['severity']}: {where + ': ' if where else ''}{item['what']}"
    if item["next"]:
        yield f"  next: {item['next']}"


def _others(found: Mapping[str, Any]) -> Iterator[str]:
    if found["waiting"]:
        rows = sum(item["rows"] for item in found["waiting"])
        yield f"{rows:,} rows wait in {counted(len(found['waiting']), 'sealed window')}; sluice status says for what"
    files = {name: count for name, count in found["files"].items() if count}
    if files:
        yield "files: " + ", ".join(f"{count:,} {name}" for name, count in files.items())
    if found["may_be_counted_twice"]:
        yield f"{counted(found['may_be_counted_twice'], 'part')} may be counted twice; sluice status names them"
    if found["files_swept"]:
        yield f"{counted(found['files_swept'], 'file')} that nobody needs let go of"
    elif found["files_nobody_needs"]:
        yield f"{counted(found['files_nobody_needs'], 'file')} that nobody needs: sluice sweep FILE"
