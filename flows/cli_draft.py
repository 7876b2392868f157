"""The command `draft`: which name, read the topic, and write the file where there is none."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

from flows.cli_opening import settings
from sluice.errors import WrongUse


def drafted(options: argparse.Namespace) -> dict[str, Any]:
    """Draft a pipeline file, and write it if a file is named.

    Raises:
        WrongUse: the file is there already, cannot be written, or is called otherwise than its pipeline; or the topic
            can be none.
    """
    from sluice.clock import SystemClock
    from sluice.drafting import Wanted
    from sluice.first_draft import first_draft
    from sluice.opening import opened_tap

    name = _name(options)
    if options.output and os.path.lexists(options.output):
        raise _is_there(options.output)
    wanted = Wanted(topic=options.topic, connection=options.connection, name=name, kind=options.kind)
    with opened_tap(settings(), wanted.connection, group=wanted.group) as tap:
        found = first_draft(wanted, tap, SystemClock(), count=options.count)
    if options.output:
        _write(options.output, found["text"])
    return {**found, "file": str(options.output) if options.output else None}


def _name(options: argparse.Namespace) -> str:
    from sluice.documents.strict import NAME, PATTERNS, TOPIC
    from sluice.first_draft import pipeline_name

    file: Path | None = options.output
    if not re.search(TOPIC, options.topic):
        raise WrongUse(f"{options.topic!r} is no topic's name; allowed: {PATTERNS[TOPIC]}", "Name a topic")
    name = options.name or (file.stem if file else pipeline_name(options.topic))
    if not re.search(NAME, name):
        raise WrongUse(f"{name} is no pipeline's name; allowed: {PATTERNS[NAME]}", "Choose another with --name")
    if file and file.name != f"{name}.yaml":
        raise WrongUse(f"{file}: a file is called as its pipeline is; allowed: {name}.yaml", "Name another file")
    return str(name)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise _is_there(file) from None
    except OSError as error:
        raise WrongUse(f"{file} cannot be written: {error.strerror}", "Name another file") from error


def _is_there(file: Path) -> WrongUse:
    return WrongUse(f"{file} is there already, and a draft overwrites nothing", "Name another file, or remove it")
