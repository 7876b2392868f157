"""Pictures of the pages of Prefect that people see, after a small pass of the sample pipelines: `make screenshots`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.local.api import PrefectApi
from deployments.local.browser import NoBrowserError, Page, chromium, running_camera
from deployments.local.events import TOPIC
from deployments.local.options import Teller
from deployments.local.processes import unwinding_on_sigterm, wait_until
from deployments.local.stack import Stack, running_stack
from tasks.links import artifact_link, run_form_link, run_link

_INTO = Path(__file__).resolve().parents[2] / ".screenshots"
_DEPARTURES = 60_000  # more than a window of the sample: something is left to be read
_RUN_S = 120.0
_CANDIDATE = {
    "pipeline": "flights",
    "partitions": [f"{TOPIC}[0]"],
    "again": "a candidate is to see the same departures",
    "model": "departure-delay-candidate",
}
_SUCCESSOR = {"pipeline": "flights", "entries": ["1", "2/0"], "model": "departure-delay-successor", "source": "kafka"}
# The flows in the order in which their deployments are run, and with which parameters: those of the first run are in
# the form. An ingest takes one window: in the middle of its topic it shows most.
RUNS: dict[str, list[dict[str, Any]]] = {
    "ingest": [{"max_windows": 1}],
    "ground_truth": [{"max_windows": 1}],
    "backfill": [_CANDIDATE, {**_CANDIDATE, "dry_run": False, "reason": "to compare it"}],
    "replay": [
        {"pipeline": "flights", "entries": ["1", "2/0", "9"], "reason": "lost in Arize"},
        {**_SUCCESSOR, "dry_run": False, "reason": "the successor is to see the same"},
    ],
    "audit": [{"full": True}],
}


def forms(api: PrefectApi) -> Iterator[Page]:
    """The run form of each deployment, filled in by a link."""
    for name in _deployments(api):
        filled, *_ = RUNS[_flow_of(name)]
        yield from _page(f"form-{_in_a_file(name)}", run_form_link(name, filled), shows="Parameters")


def artifacts(api: PrefectApi) -> Iterator[Page]:
    """The newest version of each artifact; charts in the dark, too."""
    newest = {item["key"]: item for item in reversed(api.artifacts(sort="CREATED_DESC", limit=200))}
    for key, item in newest.items():
        name = key.rpartition("-")[0]  # the ledger's id is another one each time
        shows = item["description"].splitlines()[0]
        yield from _page(name, artifact_link(item["id"]), shows=shows)
        if item["type"] == "markdown":
            yield from _page(f"{name}-dark", artifact_link(item["id"]), shows=shows, dark=True)


def runs(api: PrefectApi) -> Iterator[Page]:
    """The newest run of each deployment with its log, and the list of all."""
    names = {deployment: name for name, deployment in _deployments(api).items()}
    newest = {names[item["deployment_id"]]: item for item in reversed(_ended(api))}
    for name, item in newest.items():
        yield from _page(f"run-{_in_a_file(name)}", run_link(item["id"]), shows="Beginning flow run")
    last = next(reversed(newest.values()))
    yield from _page("runs", str(run_link(last["id"])).partition("/flow-run/")[0], shows=last["name"])


# Who adds a page adds a line here, or a function.
PAGES: tuple[Callable[[PrefectApi], Iterator[Page]], ...] = (forms, artifacts, runs)


def main() -> int:
    """Take the pictures and return the exit code: 0 if each page showed what it should."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--into", type=Path, default=_INTO, help="the directory of the pictures")
    into: Path = parser.parse_args().into
    try:
        chromium()  # before minutes are spent
    except NoBrowserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say = Teller()
    with unwinding_on_sigterm(), ExitStack() as parts:
        directory = Path(parts.enter_context(TemporaryDirectory(prefix="sluice-screenshots-")))
        stack = parts.enter_context(running_stack(directory, departures=_DEPARTURES, say=say))
        api = PrefectApi(stack.prefect.api_url)
        _run_each(api, stack, say)
        with temporary_settings({PREFECT_API_URL: api.url}):
            pages = [page for find in PAGES for page in find(api)]
        return _picture(pages, into, say)


def _run_each(api: PrefectApi, stack: Stack, say: Callable[[str], None]) -> None:
    with stack.prefect.worker(stack.environment()):
        for name, deployment in _deployments(api).items():
            api.schedule(deployment, active=False)
            api.clear_runs(deployment)
            for parameters in RUNS[_flow_of(name)]:
                run = api.wait_for(api.trigger(deployment, parameters), deadline_s=_RUN_S)
                # Sent in batches: a process that is ended with its worker takes the last ones with it.
                wait_until(partial(_has_log, api, run["id"]), _RUN_S, f"the log of {run['name']}")
                say(f"{run['state_name']}: {run['name']}")


def _has_log(api: PrefectApi, run_id: str) -> bool:
    """Whether the log of a run is there to its end."""
    wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
    return any(line["message"].startswith("Finished in state") for line in api.ask("POST", "/logs/filter", wanted))


def _deployments(api: PrefectApi) -> dict[str, str]:
    """The ids of all deployments by `flow/name`, in the order in which they are run."""
    found = {}
    for item in api.ask("POST", "/deployments/filter", {}):
        flow = api.ask("GET", f"/flows/{item['flow_id']}")["name"]
        found[f"{flow}/{item['name']}"] = item["id"]
    order = list(RUNS)
    return dict(sorted(found.items(), key=lambda item: (order.index(_flow_of(item[0])), item[0])))


def _flow_of(name: str) -> str:
    return name.partition("/")[0]


def _in_a_file(name: str) -> str:
    return name.replace("/", "-")


def _picture(pages: Sequence[Page], into: Path, say: Callable[[str], None]) -> int:
    from playwright.sync_api import Error  # of an extra that only pictures need

    failed = 0
    with running_camera(into) as camera:
        for page in pages:
            try:
                say(str(camera.take(page)))
            except Error as error:
                failed += 1
                say(f"{page.name}: {page.address} does not show {page.shows!r}: {error.message.splitlines()[0]}")
    return 1 if failed else 0


def _ended(api: PrefectApi) -> list[dict[str, Any]]:
    states = {"state": {"type": {"any_": ["COMPLETED", "FAILED"]}}}
    return api.runs(sort="END_TIME_DESC", limit=50, flow_runs=states)


def _page(name: str, address: str | None, *, shows: str, dark: bool = False) -> Iterator[Page]:
    if address:
        yield Page(name=name, address=address, shows=shows, dark=dark)


if __name__ == "__main__":
    sys.exit(main())
