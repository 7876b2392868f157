"""Run the stand-in as a process of its own: ``python -m deployments.local.arize --port 8901 --directory DIR``.

Which store its import jobs read may be told by ``ARIZE_STAND_IN_OBJECTS_ENDPOINT``, ``…_ACCESS_KEY``, ``…_SECRET_KEY``
and ``…_REGION``, or later.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

from deployments.local.arize.handle import API_KEY, DEVELOPER_KEY, SPACE_ID
from deployments.local.arize.imports import ImportSettings, ObjectStore
from deployments.local.arize.server import running_arize


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deployments.local.arize", description="Stand in for Arize AX.")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one, which is printed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--directory", type=Path, required=True, help="where what arrived is kept")
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--space", default=SPACE_ID)
    parser.add_argument("--developer-key", default=DEVELOPER_KEY)
    parser.add_argument(
        "--imports", type=ImportSettings.model_validate_json, help="settings of the import side, as JSON"
    )
    args = parser.parse_args()

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with running_arize(
        args.directory,
        port=args.port,
        host=args.host,
        api_key=args.api_key,
        space_id=args.space,
        developer_key=args.developer_key,
        imports=args.imports,
        objects=ObjectStore.from_environment(os.environ),
    ) as arize:
        print(f"arize stand-in listening on {arize.url}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
