"""One pipeline file in two environments: two clusters, two spaces, two stores, and not a byte of the file changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployments.local.arize import ArizeStandIn, running_arize
from deployments.local.kafka import running_kafka
from tests.end_to_end.bench import Bench
from tests.end_to_end.events import Written, append, event, topic

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

FILE = """\
store: {store}
kafka:
  events: {{bootstrap.servers: "{servers}"}}
arize:
  ops: {{api_key: "${{{variable}}}", space_id: {space}, host: {host}, port: {port}, scheme: http{pace}}}
"""
NAMES = {"kafka": {"connection": "events"}}


@dataclass(frozen=True, kw_only=True)
class Environment:
    name: str
    store: Path
    kafka: Kafka
    arize: ArizeStandIn

    @property
    def key(self) -> dict[str, str]:
        return {f"{self.name.upper()}_API_KEY": self.arize.api_key}

    def write(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        text = FILE.format(
            store=self.store,
            servers=self.kafka.bootstrap_servers,
            variable=next(iter(self.key)),
            space=self.arize.space_id,
            host=self.arize.host,
            port=self.arize.port,
            pace=", rows_per_second: 1_000" if self.name == "prod" else "",
        )
        (directory / f"{self.name}.yaml").write_text(text)


@pytest.fixture(scope="module")
def environments(
    bench: Bench, kafka: Kafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Environment, Environment]]:
    """`dev` is the parts of every other test, `prod` has a broker and a stand-in of its own."""
    there = tmp_path_factory.mktemp("prod")
    with (
        running_kafka(there / "kafka") as broker,
        running_arize(there / "arize", api_key="the-key-of-prod", space_id="space-of-prod") as arize,
    ):
        dev = Environment(name="dev", store=there / "store-of-dev", kafka=kafka, arize=bench.arize)
        prod = Environment(name="prod", store=there / "store-of-prod", kafka=broker, arize=arize)
        for one in (dev, prod):
            one.write(bench.directory / "environments")
        yield dev, prod


def test_one_file_serves_two_clusters_and_two_spaces(
    bench: Bench, environments: tuple[Environment, Environment], tmp_path: Path
) -> None:
    name, sent = f"both-{uuid.uuid4().hex[:8]}", {}
    bench.pipeline(name, name, source=NAMES, arize={"connection": "ops"})
    as_written = bench.file(name).read_bytes()
    for number, one in enumerate(environments):
        written = made(one, name)
        append(written, 0, [event(10 * number + n) for n in range(number + 2)])
        done = bench.run(name, SLUICE_ENVIRONMENT=one.name, SLUICE_STORE="", TMPDIR=str(tmp_path), **one.key)
        assert (done.code, done.found["state"]) == (0, "done"), done.err
        sent[one.name] = sorted(one.arize.ids(name))
        assert sent[one.name] == written.good
        assert list((one.store / "ledger" / name).rglob("*.json"))
        assert bench.run(name, SLUICE_ENVIRONMENT=one.name, SLUICE_STORE="", **one.key).found["windows"] == []
    assert not set(sent["dev"]) & set(sent["prod"])
    assert len(list(tmp_path.glob("sluice-pace-*"))) == 1, "prod's space has a pace"
    assert bench.file(name).read_bytes() == as_written


def made(environment: Environment, name: str) -> Written:
    return topic(environment.kafka.bootstrap_servers, partitions=1, name=name)


def test_a_name_that_the_environment_does_not_know_stops_a_run_before_it_reads(
    bench: Bench, environments: tuple[Environment, Environment]
) -> None:
    name = bench.pipeline(f"odd-{uuid.uuid4().hex[:8]}", "any", source={"kafka": {"connection": "evnts"}})
    done = bench.run(name, SLUICE_ENVIRONMENT="prod")
    assert (done.code, done.found["error"]) == (2, "WrongSettings")
    assert "the kafka connection evnts" in done.said
    assert "prod.yaml has events" in done.said
    assert done.steps == []


def test_a_secret_of_which_the_variable_is_not_set_stops_a_run_before_it_reads(
    bench: Bench, environments: tuple[Environment, Environment]
) -> None:
    name = bench.pipeline(f"odd-{uuid.uuid4().hex[:8]}", "any", source=NAMES, arize={"connection": "ops"})
    done = bench.run(name, SLUICE_ENVIRONMENT="prod", SLUICE_STORE="")
    assert (done.code, done.found["error"]) == (2, "WrongSettings")
    assert "prod.yaml:5: arize.ops.api_key: the variable PROD_API_KEY is not set" in done.said
