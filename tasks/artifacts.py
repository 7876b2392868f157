"""What a run leaves in Prefect for people: the plan before it reads, ledger page and offset chart behind it, its name.

A journal, not the truth: an artifact that cannot be written, or an API that is gone, is logged and nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from prefect import get_client
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from sluice.ingest import Planned
from sluice.ledger.entries import LedgerRange, Sealed
from sluice.ledger.names import shown
from sluice.offset_map import offset_maps
from sluice.planning import Backlog
from sluice.receipts import Receipt
from sluice.report import RunReport, WindowReport, range_as_dict, summary
from sluice.run import Run
from tasks.links import artifact_link
from tasks.never_failing import never_failing
from tasks.offset_chart import headline, offset_chart
from tasks.replay_links import replay_notes

MOST_WINDOWS: Final = 1_000  # of a page; the ledger has them all
LEDGER_PAGE: Final = "offsets-"


@never_failing
def publish_plan(run: Run, planned: Planned) -> None:
    """Publish what the run means to do, if anything: one row a partition, and a link to it in the log."""
    if not planned.plan.windows and not planned.unfinished:
        return
    stops = {item.partition: item.stop for item in planned.plan.ranges}
    rows = [_plan_row(item, stops[item.range.partition]) for item in planned.plan.backlog]
    windows, unfinished = len(planned.plan.windows), len(planned.unfinished)
    line = f"Plan of {run.pipeline.name}: {windows} window{'' if windows == 1 else 's'}" + (
        f", {unfinished} earlier to finish" if unfinished else ""
    )
    _publish(f"plan-{slug(run)}", rows, line)


@never_failing
def publish_report(run: Run, report: RunReport) -> None:
    """Publish the ledger page of the run, one row a range."""
    windows = report.windows[-MOST_WINDOWS:]
    rows = [_ledger_row(window, item) for window in windows for item in window.entry.ranges]
    if rows:
        line = f"Ledger of {report.pipeline}: {report.balance.arithmetic()}"
        line += f"; of {len(report.windows):,} windows the last" if len(report.windows) > MOST_WINDOWS else ""
        unknown = [f"- `{field.path}`: `{field.line}`" for field in report.unknown]
        notes = replay_notes(report.pipeline, windows)
        notes += ["", *report.notes] if report.notes else []
        if unknown:
            notes += ["", "Fields that the pipeline file does not know, and the line that takes each:", *unknown]
        _publish(ledger_key(run), rows, line, *notes)


@never_failing
def publish_map(run: Run, report: RunReport) -> None:
    """Publish where every offset of the pipeline's partitions stands now, if the run had anything to do."""
    if not report.windows:
        return
    run.learn_claims()
    standing = run.outlook.look(write=False)
    maps = offset_maps(standing.state, standing.bounds, standing.partitions, run.ledger.waiting_slots())
    line = f"Offsets of {report.pipeline}: {headline(maps)}"
    key = f"map-{slug(run)}"
    tell(line, create_markdown_artifact(key=key, markdown=offset_chart(maps), description=line))


def name_run(report: RunReport, kind: str = "") -> None:
    """Name the run by what it did."""
    rename_run(kind + summary(report.pipeline, report.taken, report.rows_accepted, report.state))


@never_failing
def rename_run(name: str) -> None:
    """Give the flow run another name than it began with."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, name=name)


def ledger_key(run: Run) -> str:
    """The key of the ledger's pages: each run makes another version of it."""
    return LEDGER_PAGE + slug(run)


def _ledger_row(window: WindowReport, item: LedgerRange) -> dict[str, Any]:
    """One row of a ledger page: a range of an entry, with what became of it."""
    return {
        "entry": shown(window.number),
        "status": window.status,
        **range_as_dict(item),
        "committed_at": window.committed_at,
        "receipt": ", ".join(map(_receipt_text, window.receipts)),
        **_file_columns(window.entry),
    }


def sealed_columns(entry: Sealed, item: LedgerRange) -> dict[str, Any]:
    """What such a row has of the entry alone, as it was sealed: nothing can change it any more."""
    return {**range_as_dict(item), **_file_columns(entry)}


def slug(run: Run) -> str:
    """The pipeline's name and its ledger's id: unique; a topic's name would not be (dots, case), or not be allowed."""
    return f"{run.pipeline.name}-{run.ledger.state.ledger_id[:8]}"


def _publish(key: str, rows: list[dict[str, Any]], line: str, *notes: str) -> None:
    tell(line, create_table_artifact(key=key, table=rows, description="\n".join([line, *notes])))


def tell(line: str, artifact: object) -> None:
    """Log the way to an artifact: no menu of Prefect's leads there."""
    get_run_logger().info("%s: %s", line, artifact_link(artifact) or f"artifact {artifact}")


def _plan_row(backlog: Backlog, stop: int) -> dict[str, Any]:
    at = backlog.range
    return {
        "topic": at.partition.topic,
        "partition": at.partition.number,
        "start": at.start,
        "stop": stop,
        "offsets": stop - at.start,
        "left_for_later_runs": at.stop - stop,
        "end": at.stop,
        "earliest": backlog.earliest,
        "retention_margin": backlog.retention_margin,
    }


def _receipt_text(receipt: Receipt) -> str:
    if receipt.is_pending:
        return f"part {receipt.part}: its file is in its place, Arize has not said yet"
    if receipt.placed:
        return f"part {receipt.part}: {receipt.placed} rows placed, nobody may ask Arize"
    doubt = f", may be counted {receipt.unknown + 1} times" if receipt.unknown else ""
    rows = f"{receipt.dropped} rows dropped" if receipt.dropped else f"{receipt.rows} rows"
    return f"part {receipt.part}: delivery {receipt.delivery}, {rows}{doubt}"


def _file_columns(entry: Sealed) -> dict[str, str | None]:
    staged, destination = entry.staged, entry.destination
    return {
        "path": destination.path,
        "file": staged.key if staged else None,
        "sha256": staged.sha256 if staged else None,
        "content": staged.content if staged else None,
        "imported_as": destination.key,
    }
