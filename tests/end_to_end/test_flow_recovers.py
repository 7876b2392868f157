"""The schedule alone recovers from a killed worker and run: minutes long, as heartbeats are. `make races` runs it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import PREFECT_YAML, PrefectServer, running_prefect
from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench
from tests.end_to_end.events import everything, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

pytestmark = pytest.mark.long
RECOVERED_S = 480.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectServer]:
    with running_prefect(tmp_path / "prefect") as running:
        running.make_pool()
        running.automate()
        yield running


def test_the_schedule_alone_recovers_from_a_killed_worker_and_run(
    server: PrefectServer, bench: Bench, kafka: Kafka, tmp_path: Path
) -> None:
    written = everything(topic(kafka.bootstrap_servers))
    name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", written.topic)
    sample = yaml.safe_load(PREFECT_YAML.read_text())["deployments"][0]
    ours = {**sample, "name": name, "parameters": {"pipeline": name}, "schedules": [{"slug": "often", "interval": 20}]}
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump({"pull": [], "deployments": [ours]}))
    server.deploy(tmp_path / "prefect.yaml")
    environment = {**bench.environment, "SLUICE_STORE": bench.store}
    # Late enough that the run has sent its first heartbeat: without one, nothing misses the next.
    with server.worker({**environment, "SLUICE_DRILL": "group.committing:1:parent"}) as worker:
        wait_until(lambda: not worker.alive, 120, "the worker to be killed")
    with server.worker(environment):
        wait_until(lambda: bench.ids(name) == written.good, RECOVERED_S, "the schedule's runs to finish it")
        api = PrefectApi(server.api_url)
        wait_until(lambda: "COMPLETED" in {run["state_type"] for run in api.runs()}, RECOVERED_S, "a completed run")
        wait_until(lambda: _labels(api, "sluice.scheduled") == {"yes"}, 60, "word of a scheduled run")
    books = bench.books(name)
    books.audit(written)
    books.audit_delivered()


def _labels(api: PrefectApi, name: str) -> set[str]:
    """The values of a label of the runs that are over."""
    found = api.ask("POST", "/events/filter", {"filter": {"event": {"name": ["sluice.run.finished"]}}})["events"]
    return {item["resource"][name] for item in found}
