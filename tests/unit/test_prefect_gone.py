"""Commands that run a flow, where Prefect does not answer: a sentence, whatever is printed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.local.ports import free_port
from flows import backfill, replay, running
from flows.cli import main
from sluice.backfill.report import BackfillReport
from sluice.replay.report import ReplayReport
from sluice.report import RunReport

EARLIER = RunReport(pipeline="another", run_id="earlier", started_at="2026-11-23T00:00:00Z", error="WrongUse")


COMMANDS: dict[str, tuple[ModuleType, Any]] = {
    "run": (running, EARLIER),
    "backfill --run --reason tried": (backfill, BackfillReport(run=EARLIER)),
    "replay --entry 1 --run --reason tried": (replay, ReplayReport(run=EARLIER)),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_prefect_that_does_not_answer_is_told_people_by_each_command_that_runs_a_flow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, is_first: bool
) -> None:
    """What an earlier run in the same process left is not told in the place of this one."""
    flow, earlier = COMMANDS[command]
    monkeypatch.setattr(flow, "_reports", [] if is_first else [earlier])
    verb, *options = command.split()
    nobody = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nobody, PREFECT_CLIENT_MAX_RETRIES: 0}):
        assert main([verb, "flights", *options]) == 1
    told = capsys.readouterr()
    assert "flights: failed" in told.out
    assert "Prefect's API does not answer" in told.err
