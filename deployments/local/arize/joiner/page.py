"""The part of the page that shows what is joined."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any

from deployments.local.arize.drawing import look, number, table
from deployments.local.arize.joiner.runs import next_hour

_COUNTS = ("predictions", "with_truth", "actuals", "matched", "unmatched", "waiting")
_SURFACED = ("early", "too_late", "repeated", "corrected")


def drawn_joiner(join: dict[str, Any] | None, now: float) -> list[str]:
    """Draw the counts of each model and the hours of the joiner; nothing before there is anything to join."""
    if join is None:
        return []
    heads = ["Model", *(f"#{name.replace('_', ' ').capitalize()}" for name in (*_COUNTS, *_SURFACED))]
    rows = (
        [
            f"<b>{escape(model['model'])}</b>",
            *(number(model[name]) for name in _COUNTS),
            *(look(number(model[name]), "warm" if model[name] else "") for name in _SURFACED),
        ]
        for model in join["models"]
    )
    last = f"last for {_hour(join['last_run']['at'])}" if join["last_run"] else "not yet"
    hours = f"daily at 05:00 UTC: {last}, next for {_hour(next_hour(now))}"
    return [f"<h2>Actuals joined <small>{hours}</small></h2>", table(heads, rows, otherwise="No models.")]


def _hour(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
