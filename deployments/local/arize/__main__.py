"""Run the stand-in as a process of its own: ``python -m deployments.local.arize --port 8901 --directory DIR``."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from deployments.local.arize.handle import API_KEY, SPACE_ID
from deployments.local.arize.server import running_arize


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deployments.local.arize", description="Stand in for Arize AX.")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one, which is printed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--directory", type=Path, required=True, help="where what arrived is kept")
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--space", default=SPACE_ID)
    args = parser.parse_args()

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with running_arize(
        args.directory, port=args.port, host=args.host, api_key=args.api_key, space_id=args.space
    ) as arize:
        print(f"arize stand-in listening on {arize.url}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
