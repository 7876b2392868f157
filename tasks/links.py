"""Addresses of Prefect's own pages: for logs, artifacts and messages. None where there is no such page.

`url_for` gives the address on Prefect Cloud, or in the first UI of a server. A server shows its second UI under `/v2`
unless told otherwise, and sends a browser on where it does not, so the links of a server lead there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from prefect import get_client
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_CLOUD_API_URL, PREFECT_UI_URL
from prefect.utilities.urls import url_for
from pydantic_core import to_jsonable_python

_V2 = "/v2"


def run_link(run_id: object) -> str | None:
    """The page of a flow run, with its log."""
    return _as_shown(url_for("flow-run", obj_id=str(run_id)))


def artifact_link(artifact_id: object) -> str | None:
    """The page of one version of an artifact, for which `url_for` has no address."""
    ui = PREFECT_UI_URL.value()
    return _as_shown(f"{ui.rstrip('/')}/artifacts/artifact/{artifact_id}" if ui else None)


def given_parameters() -> dict[str, Any]:
    """The parameters of this flow run, as a form takes them."""
    given: dict[str, Any] = to_jsonable_python(dict(flow_run.parameters))
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class RunForm:
    """The form that starts a run of a deployment: who opens it sees what would run, and submits it or not.

    Attributes:
        page: of the deployment.
        given: the parameters that the deployment itself sets. The form takes its parameters from the link alone.
    """

    page: str
    given: Mapping[str, Any]

    def filled(self, parameters: Mapping[str, Any]) -> str:
        """The address of the form with these values of JSON in it."""
        return form_address(self.page, {**self.given, **parameters})


def run_form_link(deployment: str, parameters: Mapping[str, Any]) -> str | None:
    """The form that starts a run of a deployment, filled in with values of JSON; see `run_form`."""
    form = run_form(deployment)
    return form.filled(parameters) if form else None


def run_form(deployment: str) -> RunForm | None:
    """Look up the form of a deployment: once, for however many links.

    It never fails: whoever offers a link has other work to do.

    Args:
        deployment: `flow/name`.
    """
    if not PREFECT_UI_URL.value():  # and no server is started for the sake of a link
        return None
    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(deployment)
        page = _as_shown(url_for("deployment", obj_id=found.id))
        return RunForm(page=page, given=found.parameters) if page else None
    except Exception as error:  # noqa: BLE001 - no such deployment, or no Prefect that answers: no link
        get_logger("sluice.links").debug("no link to the form of %s: %s", deployment, type(error).__name__)
        return None


def form_address(page: str, parameters: Mapping[str, Any]) -> str:
    """The address of a deployment's form with these values in it, given that of the deployment's page."""
    return f"{page}/run?parameters={quote(json.dumps(dict(parameters), separators=(',', ':')), safe='')}"


def _as_shown(address: str | None) -> str | None:
    ui = (PREFECT_UI_URL.value() or "").rstrip("/")
    if not address or _is_cloud() or ui.endswith(_V2):
        return address
    return f"{ui}{_V2}{address.removeprefix(ui)}"


def _is_cloud() -> bool:
    return (PREFECT_API_URL.value() or "").startswith(PREFECT_CLOUD_API_URL.value())
