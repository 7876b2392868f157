"""The command `automations`: what the Prefect server watches for, and whom it tells."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.cli_opening import has_prefect
from flows.cli_text import table
from sluice.errors import WrongUse

OWN = Path(__file__).resolve().parents[1] / "deployments" / "automations.yaml"


def automated(options: argparse.Namespace) -> dict[str, Any]:
    """Make the automations, or bring them up to date, and return what was done to each."""
    if not has_prefect():
        raise WrongUse("No Prefect API is named", "Set PREFECT_API_URL")
    # Imported here: Prefect takes a second, and whoever has no server needs none of it.
    from tasks.automations import arrange

    done = arrange(options.file or OWN, options.notify)
    return {"state": "done", "automations": [asdict(item) for item in done]}


def automations_text(found: Mapping[str, Any]) -> str:
    """One line an automation: what was done, and what it does when it speaks."""
    rows = [
        (item["did"], item["name"], "on" if item["is_on"] else "off", ", ".join(item["actions"]))
        for item in found["automations"]
    ]
    lines = [table(("did", "automation", "is", "does"), rows)]
    if any(item["actions"] == ("do-nothing",) for item in found["automations"]):
        lines.append("do-nothing: nobody is told. Next: sluice automations --notify TYPE/NAME of a notification block")
    return "\n".join(lines)
