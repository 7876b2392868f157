"""What an audit leaves in Prefect for people: what it found, with the next steps, and where each partition stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prefect.artifacts import create_markdown_artifact

from sluice.audit.report import AuditReport
from sluice.offsets import Balance
from tasks.artifacts import tell
from tasks.markdown import table
from tasks.never_failing import never_failing

_SHOWN: Final = 100
_PARTITION: Final = (
    *("topic", "partition", "position", "delivered", "committed", "group", "end", "lag", "earliest"),
    *("retention_margin", "retention_hours", "retention_by"),
)


@never_failing
def publish_audit(report: AuditReport) -> None:
    """Publish what was found, and a link to it in the log; nothing where there is no ledger."""
    if report.walked is None or not report.walked.stop:
        return
    ledger = (report.walked.ledger_id or "none")[:8]
    line = f"Audit of {report.run.pipeline}: {report.verdict}"
    key = f"audit-{report.run.pipeline}-{ledger}"
    tell(line, create_markdown_artifact(key=key, markdown=audit_page(report.as_dict()), description=line))


def audit_page(found: Mapping[str, Any]) -> str:
    """An audit in Markdown, for people."""
    lines = [f"# Audit of {found['pipeline']}", "", f"**{found['verdict']}**", "", *_facts(found), ""]
    if found["findings"]:
        lines += ["## Findings", "", *table(("", "where", "what", "next"), map(_finding, found["findings"][:_SHOWN]))]
        more = found["errors"] + found["warnings"] - _SHOWN
        lines += [f"and {more:,} more", ""] if more > 0 else [""]
    if found["partitions"]:
        rows = ([item[name] for name in _PARTITION] for item in found["partitions"])
        lines += ["## Where each partition stands", "", *table(_PARTITION, rows), ""]
    if found["waiting"]:
        heads = ("entry", "since", "rows", "waits_for", "next")
        rows = ([item[name] for name in heads] for item in found["waiting"][:_SHOWN])
        lines += ["## What waits", "", *table(heads, rows), ""]
    return "\n".join(lines)


def _facts(found: Mapping[str, Any]) -> list[str]:
    totals = found["totals"]
    facts: list[tuple[str, Any]] = [("audited before", found["audited_before"] or "never, or all of it again")]
    if totals:
        balance = Balance(**{name: totals[name] for name in Balance().as_dict()})
        facts.append(("offsets since the genesis", balance.arithmetic()))
        facts += [(f"rows {name}", totals[f"rows_{name}"]) for name in ("accepted", "placed", "dropped")]
    facts += [
        ("rows that wait", sum(item["rows"] for item in found["waiting"])),
        ("parts that may be counted twice", found["may_be_counted_twice"]),
        ("checkpoints compared", found["checkpoints_compared"]),
    ]
    facts += [(f"import files {name}", count) for name, count in found["files"].items() if count]
    if found["files_nobody_needs"] is not None:
        facts += [("files nobody needs", found["files_nobody_needs"]), ("of these let go of", found["files_swept"])]
    return [*table(("", ""), facts)]


def _finding(item: Mapping[str, Any]) -> list[Any]:
    entry = f"entry {item['entry']}" if item["entry"] is not None else ""
    at = f"{item['topic']}[{item['partition']}] {item['start']}..{item['stop']}" if item["topic"] else ""
    return [item["severity"], ", ".join(word for word in (entry, at) if word), item["what"], item["next"]]
