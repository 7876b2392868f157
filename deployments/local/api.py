"""The few questions that demo and tests ask of a Prefect server, over its REST API."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

from deployments.local.processes import wait_until

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """A server's API at its URL, such as `http://127.0.0.1:4200/api`."""

    url: str

    def deployment(self, name: str) -> dict[str, Any]:
        """Return a deployment by `flow/deployment`."""
        found: dict[str, Any] = self.ask("GET", f"/deployments/name/{name}")
        return found

    def trigger(self, deployment_id: str, parameters: dict[str, Any] | None = None, **variables: str) -> str:
        """Create a run of a deployment now, with variables for its process, and return its id."""
        job = {"job_variables": {"env": variables}} if variables else {}
        body = {"parameters": parameters or {}, "state": {"type": "SCHEDULED"}, **job}
        created = self.ask("POST", f"/deployments/{deployment_id}/create_flow_run", body)
        return str(created["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run_id}")
        return found

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("POST", "/flow_runs/filter", filters)
        return found

    def wait_for(self, run_id: str, *states: str, deadline_s: float) -> dict[str, Any]:
        """Wait until a run is in one of these states (in any final one, if none is named), and return it."""
        found: list[dict[str, Any]] = []

        def reached() -> bool:
            try:
                found.append(self.run(run_id))
            except (URLError, HTTPException, OSError):  # a server that is being restarted
                return False
            return found[-1]["state_type"] in (states or FINAL)

        wait_until(reached, deadline_s, f"the flow run {run_id} to end")
        return found[-1]

    def cancel(self, run_id: str) -> None:
        """Have a run end, as the UI's Cancel does."""
        self.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def crash(self, run_id: str, message: str) -> None:
        """Say of a run that its process is gone."""
        state = {"type": "CRASHED", "name": "Crashed", "message": message}
        self.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def schedule(self, deployment_id: str, *, active: bool) -> None:
        """Let the deployment's schedules make runs, or make none."""
        for schedule in self.ask("GET", f"/deployments/{deployment_id}/schedules"):
            self.ask("PATCH", f"/deployments/{deployment_id}/schedules/{schedule['id']}", {"active": active})

    def clear_runs(self, deployment_id: str) -> None:
        """End what workers that are gone left of a deployment's runs, and forget those that nobody has begun.

        The next worker would begin a late run first, and one that seems to run holds the only slot: either way a new
        run would be cancelled.
        """
        unfinished = ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED"]
        states = {"state": {"type": {"any_": unfinished}}}
        for run in self.runs(deployments={"id": {"any_": [deployment_id]}}, flow_runs=states):
            if run["state_type"] == "SCHEDULED":
                self.ask("DELETE", f"/flow_runs/{run['id']}")
            else:
                self.crash(run["id"], "its worker is gone")

    def artifacts(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("POST", "/artifacts/filter", filters)
        return found

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask, and again where SQLite is busy, as Prefect's own client does: a 503 has changed nothing."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        answers: list[Any] = []

        def answered() -> bool:
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    answers.append(json.loads(answer.read() or "null"))
            except HTTPError as error:
                if error.code != 503:
                    raise
            return bool(answers)

        wait_until(answered, 30, f"Prefect to answer {method} {path}")
        return answers[0]
