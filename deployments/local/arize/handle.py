"""Ask a running stand-in, in this process or another, what it received, and tell it how to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import requests

API_KEY = "local-api-key"
SPACE_ID = "local-space"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArizeStandIn:
    """Where a stand-in listens, and the key and space that it lets in."""

    port: int
    host: str = "127.0.0.1"
    api_key: str = API_KEY
    space_id: str = SPACE_ID

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Give the variables with which the SDK, and Sluice, find this stand-in."""
        return {
            "ARIZE_API_KEY": self.api_key,
            "ARIZE_SPACE_ID": self.space_id,
            "ARIZE_API_HOST": self.host,
            "ARIZE_API_PORT": str(self.port),
            "ARIZE_API_SCHEME": "http",
        }

    def health(self) -> dict[str, Any]:
        return self._ask("GET", "health")

    def summary(self) -> dict[str, Any]:
        return self._ask("GET", "summary")

    def calls(self, **matching: str) -> list[dict[str, Any]]:
        """List calls in the order they were answered, by any of model, version, environment, kind."""
        calls: list[dict[str, Any]] = self._ask("GET", "calls", params=matching)["calls"]
        return calls

    def ids(self, model: str, **matching: str) -> list[str]:
        """List a model's prediction ids, one for each row."""
        ids: list[str] = self._ask("GET", "ids", params={"model": model, **matching})["ids"]
        return ids

    def repeated_ids(self, model: str, **matching: str) -> dict[str, int]:
        """Count how often each id was seen that was seen twice or more."""
        ids: dict[str, int] = self._ask("GET", "ids", params={"model": model, "repeated": "true", **matching})["ids"]
        return ids

    def rows(self, model: str, *, limit: int = 100, **matching: str) -> list[dict[str, Any]]:
        """Give rows, by any of id, version, environment, kind, under their names in Arize's words."""
        params = {"model": model, "limit": str(limit), **matching}
        rows: list[dict[str, Any]] = self._ask("GET", "rows", params=params)["rows"]
        return rows

    def table(self, model: str, **matching: str) -> Any:
        """Give every row of a model as a pyarrow Table, with its columns named in Arize's words."""
        response = requests.get(f"{self.url}/standin/rows.arrow", params={"model": model, **matching}, timeout=120)
        response.raise_for_status()
        return pa.ipc.open_stream(response.content).read_all()

    def script(self, kind: str, **fault: Any) -> None:
        """Add a fault; see `deployments.local.arize.faults.Fault` for its fields."""
        self._ask("POST", "faults", json={"kind": kind, **fault})

    def faults(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        """Forget all faults and release the calls that hang."""
        self._ask("DELETE", "faults")

    def join(self, *, window_days: float = 14) -> dict[str, Any]:
        """Run the delayed-actuals joiner now."""
        return self._ask("POST", "join", json={"window_days": window_days})

    def reset(self) -> None:
        """Forget every call and row."""
        self._ask("DELETE", "rows")

    def _ask(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        response = requests.request(method, f"{self.url}/standin/{path}", timeout=120, **kwargs)
        if not response.ok:
            raise ValueError(f"{method} /standin/{path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer
