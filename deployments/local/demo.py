"""The main job, whole, on real parts: watch windows go from Kafka to Arize, through a kill, and see it proved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deployments.local import published_loop
from deployments.local.api import PrefectApi
from deployments.local.events import TOPIC
from deployments.local.options import Teller, options_of
from deployments.local.processes import unwinding_on_sigterm, wait_until
from deployments.local.proof import group_of, prove
from deployments.local.stack import Stack, running_stack
from deployments.local.watch import LedgerWatch

PIPELINE = "flights"
IMPORTED = "flights-imported"
_DRILL = "group.committing:1:parent"
_RUN_S = 120.0


def main() -> int:
    """Run the demo and return its exit code: 0 if all is proved."""
    options = options_of("make demo", __doc__)
    with unwinding_on_sigterm():
        say = Teller()
        say(f"Starting Apache Kafka, SeaweedFS, a stand-in of Arize and a Prefect server; data in {options.directory}")
        with running_stack(options.directory, departures=options.departures, say=say) as stack:
            demo = Demo(stack, say)
            with demo.no_other_runs():
                return demo.tell()


class Demo:
    """The demo's chapters, in order."""

    def __init__(self, stack: Stack, say: Teller) -> None:
        self._stack = stack
        self._say = say
        self._api = PrefectApi(stack.prefect.api_url)
        self._deployment = self._api.deployment(f"ingest/{PIPELINE}")
        self._imported = self._api.deployment(f"ingest/{IMPORTED}")
        os.environ.update(stack.environment())
        self._watch = LedgerWatch(PIPELINE, self._say.row)

    @contextmanager
    def no_other_runs(self) -> Iterator[None]:
        """Keep the schedule still and what an earlier call left out of the way: one run at a time is let through."""
        self._api.schedule(self._deployment["id"], active=False)
        for deployment in (self._deployment, self._imported):
            self._api.clear_runs(deployment["id"])
        try:
            yield
        finally:
            self._api.schedule(self._deployment["id"], active=True)

    def tell(self) -> int:
        begun = self._watch.entries
        if begun:
            self._say(f"The ledger is there already, with {begun} entries: what they hold is not delivered again")
        else:
            self._killed_run()
        with self._stack.prefect.worker(self._stack.environment()):
            self._finishing_run()
            self._importing_run()
        self._say("The proof")
        proofs = [prove(self._stack, pipeline) for pipeline in (PIPELINE, IMPORTED)]
        for pipeline, proof in zip((PIPELINE, IMPORTED), proofs, strict=True):
            self._say.rows([f"{pipeline}:", *(f"  {line}" for line in proof.lines())])
        self._compare()
        self._where_to_look()
        return 0 if all(proof.holds for proof in proofs) else 1

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

    def _run(self, deployment_id: str, watch: LedgerWatch) -> None:
        run_id = self._api.trigger(deployment_id)
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
        runs = self._api.runs(sort="EXPECTED_START_TIME_DESC", limit=10)
        named = {item["id"]: item["name"] for item in runs}
        for run_id, name in named.items():
            if name.startswith((f"{PIPELINE} ", f"{IMPORTED} ")):
                self._say.row(f"run       {ui}/v2/runs/flow-run/{run_id}   {name}")
        for artifact in self._api.artifacts(sort="CREATED_DESC", limit=6):
            line, *_ = artifact["description"].splitlines()  # behind it may come what a page has room for
            self._say.row(f"artifact  {ui}/v2/artifacts/artifact/{artifact['id']}   {line}")
        self._say.row(f"arrived   {self._stack.arize.url}")


if __name__ == "__main__":
    sys.exit(main())
