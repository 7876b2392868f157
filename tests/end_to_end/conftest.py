"""Sluice's commands on real parts: Kafka, the SDK against the stand-in, a store in a directory or in SeaweedFS."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deployments.local.api import PrefectApi
from deployments.local.arize import ArizeStandIn, running_arize
from deployments.local.prefect_server import PREFECT_YAML, PrefectServer, running_prefect
from deployments.local.processes import Child, running
from tests.end_to_end.bench import API_KEY, Bench
from tests.end_to_end.deployed import Deployed
from tests.end_to_end.events import Written, append, event, everything, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka
    from deployments.local.seaweedfs import SeaweedFS

ROOT = Path(__file__).parents[2]
WITHOUT_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
}
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")


@pytest.fixture(scope="session")
def arize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArizeStandIn]:
    """One stand-in. Shared: a model and its faults are told apart by the model's name."""
    with running_arize(tmp_path_factory.mktemp("arize"), api_key=API_KEY) as standin:
        yield standin


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a process that forks commands."""
    directory = tmp_path_factory.mktemp("warm")
    at = directory / "socket"
    with running(
        [sys.executable, str(Path(__file__).with_name("warm.py")), str(at)],
        log_path=directory / "log",
        # Threads do not come along with a fork: a library's that starts one at its import must not.
        env={**os.environ, **WITHOUT_THREADS},
        ready=at.is_socket,
        deadline_s=60,
        name="the process that forks commands",
    ):
        yield str(at)


@pytest.fixture(scope="session")
def bench(kafka: Kafka, arize: ArizeStandIn, warm: str, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Commands with a store in a directory. Shared: give each pipeline a name of its own."""
    directory = tmp_path_factory.mktemp("bench")
    (directory / "pipelines").mkdir()
    inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = {
        **inherited,
        **arize.environment(),
        "SLUICE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SLUICE_PIPELINES": str(directory / "pipelines"),
    }
    return Bench(
        arize=arize,
        environment=environment,
        store=str(directory / "store"),
        secrets=(*kafka.security.users.values(), API_KEY),
        directory=directory,
        warm=warm,
    )


@pytest.fixture(scope="session")
def bench_on_s3(bench: Bench, seaweedfs: SeaweedFS) -> Bench:
    """The same commands with a store in a bucket."""
    return replace(
        bench,
        environment={**bench.environment, **seaweedfs.environment()},
        store=f"s3://{seaweedfs.bucket}/end-to-end",
        secrets=(*bench.secrets, seaweedfs.secret_key),
    )


@pytest.fixture(scope="session")
def imports(bench_on_s3: Bench, seaweedfs: SeaweedFS) -> Bench:
    """The same commands whose import store is a bucket that the stand-in reads, as Arize would."""
    arize = bench_on_s3.arize
    arize.read_objects(seaweedfs.endpoint_url, access_key=seaweedfs.access_key, secret_key=seaweedfs.secret_key)
    arize.configure(look_every_s=0.5, queries_per_minute=0, mutations_per_minute=0)
    return replace(bench_on_s3, secrets=(*bench_on_s3.secrets, arize.developer_key))


@pytest.fixture(scope="session")
def flights(kafka: Kafka) -> Written:
    """A small topic with everything in it. Shared: read it, and write to one of your own."""
    return everything(topic(kafka.bootstrap_servers))


@pytest.fixture
def thirty(bench: Bench) -> Written:
    """Thirty good events in one partition."""
    made = topic(bench.servers, partitions=1)
    append(made, 0, [event(number) for number in range(30)])
    return made


@pytest.fixture
def servers(bench: Bench) -> str:
    return bench.servers


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One server with the deployments of `prefect.yaml`."""
    with running_prefect(tmp_path_factory.mktemp("prefect")) as started:
        started.make_pool()
        started.deploy()
        yield started


@pytest.fixture(scope="session")
def worker(server: PrefectServer, bench: Bench) -> Iterator[Child]:
    """One worker for all tests; who kills it starts it again."""
    with server.worker({**bench.environment, "SLUICE_STORE": bench.store}) as started:
        yield started


@pytest.fixture
def deploy(server: PrefectServer, worker: Child, bench: Bench, tmp_path: Path) -> Callable[..., Deployed]:
    def deployed(topics: str, **changed: Any) -> Deployed:
        name = bench.pipeline(f"flow-{uuid.uuid4().hex[:8]}", topics, **changed)
        file = yaml.safe_load(PREFECT_YAML.read_text())
        sample = file["deployments"][0]
        ours = {**sample, "name": name, "parameters": {"pipeline": name}, "schedules": []}
        (tmp_path / "prefect.yaml").write_text(yaml.safe_dump({"pull": [], "deployments": [ours]}))
        server.deploy(tmp_path / "prefect.yaml")
        api = PrefectApi(server.api_url)
        found = api.deployment(f"ingest/{name}")
        return Deployed(name=name, deployment=found["id"], api=api, server=server, bench=bench)

    return deployed
