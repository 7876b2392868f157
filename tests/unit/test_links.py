"""Addresses of Prefect's pages: of a server's second UI, of Prefect Cloud, and none where there is no UI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, PREFECT_UI_URL, temporary_settings

from deployments.local.ports import free_port
from tasks.links import artifact_link, form_address, run_form_link, run_link


@contextmanager
def prefect_at(api: str | None, ui: str | None = None) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: api, PREFECT_UI_URL: ui, PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


@pytest.mark.parametrize(
    ("api", "ui", "base"),
    [
        ("http://127.0.0.1:4200/api", None, "http://127.0.0.1:4200/v2"),
        ("http://api:4200/prefect/api", "https://ui.example/prefect/", "https://ui.example/prefect/v2"),
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/v2", "http://127.0.0.1:4200/v2"),
        (
            "https://api.prefect.cloud/api/accounts/1/workspaces/2",
            None,
            "https://app.prefect.cloud/account/1/workspace/2",
        ),
    ],
)
def test_a_link_leads_to_the_ui_that_people_are_served(api: str, ui: str | None, base: str) -> None:
    with prefect_at(api, ui):
        assert run_link("r1") == f"{base}/runs/flow-run/r1"
        assert artifact_link("a1") == f"{base}/artifacts/artifact/a1"


def test_without_a_ui_there_is_no_link() -> None:
    with prefect_at(None):
        assert run_link("r1") is None
        assert artifact_link("a1") is None
        assert run_form_link("ingest/flights", {}) is None


def test_where_prefect_does_not_answer_there_is_no_link_to_a_form() -> None:
    with prefect_at(f"http://127.0.0.1:{free_port()}/api"):
        assert run_form_link("ingest/flights", {}) is None


def test_a_form_s_address_holds_its_values_whatever_they_are() -> None:
    values = {"pipeline": "flights", "windows": [1, None, 2.5], "reason": "A&B=é #1 + 100 %?", "again": True}
    address = form_address("http://ui/v2/deployments/deployment/d1", values)
    found = urlsplit(address)
    assert found.path == "/v2/deployments/deployment/d1/run"
    assert re.fullmatch(r"parameters=[\w.~%-]+", found.query, re.ASCII)  # nothing that Markdown would take for its own
    assert json.loads(parse_qs(found.query, strict_parsing=True)["parameters"][0]) == values
