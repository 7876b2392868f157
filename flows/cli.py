"""The command line. Each command prints for people, or with --json one JSON object for programs.

Exit codes: 0 done, 1 failed, 2 wrong use or a wrong file, 3 held for a person. Prefect is imported only where a flow
runs.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows import cli_text
from flows.cli_options import parser
from sluice.errors import PrefectUnavailable, SluiceError, WrongUse

_EXIT_CODES = {"done": 0, "failed": 1, "held": 3}
Printed = tuple[int, dict[str, Any], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser(COMMANDS).parse_args(arguments)
    if options.verbose:
        _log_steps()
    try:
        code, found, text = options.command(options)
    except SluiceError as error:
        code, found, text = error.exit_code, cli_text.error_as_dict(error), ""
    if options.json:
        print(json.dumps(found, indent=2))
    elif text:
        print(text)
    if message := found.get("message"):
        print(message, file=sys.stderr)
    return int(code)


def _log_steps() -> None:
    """Log Sluice's steps to stderr, by a handler of their own: Prefect, once imported, keeps the root's to itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("sluice")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False  # else a root logger with a handler would print each line again


def check(options: argparse.Namespace) -> Printed:
    """Validate a pipeline file; asks no broker."""
    loaded = _loaded(options)
    columns = {column.name: column.type for column in loaded.pipeline.columns()}
    found = {"pipeline": loaded.pipeline.name, "file": _short(loaded.path), "sha256": loaded.sha256, "columns": columns}
    return 0, {"state": "done", **found}, cli_text.check_text(found)


def plan(options: argparse.Namespace) -> Printed:
    """Show the windows that a run would take now, and its peak of memory; reads no record, writes nothing."""
    from sluice.forecast import forecast

    with _opened(options) as run:
        found = forecast(run)
    return _EXIT_CODES[found["state"]], found, cli_text.plan_text(found)


def run(options: argparse.Namespace) -> Printed:
    """Run a pipeline once, here and now."""
    found = _run_with_prefect(options) if _has_prefect(options) else _run_bare(options)
    return found["exit_code"], found, cli_text.run_text(found)


def status(options: argparse.Namespace) -> Printed:
    """Show ledger, group, lag, retention margin, and what waits and why."""
    from sluice.status import status as status_of

    with _opened(options) as opened:
        found = status_of(opened)
    return 0, found, cli_text.status_text(found)


def rejected(options: argparse.Namespace) -> Printed:
    """List an entry's rejected records by offset and reason, without any value."""
    from sluice.rejections import rejections

    with _opened(options) as opened:
        opened.require_ledger(write=False)
        found = rejections(opened, options.entry)
    return 0, found, cli_text.rejected_text(found)


def resolve(options: argparse.Namespace) -> Printed:
    """Give a person's word on a held entry, on a send without a known outcome, on the space of a refused one."""
    from sluice.ledger.log import held_error
    from sluice.resolution import readdress, resolve_delivery, resolve_window

    is_send = options.verdict in ("delivered", "resend")
    if is_send != (options.part is not None):
        raise WrongUse("--part goes with delivered and resend, and only with them", "See: sluice resolve --help")
    with _opened(options) as opened:
        opened.require_ledger()
        if is_send:
            sends = resolve_delivery(opened, options.entry, options.part, options.verdict, options.reason)
            found: dict[str, Any] = {"entry": options.entry, "part": options.part, "deliveries": sends}
        elif options.verdict == "readdress":
            found = {"entry": options.entry, "parts": readdress(opened, options.entry, options.reason)}
        else:
            number = resolve_window(opened, options.entry, options.verdict, options.reason)
            found = {"entry": options.entry, "ended_by": number}
        held_again = str(held_error(opened.ledger.state)) if opened.ledger.state.held else ""
    found |= {"state": "held" if held_again else "done", "pipeline": opened.pipeline.name, "verdict": options.verdict}
    found |= {"message": held_again} if held_again else {}
    text = f"Entry {options.entry}: {options.verdict}." + ("" if held_again else f" Next: sluice run {options.file}")
    return _EXIT_CODES[found["state"]], found, text


def realign(options: argparse.Namespace) -> Printed:
    """Bring consumer group and ledger together again after somebody moved the group."""
    from sluice.realignment import realign_to_group, realign_to_ledger

    if (options.to == "group") != bool(options.reason):
        raise WrongUse("--reason goes with --to group, and only with it", "See: sluice realign --help")
    with _opened(options) as opened:
        opened.require_ledger()
        standing = opened.outlook.look(write=True)
        if options.to == "ledger":
            done = [f"{item.partition} {item.offset}" for item in realign_to_ledger(opened, standing)]
        else:
            done = [str(item) for item in realign_to_group(opened, standing, options.reason)]
    key = "group_set" if options.to == "ledger" else "skipped"
    found = {"state": "done", "pipeline": opened.pipeline.name, "to": options.to, key: done}
    return 0, found, "\n".join([f"{key.replace('_', ' ')}:", *(done or ["nothing"])])


def _run_bare(options: argparse.Namespace) -> dict[str, Any]:
    """Run by the library's own verbs: no server, no artifacts; the ledger is the same."""
    from sluice.ingest import ingest

    report = _empty_report(options)
    try:
        with _opened(options, report.run_id) as opened:
            limits = opened.pipeline.limits
            report = ingest(opened, opened.report(), parallel_windows=limits.parallel_windows)
    except SluiceError as error:
        report = report.ended_by(error)
    found: dict[str, Any] = report.as_dict()
    return found


def _run_with_prefect(options: argparse.Namespace) -> dict[str, Any]:
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    from flows import ingest as flow

    try:
        state = flow.ingest(options.file, max_windows=options.max_windows, until=options.until, return_state=True)
        found = state.result(raise_on_failure=False)
    except (HTTPError, PrefectException, RuntimeError) as error:
        return _not_recorded(flow.last_report() or _empty_report(options), error)
    if isinstance(found, dict):
        return found
    ended: dict[str, Any] = _empty_report(options).as_dict()
    return ended | {"state": "failed", "exit_code": 1, "message": state.message or state.name}


def _not_recorded(report: Any, error: Exception) -> dict[str, Any]:
    """What a run did whose end Prefect could not be told; a run that Prefect never let begin has done nothing."""
    gone = PrefectUnavailable(
        f"Prefect's API does not answer ({type(error).__name__})",
        "Is PREFECT_API_URL right, and the server up? Or run without it: sluice run FILE --no-prefect",
    )
    if report.planned or report.windows or report.error:
        return dict(report.as_dict(), message=report.message or str(gone))
    return dict(report.ended_by(gone).as_dict())


def _empty_report(options: argparse.Namespace) -> Any:
    import time
    import uuid

    from sluice.clock import timestamp
    from sluice.report import RunReport

    run_id = f"cli-{uuid.uuid4().hex[:12]}"
    return RunReport(pipeline=options.file, run_id=run_id, started_at=timestamp(time.time()))


def _has_prefect(options: argparse.Namespace) -> bool:
    """Whether a Prefect API is named; without one, a server would be started for this run alone."""
    if options.no_prefect:
        return False
    if os.environ.get("PREFECT_API_URL"):
        return True
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _loaded(options: argparse.Namespace) -> Any:
    from sluice.checking import pipeline_called
    from sluice.settings import Settings

    return pipeline_called(options.file, Settings.from_environment(os.environ))


def _short(path: Path) -> str:
    """The path from where the person stands, if it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _opened(options: argparse.Namespace, run_id: str = "cli") -> Any:
    from sluice.opening import opened_run
    from sluice.parts import RunOptions
    from sluice.settings import Settings

    run_options = RunOptions(max_windows=getattr(options, "max_windows", None), until=getattr(options, "until", None))
    return opened_run(_loaded(options), Settings.from_environment(os.environ), run_id, run_options)


COMMANDS = {command.__name__: command for command in (check, plan, run, status, rejected, resolve, realign)}
