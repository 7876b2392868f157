"""The command `backfill`: what it would take; with --run it takes it, with --cancel it lets go of what is left."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli_opening import settings
from flows.cli_prefect import empty_report, is_recorded, result_of
from flows.cli_text import table, window_text
from sluice.errors import SluiceError, WrongUse
from sluice.words import counted

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sluice.backfill.work import Backfill
    from sluice.run import Run

_SHOWN = 20


def backfilled(options: argparse.Namespace) -> dict[str, Any]:
    """Plan, run or cancel a backfill, and return what is to be told of it."""
    if options.cancel:
        return _cancelled(options)
    if not options.run:
        return _planned(options)
    if not options.reason:
        raise WrongUse("A backfill is kept in the ledger, with its reason", "Add --reason")
    return _run_with_prefect(options) if is_recorded(options) else _run_bare(options)


def backfill_text(found: Mapping[str, Any]) -> str:
    if "voided" in found:
        return f"{counted(found['voided'], 'window')} given up; what was sealed is delivered by the next start"
    return _plan_text(found) if "left_out" in found else _report_text(found)


def _planned(options: argparse.Namespace) -> dict[str, Any]:
    from sluice.backfill.estimate import described

    with _opened(options, "cli") as (run, work):
        return described(run, work.plan(write=False))


def _run_bare(options: argparse.Namespace) -> dict[str, Any]:
    """Run by the library's own verbs: no server, no artifacts; the ledger is the same."""
    from sluice.backfill.report import BackfillReport
    from sluice.backfill.story import backfill

    empty = empty_report(options)
    report = BackfillReport(run=empty)
    try:
        with _opened(options, empty.run_id) as (run, work):
            report = BackfillReport(run=run.report())
            report = backfill(work, report, max_parallel=options.max_parallel, stop_at_failure=not options.collect)
    except SluiceError as error:
        report = report.ended_by(error)
    return report.as_dict()


def _run_with_prefect(options: argparse.Namespace) -> dict[str, Any]:
    from flows import backfill as flow
    from sluice.backfill.report import BackfillReport

    def start() -> Any:
        return flow.backfill(
            options.file,
            since=options.since,
            until=options.until,
            offsets=[str(item) for item in options.offsets or ()],
            partitions=[str(item) for item in options.partition or ()],
            dry_run=False,
            reason=options.reason,
            order="newest first" if options.newest_first else "oldest first",
            on_failure="go on" if options.collect else "stop",
            max_parallel=options.max_parallel,
            rows_per_second=options.rows_per_second,
            again=options.again or "",
            model=options.model,
            version=options.version,
            return_state=True,
        )

    return result_of(start, flow.last_report, BackfillReport(run=empty_report(options)))


def _cancelled(options: argparse.Namespace) -> dict[str, Any]:
    with _opened(options, "cli") as (run, work):
        run.require_ledger()
        voided = work.cancel([options.cancel])
    return {"state": "done", "pipeline": options.file, "claim": options.cancel, "voided": voided}


def _opened(options: argparse.Namespace, run_id: str) -> AbstractContextManager[tuple[Run, Backfill]]:
    from flows.backfill_opening import Terms, opened_backfill
    from sluice.backfill.request import Request

    request = Request(
        since=options.since,
        until=options.until,
        offsets=tuple(options.offsets or ()),
        partitions=tuple(options.partition or ()),
        again=options.again or "",
        model=options.model,
        version=options.version,
    )
    terms = Terms(
        reason=options.reason or "",
        newest_first=options.newest_first,
        stop_at_failure=not options.collect,
        max_parallel=options.max_parallel,
        rows_per_second=options.rows_per_second,
    )
    return opened_backfill(options.file, request, terms, settings(), run_id)


def _plan_text(found: Mapping[str, Any]) -> str:
    from sluice.backfill.claiming import REASONS

    windows = found["windows"]
    lines = [f"{counted(len(windows), 'window')}, {found['offsets']:,} offsets, for the model {found['model']}"]
    lines += [f"goes on with claim {', '.join(map(str, found['claims']))}"] if found["claims"] else []
    lines += [table(("window", "ranges"), list(enumerate(windows[:_SHOWN])))] if windows else []
    lines += [f"and {len(windows) - _SHOWN:,} more; --json lists all"] if len(windows) > _SHOWN else []
    for why, ranges in found["left_out"].items():
        more = f" and {len(ranges) - _SHOWN:,} more" if len(ranges) > _SHOWN else ""
        lines.append(f"left out, {REASONS[why]}: {', '.join(ranges[:_SHOWN])}{more}")
    if found["counted_twice"]:
        lines.append(f"Arize would count up to {found['counted_twice']:,} rows twice; not with --model or --version")
    if found["may_expire"]:
        lines.append(f"Kafka may delete up to {found['may_expire']:,} of them before they are read")
    told = [f"{found[name]:,} {name}" for name in ("bytes", "seconds") if found[name] is not None]
    told.append(f"{found['peak_memory_mib']:,} MiB of memory at most")
    lines.append(f"Estimated: {', '.join(told)}")
    return "\n".join([*lines, "Nothing was read or written. To do it: --run --reason …"])


def _report_text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['pipeline']}: {found['state']}, {counted(len(found['windows']), 'window')} in hand"]
    lines += [window_text(window) for window in found["windows"]]
    lines += [f"failed: {item['slot']} ({item['ranges']}): {item['error']}" for item in found["failed"]]
    lines += [f"{found['offsets_left']:,} offsets are claimed and not sealed"] if found["offsets_left"] else []
    return "\n".join(lines + list(found["notes"]))
