"""Commands that run a flow, where Prefect does not answer: a sentence, whatever is printed."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.local.ports import free_port
from flows.cli import main


@pytest.mark.parametrize("command", ["run", "backfill --run --reason tried", "replay --entry 1 --run --reason tried"])
def test_a_prefect_that_does_not_answer_is_told_people_by_each_command_that_runs_a_flow(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *options = command.split()
    nobody = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nobody, PREFECT_CLIENT_MAX_RETRIES: 0}):
        assert main([verb, "flights", *options]) == 1
    told = capsys.readouterr()
    assert "flights: failed" in told.out
    assert "Prefect's API does not answer" in told.err
