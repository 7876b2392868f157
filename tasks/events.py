"""Which Prefect events a run gives: pure. Offsets, counts, entries' numbers, names of states; never a value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from sluice.ledger.names import shown
from sluice.report import RunReport, WindowReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a pipeline.

    Attributes:
        labels: of its resource, for the triggers of automations, which see no payload.
        id: two events of one id are one.
    """

    name: str
    pipeline: str
    payload: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)

    @property
    def resource(self) -> dict[str, str]:
        named = {"prefect.resource.id": f"sluice.pipeline.{self.pipeline}", "prefect.resource.name": self.pipeline}
        return {**named, **self.labels}


def events_of_window(pipeline: str, window: WindowReport) -> tuple[Event, ...]:
    """Return what there is to tell of a window that is delivered, or held.

    An event's id follows from the entry's: whoever tells of it, and however often, it is one event.
    """
    names = ["held" if window.entry.held else "delivered"]
    names += ["rejected"] if window.entry.rejected else []  # which the end of a held one by `deliver` does not repeat
    return tuple(
        Event(
            name=f"sluice.window.{name}",
            pipeline=pipeline,
            payload=_window_payload(window),
            id=uuid5(NAMESPACE_OID, f"{window.entry.id}.{name}"),
        )
        for name in names
    )


def event_of_run(report: RunReport, *, flow: str, url: str | None, scheduled: bool) -> Event:
    """Return what there is to tell of a run, whatever became of it.

    Args:
        flow: its name: what kind of run it was.
        url: of its page in Prefect's UI, where one is known.
        scheduled: whether a schedule began it: only then another one can be expected.
    """
    labels = {
        "sluice.flow": flow,
        "sluice.state": report.state,
        "sluice.retention": "near" if report.is_near_retention else "far" if report.backlog else "unknown",
        "sluice.scheduled": "yes" if scheduled else "no",
    }
    if report.error:
        labels["sluice.problem"] = _problem(report)
    payload = _run_payload(report) | {"url": url}
    return Event(name="sluice.run.finished", pipeline=report.pipeline, payload=payload, labels=labels)


def _window_payload(window: WindowReport) -> dict[str, Any]:
    found, balance = window.as_dict(), window.entry.balance
    return {
        "entry": found["entry"],
        "state": "held" if window.entry.held else "delivered",
        "ranges": [str(item.range) for item in window.entry.ranges],
        "offsets": balance.total,
        **balance.as_dict(),
        "rejected_share": round(balance.rejected_share, 6),
        **{name: found[name] for name in ("held", "rows_accepted", "rows_placed", "rows_dropped")},
        "unknown_sends": sum(item.unknown for item in window.receipts),
    }


def _run_payload(report: RunReport) -> dict[str, Any]:
    found = report.as_dict()
    names = ("run_id", "started_at", "state", "error", "message", "see", "left_to_read", "retention_margin", "notes")
    return {
        **{name: found[name] for name in names},
        "entries": [shown(item.number) for item in report.windows],
        "ranges": [str(item) for item in report.taken],
        **found["totals"],
        "rejected_share": round(report.balance.rejected_share, 6),
    }


def _problem(report: RunReport) -> str:
    """Name what is wrong, the same for as long as it lasts: a hold by its message, for the next is another one."""
    if report.state != "held":
        return report.error
    return f"{report.error}-{hashlib.sha256(report.message.encode()).hexdigest()[:8]}"
