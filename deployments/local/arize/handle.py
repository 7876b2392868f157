"""Ask a running stand-in, in this process or another, what it received, and tell it how to fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import requests

API_KEY = "local-api-key"
SPACE_ID = "local-space"
DEVELOPER_KEY = "local-developer-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArizeStandIn:
    """Where a stand-in listens, and the keys and the space that it lets in."""

    port: int
    host: str = "127.0.0.1"
    api_key: str = API_KEY
    space_id: str = SPACE_ID
    developer_key: str = DEVELOPER_KEY

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    def environment(self) -> dict[str, str]:
        """Give the variables with which the SDK, and Sluice, find this stand-in."""
        return {
            "ARIZE_API_KEY": self.api_key,
            "ARIZE_SPACE_ID": self.space_id,
            "ARIZE_DEVELOPER_KEY": self.developer_key,
            "ARIZE_API_HOST": self.host,
            "ARIZE_API_PORT": str(self.port),
            "ARIZE_API_SCHEME": "http",
            "ARIZE_APP_URL": self.url,
        }

    def health(self) -> dict[str, Any]:
        return self._ask("GET", "health")

    def summary(self) -> dict[str, Any]:
        return self._ask("GET", "summary")

    def calls(self, **matching: str) -> list[dict[str, Any]]:
        """List calls of the SDK in the order they were answered, by any of model, version, environment, kind."""
        calls: list[dict[str, Any]] = self._ask("GET", "calls", params=matching)["calls"]
        return calls

    def ids(self, model: str, **matching: str) -> list[str]:
        """List a model's prediction ids, one for each row; here and below by any of version, kind, job, path, …"""
        ids: list[str] = self._ask("GET", "ids", params={"model": model, **matching})["ids"]
        return ids

    def repeated_ids(self, model: str, **matching: str) -> dict[str, int]:
        """Count how often each id was seen that was seen twice or more."""
        ids: dict[str, int] = self._ask("GET", "ids", params={"model": model, "repeated": "true", **matching})["ids"]
        return ids

    def rows(self, model: str, *, limit: int = 100, **matching: str) -> list[dict[str, Any]]:
        """Give rows, by any of id, version, environment, kind, job, path, under their names in Arize's words."""
        params = {"model": model, "limit": str(limit), **matching}
        rows: list[dict[str, Any]] = self._ask("GET", "rows", params=params)["rows"]
        return rows

    def table(self, model: str, **matching: str) -> Any:
        """Give every row of a model as a pyarrow Table, with its columns named in Arize's words."""
        return self._table("rows.arrow", model=model, **matching)

    def script(self, kind: str, **fault: Any) -> None:
        """Add a fault; see `deployments.local.arize.faults.Fault` for its fields."""
        self._ask("POST", "faults", json={"kind": kind, **fault})

    def script_graphql(self, kind: str, **fault: Any) -> None:
        """Add a fault of the GraphQL server; see `deployments.local.arize.imports.faults.GraphqlFault`."""
        self.script(kind, on="graphql", **fault)

    def script_importer(self, kind: str, **fault: Any) -> None:
        """Add a fault of the importer; see `deployments.local.arize.imports.faults.ImporterFault`."""
        self.script(kind, on="importer", **fault)

    def faults(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        """Forget all faults and release the calls that hang."""
        self._ask("DELETE", "faults")

    def now(self) -> float:
        """Give the stand-in's time, in seconds since the epoch."""
        at: float = self._ask("GET", "clock")["now"]
        return at

    def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> float:
        """Move the stand-in's clock ahead, for good, with the joiner run for each 05:00 UTC passed; give its time."""
        passed = timedelta(days=days, hours=hours, seconds=seconds).total_seconds()
        at: float = self._ask("PUT", "clock", json={"seconds": passed})["now"]
        return at

    def move_to(self, at: datetime) -> None:
        """Move the clock to a moment, which has an offset to UTC, as `advance` does; it never goes back."""
        self._ask("PUT", "clock", json={"at": at.timestamp()})

    def move_past_join(self) -> None:
        """Move the clock to 05:00 UTC of tomorrow: behind it the joiner has looked at all that was received so far."""
        self._ask("PUT", "clock", json={"to": "next_join"})

    def join(self, *, window_days: float = 14) -> dict[str, Any]:
        """Have the joiner look now at what it has not looked at; give the counts, as the summary has them."""
        counts: dict[str, Any] = self._ask("POST", "join", json={"window_days": window_days})["join"]
        return counts

    def join_counts(self, model: str) -> dict[str, int]:
        """Count a model's predictions and actuals; see `deployments.local.arize.joiner.matching.counted`."""
        models = (self._ask("GET", "join")["join"] or {"models": []})["models"]
        counts: dict[str, int] = next(counts for counts in models if counts["model"] == model)
        return counts

    def join_runs(self) -> list[dict[str, Any]]:
        """List the joiner's runs in their order; see `deployments.local.arize.joiner.runs.Run`."""
        runs: list[dict[str, Any]] = self._ask("GET", "join/runs")["runs"]
        return runs

    def join_days(self, model: str) -> list[dict[str, Any]]:
        """Count a model's predictions, and those with their truth, by the day of their timestamp (UTC)."""
        days: list[dict[str, Any]] = self._ask("GET", "join/days", params={"model": model})["days"]
        return days

    def joined(self, model: str) -> Any:
        """Give a pyarrow Table of what is joined: a row for each pair of a prediction's row and an actual's."""
        return self._table("joined.arrow", model=model)

    def joined_ids(self, model: str) -> list[str]:
        """List the ids of predictions that the joiner gave their truth, one for each row, in no order."""
        rows = self.joined(model).select(["prediction_id", "prediction_call", "prediction_row"])
        ids: list[str] = rows.group_by(rows.column_names).aggregate([])["prediction_id"].to_pylist()
        return ids

    def read_objects(self, endpoint: str, *, access_key: str, secret_key: str, region: str = "us-east-1") -> None:
        """Say which S3 server the import jobs read, and with whose keys. It need not run yet."""
        told = {"endpoint": endpoint, "region": region, "access_key": access_key, "secret_key": secret_key}
        self._ask("PUT", "objects", json=told)

    def configure(self, **settings: float) -> dict[str, Any]:
        """Change settings of the import side; see `deployments.local.arize.imports.ImportSettings`."""
        return self._ask("PUT", "settings", json=settings)

    def look_now(self) -> list[dict[str, Any]]:
        """Have every import job list its prefix and read what is new; return the jobs when all is settled that can be.

        Objects that were put before the call are seen, unless a fault says otherwise.
        """
        jobs: list[dict[str, Any]] = self._ask("POST", "look")["jobs"]
        return jobs

    def jobs(self) -> list[dict[str, Any]]:
        """List the import jobs, deleted ones too: what they were told, files by status, what is the trouble."""
        jobs: list[dict[str, Any]] = self._ask("GET", "jobs")["jobs"]
        return jobs

    def files(self, job: str | None = None) -> list[dict[str, Any]]:
        """List the files that a job (by its global id), or any, saw: path, status, bytes, rows taken, error."""
        files: list[dict[str, Any]] = self._ask("GET", "files", params={"job": job} if job else {})["files"]
        return files

    def reset(self) -> None:
        """Forget every call, row, import job and file."""
        self._ask("DELETE", "rows")

    def _table(self, path: str, **asked: str) -> Any:
        response = requests.get(f"{self.url}/standin/{path}", params=asked, timeout=120)
        response.raise_for_status()
        return pa.ipc.open_stream(response.content).read_all()

    def _ask(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        response = requests.request(method, f"{self.url}/standin/{path}", timeout=120, **kwargs)
        if not response.ok:
            raise ValueError(f"{method} /standin/{path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer
