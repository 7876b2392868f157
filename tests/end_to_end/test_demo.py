"""`make demo`, as a person calls it: again, and after a call that was cut off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import running_prefect

pytestmark = pytest.mark.long  # each call takes a minute
ENOUGH_S = 240.0


def demo(directory: Path) -> str:
    command = [sys.executable, "-m", "deployments.local.demo", "--directory", str(directory), "--departures", "9000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENOUGH_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_call_delivers_nothing_twice_whatever_the_schedule_and_a_dead_worker_left(tmp_path: Path) -> None:
    first = demo(tmp_path)
    assert "worker and run are dead" in first
    assert "seen twice 0" in first
    with running_prefect(tmp_path / "prefect") as server:
        api = PrefectApi(server.api_url)
        deployment = api.deployment("ingest/flights")["id"]
        begun = api.trigger(deployment)
        state = {"type": "RUNNING", "name": "Running"}
        assert api.ask("POST", f"/flow_runs/{begun}/set_state", {"state": state})["status"] == "ACCEPT"
        api.trigger(deployment)
    second = demo(tmp_path)
    assert "what they hold is not delivered again" in second
    assert second.count("9,000 produced = 9,000 staged = 9,000 held by Arize; seen twice 0") == 2
    assert second.count("  proved\n") == 3
