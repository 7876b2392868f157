"""Run the ingest flow in this process and print, as JSON, how many requests to Prefect's API that cost.

`counted_flow.py NAME "artifacts fail"` makes every artifact's request fail instead, as an API would that refuses them,
and every event of ours.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import httpx

counted: Counter[str] = Counter()
refuses_artifacts = sys.argv[2] == "artifacts fail"


def count(request: httpx.Request) -> None:
    counted[request.url.path] += 1
    if refuses_artifacts and request.url.path.endswith("/artifacts/"):
        counted["failed artifacts"] += 1
        raise httpx.HTTPStatusError("refused", request=request, response=httpx.Response(500, request=request))


_send, _send_async = httpx.Client.send, httpx.AsyncClient.send


def send(client: httpx.Client, request: httpx.Request, **kwargs: Any) -> httpx.Response:
    count(request)
    return _send(client, request, **kwargs)


async def send_async(client: httpx.AsyncClient, request: httpx.Request, **kwargs: Any) -> httpx.Response:
    count(request)
    return await _send_async(client, request, **kwargs)


httpx.Client.send = send  # type: ignore[method-assign,assignment]
httpx.AsyncClient.send = send_async  # type: ignore[method-assign,assignment]

from flows.ingest import ingest  # noqa: E402 - after the counters are in place
from tasks import emitting  # noqa: E402


def refuse(event: str, *_: Any, **__: Any) -> None:
    counted["failed events"] += 1
    raise ValueError(f"{event} is too large")


if refuses_artifacts:
    vars(emitting)["emit_event"] = refuse

state: Any = ingest(sys.argv[1], return_state=True)
report = state.result(raise_on_failure=False)
failed, silenced = counted.pop("failed artifacts", 0), counted.pop("failed events", 0)
sys.stdout.write(
    json.dumps(
        {
            "state": state.name,
            "message": state.message,
            "windows": len(report["windows"]) if isinstance(report, dict) else None,
            "requests": counted.total(),
            "failed_artifacts": failed,
            "failed_events": silenced,
            "by_path": counted.most_common(20),
        }
    )
)
