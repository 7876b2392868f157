"""What a backfill leaves in Prefect for people: its plan with the form that runs it, what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger
from prefect.runtime import deployment

from sluice.backfill.claiming import REASONS, Why
from sluice.backfill.report import BackfillReport
from sluice.offsets import OffsetRange
from sluice.run import Run
from sluice.words import counted
from tasks.artifacts import tell
from tasks.links import run_form_link
from tasks.markdown import table
from tasks.never_failing import never_failing

_SHOWN: Final = 50


@never_failing
def publish_backfill_plan(run: Run, found: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Publish what a backfill would do, with the form that does it, filled in."""
    link = form_again({**parameters, "dry_run": False})
    line = f"Backfill of {run.pipeline.name}: {counted(len(found['windows']), 'window')}, {found['offsets']:,} offsets"
    page = plan_page(found, link)
    tell(line, create_markdown_artifact(key=f"backfill-plan-{run.pipeline.name}", markdown=page, description=line))
    if link:
        get_run_logger().info("To run it: %s", link)


def plan_page(found: Mapping[str, Any], link: str | None) -> str:
    """The plan in Markdown, for people."""
    windows, left_out = found["windows"], found["left_out"]
    lines = [f"# Backfill of {found['pipeline']}", ""]
    lines += [f"**[Run it]({link})**: the form comes filled in, and starts when you submit it.", ""] if link else []
    facts = [
        ("windows", f"{len(windows):,}"),
        ("offsets", f"{found['offsets']:,}"),
        ("model", found["model"]),
        ("rows that Arize would count twice, at most", f"{found['counted_twice']:,}"),
        ("offsets that Kafka may delete before they are read, at most", _number(found["may_expire"])),
        ("staged bytes, estimated", _number(found["bytes"])),
        ("seconds, estimated", _number(found["seconds"])),
        ("memory at most, MiB", f"{found['peak_memory_mib']:,}"),
        ("goes on with claim", ", ".join(map(str, found["claims"])) or "none"),
    ]
    lines += [*table(("", ""), facts), ""]
    if found["counted_twice"]:
        lines += ["Another `model` or `version` makes counting twice harmless.", ""]
    if left_out:
        rows = (_left_out_row(why, ranges) for why, ranges in left_out.items())
        lines += ["## Left out", "", *table(("offsets", "why", "ranges"), rows, numbers=("offsets",)), ""]
    if windows:
        shown: list[tuple[object, str]] = list(enumerate(windows[:_SHOWN]))
        shown += [("", f"and {len(windows) - _SHOWN:,} more")] if len(windows) > _SHOWN else []
        lines += ["## Windows", "", *table(("window", "ranges"), shown, numbers=("window",))]
    return "\n".join(lines)


@never_failing
def publish_failed(run: Run, report: BackfillReport, parameters: Mapping[str, Any]) -> None:
    """Publish what failed or is held, with the form that tries it again, filled in."""
    rows: list[dict[str, Any]] = [item.as_dict() for item in report.failed]
    rows += [
        {"slot": str(item.number), "ranges": item.entry.shown, "error": "WindowHeld", "message": item.entry.held}
        for item in report.held
    ]
    if not rows:
        return
    line = f"Failed or held, of the backfill of {run.pipeline.name}: {len(rows)}"
    link = form_again(parameters)
    told = f"{line}. [Run them again]({link}): what is delivered stays so." if link else line
    key = f"backfill-failed-{run.pipeline.name}"
    tell(line, create_table_artifact(key=key, table=rows, description=told))


@never_failing
def tell_way_on(report: BackfillReport, parameters: Mapping[str, Any]) -> None:
    """Log how far a run came that was told to end, and the form that goes on: Prefect's own message has neither."""
    link = form_again(parameters)
    get_run_logger().warning("%s", report.run.message + (f" To go on: {link}" if link else ""))


def form_again(parameters: Mapping[str, Any]) -> str | None:
    """The form of this deployment, filled in."""
    return run_form_link(f"backfill/{deployment.name or 'backfill'}", parameters)


def _left_out_row(why: Why, ranges: Sequence[str]) -> tuple[int, str, str]:
    shown = ", ".join(ranges[:_SHOWN]) + (f" and {len(ranges) - _SHOWN:,} more" if len(ranges) > _SHOWN else "")
    offsets = sum(OffsetRange.parse(text).span for text in ranges)
    return offsets, REASONS[why], shown


def _number(value: int | None) -> str:
    return f"{value:,}" if value is not None else "not known"
