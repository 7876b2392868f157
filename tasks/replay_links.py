"""Links to the form of a replay, filled in: from ledger pages, where it runs dry first, and from a replay's own pages.

They name entries, not a page, as far as an address may be long: they hold when the page is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefect.runtime import deployment

from sluice.ledger.entries import Derived
from sluice.ledger.names import EntryName
from sluice.report import WindowReport
from tasks.links import RunForm, run_form, run_form_link

_AT_ONCE: Final = 100  # entries in one link: more would be a longer address than some servers take
_MOST_LINKS: Final = 20  # of single windows; the form takes any number


def replay_notes(pipeline: str, windows: Sequence[WindowReport]) -> list[str]:
    """Return lines of Markdown with links to the form; none where nothing can be replayed, or there is no form.

    Args:
        windows: of one page.
    """
    names = [window.number for window in windows if _can_be_replayed(window)]
    form = run_form("replay/replay") if names else None
    return ["", links_to(form, pipeline, names)] if form else []


def links_to(form: RunForm, pipeline: str, names: Sequence[EntryName]) -> str:
    """Link the form for all these entries, and for each of the last ones. Pure."""

    def link(words: str, chosen: Sequence[EntryName]) -> str:
        return f"**[{words}]({form.filled({'pipeline': pipeline, 'entries': [str(name) for name in chosen]})})**"

    pieces = [names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)]
    if len(pieces) == 1:
        told = link("Replay this run →", names)
    else:
        told = f"Replay entries {', '.join(link(f'{piece[0]} to {piece[-1]}', piece) for piece in pieces)}"
    if len(names) == 1:
        return told
    last = names[-_MOST_LINKS:]
    which = "one entry" if len(last) == len(names) else f"one of the last {len(last)} entries"
    return f"{told}, or {which}: {', '.join(link(str(name), [name]) for name in last)}"


def link_that_runs(parameters: Mapping[str, Any], names: Sequence[EntryName]) -> str | None:
    """Link the form of this run's deployment, filled in so that these entries go out."""
    return run_form_link(f"replay/{deployment.name or 'replay'}", that_run(parameters, names))


def that_run(parameters: Mapping[str, Any], names: Sequence[EntryName]) -> dict[str, Any]:
    """Return the parameters by which these entries go out. Pure.

    Args:
        parameters: of the run that looked at them, or tried. Its artifact, if there is one, is an id: the newest of a
            key may be another one by the time that the link is followed.
    """
    by_page = parameters["artifact"] and len(names) > _AT_ONCE
    named = {"entries": None} if by_page else {"entries": [str(name) for name in names], "artifact": ""}
    return {**parameters, **named, "dry_run": False}


def _can_be_replayed(window: WindowReport) -> bool:
    """Whether its rows arrived, or will once Arize has read its file; a replay is not replayed: its origin is."""
    entry = window.entry
    is_replay = isinstance(entry, Derived) and entry.purpose == "replay"
    is_there = window.is_settled or window.is_pending
    return is_there and entry.staged is not None and not window.dropped and not is_replay
