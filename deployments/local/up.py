"""The stack of the demo, left running for a person to look around, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager

from deployments.local.api import PrefectApi
from deployments.local.options import Teller, options_of
from deployments.local.processes import unwinding_on_sigterm
from deployments.local.stack import Stack, running_stack


def main() -> int:
    """Run everything, with a worker, until somebody ends it."""
    options = options_of("make up", __doc__)
    say = Teller()
    try:
        with (
            unwinding_on_sigterm(),
            running_stack(options.directory, departures=options.departures, say=say) as stack,
            _worker(stack),
        ):
            stack.prefect.automate()
            _tell(stack, say)
            signal.pause()
    except KeyboardInterrupt:
        say(f"Ended; the data stay in {options.directory}, and `make up` goes on with them")
    return 0


def _worker(stack: Stack) -> AbstractContextManager[object]:
    """Run a worker that begins with nothing of an earlier call, and has the schedule's runs to do."""
    api = PrefectApi(stack.prefect.api_url)
    for name in ("ingest/flights", "ground_truth/arrivals"):
        deployment = api.deployment(name)["id"]
        api.clear_runs(deployment)
        api.schedule(deployment, active=True)
    return stack.prefect.worker(stack.environment())


def _tell(stack: Stack, say: Teller) -> None:
    say("Everything runs; Ctrl-C ends it")
    say.rows(
        [
            f"Prefect        {stack.prefect.ui_url}   run the deployment ingest/flights, and then",
            "                                          ground_truth/arrivals; or wait for their schedules",
            f"what arrived   {stack.arize.url}",
            f"Kafka          {stack.kafka.bootstrap_servers}",
            "",
            "To use the command line in another terminal:",
            *(
                f"export {name}={value}"
                for name, value in {**stack.environment(), **stack.prefect.environment()}.items()
            ),
            ".venv/bin/sluice status flights",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
