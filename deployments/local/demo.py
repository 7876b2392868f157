"""The main job, whole, on real parts: watch windows go from Kafka to Arize, through a kill, and see it proved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from deployments.local import published_loop
from deployments.local.api import PrefectApi
from deployments.local.events import TOPIC
from deployments.local.options import Teller, options_of
from deployments.local.processes import unwinding_on_sigterm, wait_until
from deployments.local.proof import group_of, prove
from deployments.local.stack import Stack, running_stack
from deployments.local.truth import coverage_now, prove_truth
from deployments.local.watch import LedgerWatch
from sluice.ledger import Ledger
from sluice.settings import Settings
from sluice.stores.opening import open_store

PIPELINE = "flights"
IMPORTED = "flights-imported"
ARRIVALS = "arrivals"
_DRILL = "group.committing:1:parent"
_ONCE_MORE: dict[str, dict[str, Any]] = {
    "backfill": {
        "partitions": [f"{TOPIC}[0]"],
        "again": "a candidate is to see the same departures",
        "model": "departure-delay-candidate",
    },
    "replay": {"entries": ["1"], "model": "departure-delay-successor", "source": "staged"},
}
_RUN_S = 120.0
_RUNS = 3
_SHOWN = ("offsets-", "map-", "coverage-")
_NOT_SHOWN = "coverage-days-"


def main() -> int:
    """Run the demo and return its exit code: 0 if all is proved."""
    options = options_of("make demo", __doc__)
    with unwinding_on_sigterm():
        say = Teller()
        say(f"Starting Apache Kafka, SeaweedFS, a stand-in of Arize and a Prefect server; data in {options.directory}")
        with running_stack(options.directory, departures=options.departures, say=say) as stack:
            demo = Demo(stack, say)
            with demo.no_other_runs():
                return demo.tell(everything=options.all)


class Demo:
    """The demo's chapters, in order."""

    def __init__(self, stack: Stack, say: Teller) -> None:
        self._stack = stack
        self._say = say
        self._api = PrefectApi(stack.prefect.api_url)
        self._deployment = self._api.deployment(f"ingest/{PIPELINE}")
        self._imported = self._api.deployment(f"ingest/{IMPORTED}")
        self._arrivals = self._api.deployment(f"ground_truth/{ARRIVALS}")
        os.environ.update(stack.environment())
        self._watch = LedgerWatch(PIPELINE, self._say.row)

    @contextmanager
    def no_other_runs(self) -> Iterator[None]:
        """Keep the schedule still and what an earlier call left out of the way: one run at a time is let through."""
        scheduled = (self._deployment, self._arrivals)
        for deployment in scheduled:
            self._api.schedule(deployment["id"], active=False)
        for deployment in (*scheduled, self._imported):
            self._api.clear_runs(deployment["id"])
        try:
            yield
        finally:
            for deployment in scheduled:
                self._api.schedule(deployment["id"], active=True)

    def tell(self, *, everything: bool) -> int:
        """Tell them, and return the exit code. everything: with those that take longer."""
        begun = self._watch.entries
        if begun:
            self._say(f"The ledger is there already, with {begun} entries: what they hold is not delivered again")
        else:
            self._killed_run()
        with self._stack.prefect.worker(self._stack.environment()):
            self._finishing_run()
            self._importing_run()
            self._catching_up()
            again = self._once_more() if everything else True
        self._say("The proof")
        proofs = [prove(self._stack, pipeline) for pipeline in (PIPELINE, IMPORTED)]
        for pipeline, proof in zip((PIPELINE, IMPORTED), proofs, strict=True):
            self._say.rows([f"{pipeline}:", *_indented(proof.lines())])
        truth = prove_truth(self._stack, ARRIVALS)
        self._say.rows([f"{ARRIVALS}, beside what the stand-in's own joiner made of them:", *_indented(truth.lines())])
        self._compare()
        self._where_to_look()
        return 0 if again and truth.holds and all(proof.holds for proof in proofs) else 1

    def _killed_run(self) -> None:
        """Let a worker take one window, and kill it and its run between Arize's receipt and the commit."""
        self._say(
            "A worker runs the scheduled deployment; it will be killed (kill -9) after a receipt, before its commit"
        )
        with self._stack.prefect.worker({**self._stack.environment(), "SLUICE_DRILL": _DRILL}) as worker:
            run_id = self._api.trigger(self._deployment["id"], {"max_windows": 1})
            wait_until(lambda: self._watch.look() or not worker.alive, _RUN_S, "the worker to be killed")
        self._watch.look()
        stands = " ".join(str(offset) for offset in group_of(self._stack, PIPELINE).values()) or "nothing"
        self._say.row(f"worker and run are dead: Arize has the window, the consumer group stands at {stands}")
        # The server sees a dead run by its missing heartbeats, in some minutes; the demo says it at once.
        self._api.crash(run_id, "killed on purpose by the demo")

    def _finishing_run(self) -> None:
        self._say("The next run of the schedule's deployment finishes")
        self._run(self._deployment["id"], self._watch)

    def _importing_run(self) -> None:
        self._say("The same departures as another model, by the other path: files that an import job of Arize's reads")
        self._run(self._imported["id"], LedgerWatch(IMPORTED, self._say.row))

    def _catching_up(self) -> None:
        self._say("Ground truth: what came true of the departures, reported hours to months later, or never")
        never = self._stack.arrived.arrivals.get("cancelled", 0)
        self._say.row(f"{never:,} of {self._stack.arrived.departures:,} flights were cancelled, and never arrive")
        self._say.row(f"before: {coverage_now(ARRIVALS).verdict}")
        self._run(self._arrivals["id"], LedgerWatch(ARRIVALS, self._say.row))
        self._say.row(f"after: {coverage_now(ARRIVALS).verdict}")

    def _once_more(self) -> bool:
        """Let two other models see what is delivered, and return whether each has it all, and once."""
        self._say("The past, for two other models: a backfill, read again from Kafka; and a replay of an entry")
        for flow, parameters in _ONCE_MORE.items():
            if not self._held(parameters["model"]):
                given = {"pipeline": PIPELINE, "dry_run": False, "reason": "the demo", **parameters}
                deployment = self._api.deployment(f"{flow}/{flow}")["id"]
                self._run(deployment, LedgerWatch(PIPELINE, self._say.row), given)
        good = self._stack.produced.partitions[0].good
        first = Ledger(open_store(Settings.from_environment(os.environ).store()), PIPELINE).load().sealed(1).rows_sent
        wanted = dict(zip(_ONCE_MORE, (good, first), strict=True))
        for flow, rows in wanted.items():
            model = _ONCE_MORE[flow]["model"]
            self._say.row(f"{flow}: {rows:,} rows wanted, {self._held(model):,} held by Arize as {model}")
        return all(self._held(_ONCE_MORE[flow]["model"]) == rows for flow, rows in wanted.items())

    def _held(self, model: str) -> int:
        """How many rows of a model Arize holds."""
        return sum(item["rows"] for item in self._stack.arize.summary()["models"] if item["model"] == model)

    def _run(self, deployment_id: str, watch: LedgerWatch, parameters: dict[str, Any] | None = None) -> None:
        run_id = self._api.trigger(deployment_id, parameters)
        with watch.following():
            run = self._api.wait_for(run_id, deadline_s=_RUN_S)
        self._say.row(f"{run['state_name']}: {run['name']}")
        if run["state_type"] != "COMPLETED":
            raise SystemExit(
                f"the run ended {run['state_name']}: {run['state']['message']}; see {self._stack.directory}/prefect"
            )

    def _compare(self) -> None:
        """Do the same to the loop that is published for this job, with the same kill."""
        self._say("Beside it: the loop that is published for this job, killed at the same step, then run again")
        held = self._stack.arize.summary()["models"]
        if not any(model["model"] == published_loop.MODEL for model in held):
            for arguments in (["--die-before-commit"], []):
                self._published(arguments)
        mine = next(item for item in self._stack.arize.summary()["models"] if item["model"] == published_loop.MODEL)
        self._say.row(
            f"{mine['rows']:,} rows in Arize of {mine['prediction_ids']:,} predictions: "
            f"{mine['excess_rows']:,} counted twice"
        )

    def _published(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "deployments.local.published_loop", "--topic", TOPIC]
        command += ["--bootstrap-servers", self._stack.kafka.bootstrap_servers, *arguments]
        with (self._stack.directory / "published_loop.log").open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, check=False)

    def _where_to_look(self) -> None:
        ui = self._stack.prefect.ui_url
        self._say("Where to look (`make up` leaves it all running)")
        runs = self._api.runs(sort="EXPECTED_START_TIME_DESC", limit=200)
        ended = [item for item in runs if item["state_type"] == "COMPLETED"]
        for run in ended[:_RUNS]:
            self._say.row(f"run       {ui}/v2/runs/flow-run/{run['id']}   {run['name']}")
        newest = {item["key"]: item for item in reversed(self._api.artifacts(sort="CREATED_DESC", limit=200))}
        for artifact in reversed([item for item in newest.values() if _is_shown(item["key"])]):
            line, *_ = artifact["description"].splitlines()  # behind it may come what a page has room for
            self._say.row(f"artifact  {ui}/v2/artifacts/artifact/{artifact['id']}   {line}")
        self._say.row(f"arrived   {self._stack.arize.url}")


def _is_shown(key: str) -> bool:
    return key.startswith(_SHOWN) and not key.startswith(_NOT_SHOWN)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


if __name__ == "__main__":
    sys.exit(main())
