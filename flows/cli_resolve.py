"""The command `resolve`: which word goes where."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from flows.cli_opening import opened
from sluice.errors import WrongUse

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from sluice.run import Run

_ON_A_PART: Final = ("delivered", "resend", "drop")
_ON_AN_ENTRY: Final = ("deliver", "redo", "drop", "readdress", "redeliver")


def resolved(options: argparse.Namespace) -> dict[str, Any]:
    """Take a person's word, and return what it holds for."""
    from sluice.ledger.log import held_error

    of_a_part = options.part is not None
    if options.verdict not in (_ON_A_PART if of_a_part else _ON_AN_ENTRY):
        raise WrongUse(
            f"{options.verdict} is no word on {'a part' if of_a_part else 'an entry without --part'}",
            "See: sluice resolve --help",
        )
    with opened(options) as work:
        work.require_ledger()
        found = _taken(work, options)
        held_again = str(held_error(work.ledger.state)) if work.ledger.state.holding_up else ""
    found |= {"state": "held" if held_again else "done", "pipeline": work.pipeline.name, "verdict": options.verdict}
    return found | ({"message": held_again} if held_again else {})


def _taken(work: Run, options: argparse.Namespace) -> dict[str, Any]:
    from sluice.ledger.names import shown
    from sluice.refiling import is_filed, resolve_file
    from sluice.resolution import readdress, resolve_delivery, resolve_window

    number, verdict, reason = options.entry, options.verdict, options.reason
    if verdict == "redeliver" or (is_filed(work, number) and verdict in _ON_A_PART):
        goes_on_as = shown(resolve_file(work, number, verdict, reason))
        return {"entry": shown(number), "goes_on_as": goes_on_as}
    if options.part is not None:
        sends = resolve_delivery(work, number, options.part, verdict, reason)
        return {"entry": shown(number), "part": options.part, "deliveries": sends}
    if verdict == "readdress":
        return {"entry": shown(number), "parts": readdress(work, number, reason)}
    return {"entry": shown(number), "ended_by": resolve_window(work, number, verdict, reason)}
