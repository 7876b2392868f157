"""A pipeline deployed on a real Prefect server, with a worker: triggered, waited for, looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deployments.local.api import PrefectApi
from deployments.local.prefect_server import PrefectServer
from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench
from tests.end_to_end.events import CANARY

RUN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A pipeline of a test's own, deployed as the sample is, with its schedule out of the way."""

    name: str
    deployment: str
    api: PrefectApi
    server: PrefectServer
    bench: Bench

    def trigger(self, **variables: str) -> str:
        return self.api.trigger(self.deployment, None, **variables)

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.api.wait_for(run_id, deadline_s=RUN_S)

    def run(self) -> dict[str, Any]:
        """Trigger a run and wait for its end; a worker must be there."""
        return self.ended(self.trigger())

    def artifacts(self, kind: str) -> list[dict[str, Any]]:
        """The artifacts of this pipeline, oldest first: `plan`, `offsets` or `map`."""
        found = self.api.artifacts(sort="CREATED_DESC", limit=200)
        return [item for item in reversed(found) if item["key"].startswith(f"{kind}-{self.name}-")]

    def events(self, count: int) -> list[dict[str, Any]]:
        """Wait until Prefect, which writes them down in batches, has so many events of this pipeline; oldest first."""
        asked = {"filter": {"resource": {"id": [f"sluice.pipeline.{self.name}"]}}, "limit": 50}
        found: list[dict[str, Any]] = []

        def are_there() -> bool:
            found[:] = self.api.ask("POST", "/events/filter", asked)["events"]
            return len(found) >= count

        wait_until(are_there, 60, f"{count} events of {self.name}")
        return sorted(found, key=lambda item: str(item["occurred"]))

    def check_no_canary(self) -> None:
        """Neither a value of an event nor a secret is anywhere in Prefect's database."""
        database = sqlite3.connect(f"file:{self.server.directory / 'prefect.db'}?mode=ro", uri=True)
        dump = "\n".join(database.iterdump())
        assert self.name in dump
        for secret in (CANARY, *self.bench.secrets):
            assert secret not in dump


@contextmanager
def automations_gone(server: PrefectServer) -> Iterator[PrefectApi]:
    """Leave no automation behind the block: those of one test would see the runs of the others."""
    api = PrefectApi(server.api_url)
    try:
        yield api
    finally:
        for item in api.ask("POST", "/automations/filter", {}):
            api.ask("DELETE", f"/automations/{item['id']}")
