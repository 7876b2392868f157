"""The pages that are pictured, and the browser that is asked for it."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.local.api import PrefectApi
from deployments.local.browser import NoBrowserError, chromium
from deployments.local.prefect_server import PREFECT_YAML
from deployments.local.screenshots import RUNS, artifacts, main, runs


class Recorded:
    """Answers of a server, newest first. Leaves out: filters, and the names of forms."""

    def artifacts(self, **_: Any) -> list[dict[str, Any]]:
        kinds = {"map": "markdown", "plan": "table"}
        return [
            {"id": f"{kind}{version}", "key": f"{kind}-my-flights-0a1b2c3d", "type": kinds[kind], "description": "A\nb"}
            for version in (2, 1)
            for kind in kinds
        ]

    def runs(self, **_: Any) -> list[dict[str, Any]]:
        of_audit = [{"id": "r3", "name": "audit x", "deployment_id": "audit"}]
        return of_audit + [{"id": f"r{number}", "name": "x → 1 rows", "deployment_id": "ingest"} for number in (2, 1)]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        if method == "GET":
            return {"name": path.removeprefix("/flows/of ")}
        assert (method, path, body) == ("POST", "/deployments/filter", {})
        return [{"id": flow, "name": "x", "flow_id": f"of {flow}"} for flow in ("audit", "ingest")]


def test_the_newest_of_each_page_is_pictured_and_a_chart_in_the_dark_too() -> None:
    api = cast(PrefectApi, Recorded())
    with temporary_settings({PREFECT_API_URL: "http://here/api"}):
        pages = [*artifacts(api), *runs(api)]
    assert {page.name: (page.address, page.shows, page.dark) for page in pages} == {
        "map-my-flights": ("http://here/v2/artifacts/artifact/map2", "A", False),
        "map-my-flights-dark": ("http://here/v2/artifacts/artifact/map2", "A", True),
        "plan-my-flights": ("http://here/v2/artifacts/artifact/plan2", "A", False),
        "run-ingest-x": ("http://here/v2/runs/flow-run/r2", "Beginning flow run", False),
        "run-audit-x": ("http://here/v2/runs/flow-run/r3", "Beginning flow run", False),
        "runs": ("http://here/v2/runs", "audit x", False),
    }


def test_each_flow_that_has_a_deployment_is_run_and_replay_behind_what_it_names() -> None:
    deployments = yaml.safe_load(PREFECT_YAML.read_text())["deployments"]
    assert {item["entrypoint"].rpartition(".")[2] for item in deployments} == set(RUNS)
    assert list(RUNS).index("ingest") < list(RUNS).index("backfill") < list(RUNS).index("replay")


def test_without_a_browser_nothing_is_started_and_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["screenshots"])
    monkeypatch.setenv("SLUICE_CHROMIUM", "no-such-browser")
    assert main() == 1
    assert capsys.readouterr().err == (
        "error: no-such-browser is not there, or cannot be run: install Chromium (Debian: apt install chromium), "
        "or name a program in SLUICE_CHROMIUM\n"
    )
    monkeypatch.delenv("SLUICE_CHROMIUM")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoBrowserError, match="Chromium is not there"):
        chromium()
    monkeypatch.setenv("SLUICE_CHROMIUM", sys.executable)
    assert chromium() == sys.executable
