"""The pages that are pictured, and the browser that is asked for it."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.local.api import PrefectApi
from deployments.local.browser import NoBrowserError, chromium
from deployments.local.screenshots import artifacts, main, runs


class Recorded:
    """Answers of a server, newest first. Leaves out: filters, forms."""

    def artifacts(self, **_: Any) -> list[dict[str, Any]]:
        kinds = {"map": "markdown", "plan": "table"}
        return [
            {"id": f"{kind}{version}", "key": f"{kind}-my-flights-0a1b2c3d", "type": kinds[kind], "description": "A\nb"}
            for version in (2, 1)
            for kind in kinds
        ]

    def runs(self, **_: Any) -> list[dict[str, Any]]:
        return [
            {"id": f"{at}{number}", "name": "x → 1 rows", "deployment_id": at} for number in (2, 1) for at in ("r", "a")
        ]

    def ask(self, method: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        assert (method, path, body) == ("POST", "/deployments/filter", {})
        return [
            {"id": "r", "name": "x", "entrypoint": "flows.ingest.ingest"},
            {"id": "a", "name": "x", "entrypoint": "flows.audit.audit"},
        ]


def test_the_newest_of_each_page_is_pictured_and_a_chart_in_the_dark_too() -> None:
    api = cast(PrefectApi, Recorded())
    with temporary_settings({PREFECT_API_URL: "http://here/api"}):
        pages = [*artifacts(api), *runs(api)]
    assert {page.name: (page.address, page.shows, page.dark) for page in pages} == {
        "map-my-flights": ("http://here/v2/artifacts/artifact/map2", "A", False),
        "map-my-flights-dark": ("http://here/v2/artifacts/artifact/map2", "A", True),
        "plan-my-flights": ("http://here/v2/artifacts/artifact/plan2", "A", False),
        "run-x": ("http://here/v2/runs/flow-run/r2", ".sealed", False),
        "run-audit-x": ("http://here/v2/runs/flow-run/a2", "audit.walked", False),
        "runs": ("http://here/v2/runs", "x → 1 rows", False),
    }


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
