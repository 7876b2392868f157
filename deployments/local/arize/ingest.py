"""Take one upload in: receive, check, meet a fault or none, keep, answer. In that order, whatever the answer is."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path

from deployments.local.arize.exchange import Exchange
from deployments.local.arize.faults import Fault, Script
from deployments.local.arize.store import Call, Store
from deployments.local.arize.wire import Refused, Upload, decode, refuse_strangers

_PIECE = 1 << 20


def ingest(exchange: Exchange, store: Store, script: Script[Fault]) -> None:
    """Serve ``POST /v1/pandas_arrow``. The body is read whole before anything is answered, as behind a proxy."""
    received_at = exchange.gate.clock()
    headers = {name.lower(): value for name, value in exchange.headers.items()}
    body = store.incoming()
    try:
        _receive(exchange, body)
        upload = _admit(exchange, headers, body)
    except Refused as refused:
        store.record(_refused(headers, received_at, refused), body)
        exchange.answer(refused.status, refused.message)
        return
    except ConnectionError:
        body.unlink(missing_ok=True)
        raise
    fault, released = script.pick(lambda fault: fault.matches(upload))
    call = store.record(_taken(headers, received_at, upload, fault, size=body.stat().st_size), body)
    _finish(exchange, store, call, fault, released)


def _receive(exchange: Exchange, body: Path) -> None:
    """Write the body to a file piece by piece, so that memory stays flat whatever its size."""
    if "Content-Length" not in exchange.headers:
        exchange.close_connection = True
        raise Refused(411, "must provide Content-Length")
    missing = int(exchange.headers["Content-Length"])
    with body.open("wb") as file:
        while missing:
            piece = exchange.rfile.read(min(missing, _PIECE))
            if not piece:
                raise ConnectionError("the client left in the middle of its body")
            missing -= file.write(piece)


def _admit(exchange: Exchange, headers: dict[str, str], body: Path) -> Upload:
    refuse_strangers(headers, api_key=exchange.gate.api_key, space_id=exchange.gate.space_id)
    return decode(body, number_of_rows=headers.get("number-of-rows"))


def _refused(headers: dict[str, str], received_at: float, refused: Refused) -> Call:
    return Call(
        received_at=received_at,
        status=refused.status,
        stored=False,
        message=refused.message,
        space=headers.get("arize-space-id", ""),
        columns={},
        headers=_shown(headers),
    )


def _taken(headers: dict[str, str], received_at: float, upload: Upload, fault: Fault | None, *, size: int) -> Call:
    """Say before the answer what it will be: a stand-in killed in between left a true line."""
    return Call(
        received_at=received_at,
        status=fault.answers if fault else 200,
        stored=fault.stores if fault else True,
        fault=fault.kind if fault else None,
        bytes=size,
        space=headers["arize-space-id"],
        headers=_shown(headers),
        **asdict(upload),
    )


def _shown(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "authorization"}


def _finish(exchange: Exchange, store: Store, call: Call, fault: Fault | None, released: threading.Event) -> None:
    match fault:
        case None:
            _accept(exchange, call)
        case Fault(kind="status", status=status) if status >= 300:
            exchange.answer(status, fault.message or f"scripted {status}", retry_after_s=fault.retry_after_s)
        case Fault(kind="drop" | "store_then_drop"):
            exchange.leave()
        case Fault(kind="hang"):
            exchange.wait(released)
            _accept(exchange, call) if call.stored else exchange.leave()
        case Fault(kind="drip"):
            exchange.drip(fault.pause_s, released)
        case _:
            if fault.kind == "accept_then_lose":
                _lose(store, call.number, fault.pause_s)
            elif fault.kind == "slow":
                exchange.wait(released, at_most_s=fault.pause_s)
            _accept(exchange, call)


def _accept(exchange: Exchange, call: Call) -> None:
    exchange.answer_json({"realTimeIngestionUri": f"{exchange.gate.url}/#{call.model}"})


def _lose(store: Store, number: int, pause_s: float) -> None:
    if not pause_s:
        store.lose(number)
        return
    timer = threading.Timer(pause_s, store.lose, args=(number,))
    timer.daemon = True
    timer.start()
