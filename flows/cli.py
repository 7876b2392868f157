"""The command line. Each command prints for people, or with --json one JSON object for programs.

Exit codes: 0 done, 1 failed, 2 wrong use or a wrong file, 3 held for a person. Prefect is imported only where a flow
runs.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from flows import cli_text
from flows.cli_opening import opened
from flows.cli_options import parser
from sluice.errors import SluiceError, WrongUse

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
        code, found, text = error.exit_code, error.as_dict(), ""
    shown = json.dumps(found, indent=2) if options.json else text
    try:
        if shown:
            print(shown, flush=True)
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    """Validate a pipeline file; with --connect, try what a run needs; with --deployments, compare with prefect.yaml."""
    from flows.cli_check import check_all

    found = check_all(options)
    return _EXIT_CODES[found["state"]], found, cli_text.check_text(found)


def draft(options: argparse.Namespace) -> Printed:
    """Learn a pipeline file from a topic's events, for a person to review; shows no value of an event."""
    from flows.cli_draft import drafted

    found = drafted(options)
    return 0, found, cli_text.draft_text(found)


def preview(options: argparse.Namespace) -> Printed:
    """Show the last records as they would be sent, with their values, and what would be rejected; changes nothing."""
    from flows.cli_preview import preview_text, previewed

    found = previewed(options)
    return 0, found, preview_text(found, shutil.get_terminal_size().columns)


def plan(options: argparse.Namespace) -> Printed:
    """Show the windows that a run would take now, and its peak of memory; reads no record, writes nothing."""
    from sluice.forecast import forecast

    with opened(options) as work:
        found = forecast(work)
    return _EXIT_CODES[found["state"]], found, cli_text.plan_text(found)


def run(options: argparse.Namespace) -> Printed:
    """Run a pipeline once, here and now."""
    from flows.cli_run import run_once

    found = run_once(options)
    return found["exit_code"], found, cli_text.run_text(found)


def status(options: argparse.Namespace) -> Printed:
    """Show ledger, group, lag, retention margin, and what waits and why."""
    from sluice.status import status as status_of

    with opened(options) as work:
        found = status_of(work)
    return 0 if found["partitions"] else 1, found, cli_text.status_text(found)


def rejected(options: argparse.Namespace) -> Printed:
    """List an entry's rejected records by offset and reason, without any value."""
    from sluice.rejections import rejections

    with opened(options) as work:
        work.require_ledger(write=False)
        found = rejections(work, options.entry)
    return 0, found, cli_text.rejected_text(found)


def audit(options: argparse.Namespace) -> Printed:
    """Say what is lost, doubled or damaged of what came since the last audit, or of all; mends nothing."""
    from flows.cli_audit import audit_text, audited

    found = audited(options)
    return found["exit_code"], found, audit_text(found)


def coverage(options: argparse.Namespace) -> Printed:
    """Say how many predictions have their ground truth by now, how many wait, and which actuals match none."""
    from flows.cli_coverage import coverage_text
    from sluice.coverage import coverage_of

    with opened(options) as work:
        found = {"state": "done", **coverage_of(work, options.days).as_dict()}
    return 0, found, coverage_text(found)


def sweep(options: argparse.Namespace) -> Printed:
    """Let go of files that nobody needs, and of old ones of settled entries, as `keep` in the pipeline file says."""
    from sluice.sweep import let_go

    with opened(options) as work:
        work.require_ledger(write=False)
        swept = let_go(work, is_trial=options.dry_run)
    found = {"state": "done", "pipeline": work.pipeline.name, "dry_run": options.dry_run, "swept": swept}
    return 0, found, "\n".join(["would let go of:" if options.dry_run else "let go of:", *(swept or ["nothing"])])


def resolve(options: argparse.Namespace) -> Printed:
    """Give a person's word on a held entry, on the rows or the file of a part, on the space of what Arize refuses."""
    from flows.cli_resolve import resolved

    found = resolved(options)
    text = f"Entry {options.entry}: {options.verdict}."
    text += "" if found["state"] == "held" else f" Next: sluice run {options.file}"
    return _EXIT_CODES[found["state"]], found, text


def backfill(options: argparse.Namespace) -> Printed:
    """Show what a backfill of historical offsets would take; with --run, take it; with --cancel, let go of a claim."""
    from flows.cli_backfill import backfill_text, backfilled

    found = backfilled(options)
    return found.get("exit_code", 0), found, backfill_text(found)


def replay(options: argparse.Namespace) -> Printed:
    """Show what would go out once more of entries that were delivered, and where Arize counts twice; --run does it."""
    from flows.cli_replay import replay_text, replayed

    found = replayed(options)
    return found["exit_code"], found, replay_text(found)


def import_job(options: argparse.Namespace) -> Printed:
    """Show the import job that reads the pipeline's files; with --apply, --made or --next, change what is so."""
    from flows.cli_import_job import import_job_text, looked_at

    found = looked_at(options)
    return 0, found, import_job_text(found)


def automations(options: argparse.Namespace) -> Printed:
    """Have a Prefect server watch the runs: make its automations, or bring them up to date; says whom they tell."""
    from flows.cli_automations import automated, automations_text

    found = automated(options)
    return 0, found, automations_text(found)


def realign(options: argparse.Namespace) -> Printed:
    """Bring consumer group and ledger together again after somebody moved the group."""
    from sluice.realignment import realign_to_group, realign_to_ledger

    if (options.to == "group") != bool(options.reason):
        raise WrongUse("--reason goes with --to group, and only with it", "See: sluice realign --help")
    with opened(options) as work:
        work.require_ledger()
        standing = work.outlook.look(write=True)
        if options.to == "ledger":
            done = [f"{item.partition} {item.offset}" for item in realign_to_ledger(work, standing)]
        else:
            done = [str(item) for item in realign_to_group(work, standing, options.reason)]
    key = "group_set" if options.to == "ledger" else "skipped"
    found = {"state": "done", "pipeline": work.pipeline.name, "to": options.to, key: done}
    return 0, found, "\n".join([f"{key.replace('_', ' ')}:", *(done or ["nothing"])])


COMMANDS = {
    command.__name__.replace("_", "-"): command
    for command in (
        draft,
        check,
        preview,
        plan,
        run,
        backfill,
        replay,
        status,
        rejected,
        resolve,
        import_job,
        realign,
        coverage,
        audit,
        sweep,
        automations,
    )
}
