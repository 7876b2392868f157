"""What a replay leaves in Prefect for people: its plan with the form that runs it; what went out, with the proof.

A journal, not the truth, as all artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from sluice.ledger.names import EntryName
from sluice.replay.report import ReplayReport
from sluice.run import Run
from tasks.artifacts import slug, tell
from tasks.never_failing import never_failing
from tasks.replay_markdown import plan_page, plan_words, result_page, result_words


@never_failing
def publish_replay_plan(run: Run, report: ReplayReport, *, count_twice: bool, link: str | None) -> None:
    """Publish what a replay would do, with the form that does it, filled in."""
    line = f"Replay of {run.pipeline.name}: {plan_words(report, count_twice=count_twice)}"
    page = plan_page(report, count_twice=count_twice, link=link)
    tell(line, create_markdown_artifact(key=f"replay-plan-{slug(run)}", markdown=page, description=line))
    if link:
        get_run_logger().info("To run it: %s", link)


@never_failing
def publish_replay(run: Run, report: ReplayReport, *, left: Sequence[EntryName], link: str | None) -> None:
    """Publish what went out, and the proof of it.

    Args:
        left: entries that did not go, or were not tried.
        link: to the form that tries these again.
    """
    line = f"Replay of {run.pipeline.name}: {result_words(report)}"
    page = result_page(report, left=left, link=link)
    tell(line, create_markdown_artifact(key=f"replay-{slug(run)}", markdown=page, description=line))
