"""What a look at coverage leaves in Prefect: a page for people, and a row a day for programs."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from sluice.ground_truth.report import CoverageReport
from tasks.artifacts import tell
from tasks.coverage_chart import coverage_chart
from tasks.coverage_tables import day_rows
from tasks.never_failing import never_failing


@never_failing
def publish_coverage(report: CoverageReport) -> None:
    """Publish coverage, and a link to its page in the log; nothing where no actual was ever delivered."""
    if report.ledger_id is None:
        return
    slug = f"{report.pipeline}-{report.ledger_id[:8]}"
    line = f"Coverage of {report.predictions} by {report.pipeline}: {report.verdict}"
    rows = day_rows(report)
    if rows:
        create_table_artifact(key=f"coverage-days-{slug}", table=rows, description=line)
    page = coverage_chart(report)
    tell(line, create_markdown_artifact(key=f"coverage-{slug}", markdown=page, description=line))
