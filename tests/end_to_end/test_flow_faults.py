"""The flow on a real Prefect server, of which workers, runs and the server itself are killed; and runs that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from deployments.local.processes import Child, wait_until
from tasks.limits import limit_of
from tests.end_to_end.deployed import RUN_S, Deployed
from tests.end_to_end.events import everything, group_positions, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka


@pytest.mark.parametrize("step", ["window.sealed:2", "group.committing:1"])
def test_a_worker_and_its_run_killed_at_a_step_are_finished_by_the_next_run(
    step: str, deploy: Callable[..., Deployed], worker: Child, kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    dead = flow.trigger(SLUICE_DRILL=f"{step}:parent")
    wait_until(lambda: not worker.alive, RUN_S, "the worker to be killed")
    worker.restart()
    assert flow.api.run(dead)["state_type"] == "RUNNING"
    flow.api.crash(dead, "as Prefect's automation for missing heartbeats does")
    run = flow.run()
    assert run["state_type"] == "COMPLETED", run["state"]
    assert flow.bench.ids(flow.name) == written.good
    flow.bench.books(flow.name).audit(written)
    flow.bench.books(flow.name).audit_delivered()
    assert group_positions(flow.name, written) == written.ends


def test_a_server_restarted_in_the_middle_costs_no_row_and_doubles_none(
    deploy: Callable[..., Deployed], kafka: Kafka
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    # Time enough: a send that is given up on a busy machine is sent again, and may be counted twice.
    flow = deploy(written.topic, limits={"send_timeout_seconds": 90})
    flow.bench.arize.script("slow", seconds=4, model=flow.name)
    first = flow.trigger()
    wait_until(lambda: bool(flow.bench.sends(flow.name)), RUN_S, "the first send")
    flow.server.process.restart(crash=True)
    ended, run = flow.ended(first), flow.run()
    assert (ended["state_type"], run["state_type"]) == ("COMPLETED", "COMPLETED"), (ended["state"], run["state"])
    assert flow.bench.ids(flow.name) == written.good
    flow.bench.books(flow.name).audit_delivered()


def test_the_runs_of_a_space_share_its_limit(deploy: Callable[..., Deployed], kafka: Kafka) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    flow = deploy(written.topic)
    limit = f"/v2/concurrency_limits/{limit_of(flow.bench.arize.space_id)}"
    name = limit.rpartition("/")[2]
    flow.api.ask("POST", "/v2/concurrency_limits/", {"name": name, "limit": 1})
    try:
        flow.bench.arize.script("slow", seconds=3, model=flow.name)
        run = flow.trigger()
        wait_until(lambda: bool(flow.bench.sends(flow.name)), RUN_S, "the first send")
        assert flow.api.ask("GET", limit)["active_slots"] == 1
        assert flow.ended(run)["state_type"] == "COMPLETED"
        assert flow.api.ask("GET", limit)["active_slots"] == 0
    finally:
        flow.api.ask("DELETE", limit)
