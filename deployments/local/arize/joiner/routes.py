"""What may be asked of the clock and the joiner, and told to them, under ``/standin``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from deployments.local.arize.joiner.runs import DAY_S, HOUR_S, WINDOW_DAYS, day_of

if TYPE_CHECKING:
    from deployments.local.arize.routes import Handler


def clock(handler: Handler, _: Any) -> None:
    handler.answer_json({"now": handler.server.clock()})


def move_clock(handler: Handler, sent: Any) -> None:
    """Move to a moment (``at``), by some ``seconds``, or to where the joiner has seen all that was received so far."""
    server = handler.server
    match sent:
        case {"at": at}:
            server.clock.move_to(float(at))
        case {"seconds": seconds}:
            server.clock.advance(float(seconds))
        case {"to": "next_join"}:
            server.clock.move_to(day_of(server.clock()) + DAY_S + HOUR_S)
        case _:
            raise ValueError('whereto? {"at": …}, {"seconds": …} or {"to": "next_join"}')
    server.joiner.runs()
    clock(handler, sent)


def join(handler: Handler, _: Any) -> None:
    handler.answer_json({"join": handler.server.summary()["join"]})


def run_now(handler: Handler, sent: Any) -> None:
    handler.server.joiner.run_now(float(sent.get("window_days", WINDOW_DAYS)))
    join(handler, sent)


def runs(handler: Handler, _: Any) -> None:
    handler.answer_json({"runs": [run.shown() for run in handler.server.joiner.runs()]})


def days(handler: Handler, _: Any) -> None:
    handler.answer_json({"days": handler.server.joiner.days(_model(handler))})


def joined(handler: Handler, _: Any) -> None:
    pairs = handler.server.joiner.joined(_model(handler))
    handler.answer_arrow([pairs.to_arrow(compat_level=pl.CompatLevel.oldest())])


def _model(handler: Handler) -> str:
    if "model" not in handler.query:
        raise ValueError("which model? ?model=…")
    return handler.query["model"]


JOINER_ROUTES: dict[tuple[str, str], Callable[[Handler, Any], None]] = {
    ("GET", "/standin/clock"): clock,
    ("PUT", "/standin/clock"): move_clock,
    ("GET", "/standin/join"): join,
    ("POST", "/standin/join"): run_now,
    ("GET", "/standin/join/runs"): runs,
    ("GET", "/standin/join/days"): days,
    ("GET", "/standin/joined.arrow"): joined,
}
