"""The command `replay`: what would go out once more; with --run it does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli_opening import loaded, settings
from flows.cli_prefect import empty_report, is_recorded, result_of
from flows.cli_text import window_text
from sluice.errors import SluiceError
from sluice.words import counted

if TYPE_CHECKING:  # what a command needs is imported when it runs: `check` answers in a quarter of a second
    from collections.abc import Iterator, Mapping

    from sluice.replay.request import Request


def replayed(options: argparse.Namespace) -> dict[str, Any]:
    """Plan or run a replay, and return what is to be told of it."""
    return _run_with_prefect(options) if options.run and is_recorded(options) else _bare(options)


def _bare(options: argparse.Namespace) -> dict[str, Any]:
    """Plan or run by the library's own verbs: no server, no artifacts; the ledger is the same."""
    from sluice.opening import opened_run
    from sluice.replay.report import ReplayReport
    from sluice.replay.story import replay
    from sluice.replay.work import Replay

    request, empty = _request(options), empty_report(options)
    report = ReplayReport(run=empty, is_trial=not options.run)
    try:
        request.check()
        with opened_run(request.aimed(loaded(options)), settings(), empty.run_id) as run:
            run.require_ledger(write=options.run)
            work, report = Replay(run, request), ReplayReport(run=run.report())
            report = replay(work, report) if options.run else work.plan(report)
    except SluiceError as error:
        report = report.ended_by(error)
    return report.as_dict()


def _run_with_prefect(options: argparse.Namespace) -> dict[str, Any]:
    from flows import replay as flow
    from sluice.replay.report import ReplayReport

    def start() -> Any:
        return flow.replay(
            options.file,
            entries=[str(name) for name in options.entry],
            dry_run=False,
            reason=options.reason,
            what=options.what,
            source=options.source,
            model=options.model,
            version=options.version,
            path=options.path,
            count_twice=options.count_twice,
            take_differences=options.take_differences,
            return_state=True,
        )

    return result_of(start, flow.last_report, ReplayReport(run=empty_report(options)))


def replay_text(found: Mapping[str, Any]) -> str:
    named = len(found["items"])
    lines = [f"{found['pipeline']}: {found['state']}, {named:,} {'entry' if named == 1 else 'entries'} named"]
    for item in found["items"]:
        lines += [f"entry {item['entry']}: {words}" for words in _words(item, is_trial=found["dry_run"])]
    lines += [window_text(window) for window in found["windows"]]
    if found["dry_run"] and any(item["goes_out_as"] or (item["source"] and item["rows"]) for item in found["items"]):
        lines.append("Nothing was written. To do it: --run")
    return "\n".join(lines + list(found["notes"]))


def _words(item: Mapping[str, Any], *, is_trial: bool) -> Iterator[str]:
    if item["went_out_as"]:
        yield f"went out before, as entry {_listed(item['went_out_as'])}"
    if item["rejected"]:
        told = item["rejected"]
        elsewhere = f"{told['taken_again']:,} are in a later backfill, " if told["taken_again"] else ""
        yield (
            f"{counted(told['rejected'], 'rejected record')}: {told['redeemed_before']:,} went out before, {elsewhere}"
            f"{told['redeemed']:,} pass now, {told['still_rejected']:,} do not"
        )
    if item["source"] and item["rows"]:
        yield _where(item)
    if item["counted_twice"]:
        so = "would count them twice: only with --count-twice" if is_trial else "counts them twice"
        yield f"Arize has {item['counted_twice']:,} of these rows there, and {so}"
    if item["differences"]:
        yield "not the rows that were delivered; --json says where they differ"
    if item["goes_out_as"]:
        yield f"goes out as entry {_listed(item['goes_out_as'])}"
    if item["problem"]:
        yield f"{item['problem']['error']}: {item['problem']['message']}"
    elif not item["rows"] and not item["rejected"]:
        yield "nothing to bring out"


def _where(item: Mapping[str, Any]) -> str:
    from sluice.replay.report import SOURCES

    version, source = f", version {item['version']}" if item["version"] else "", SOURCES[item["source"]]
    return f"{counted(item['rows'], 'row')} to the model {item['model']}{version}, by {item['path']}, from {source}"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _request(options: argparse.Namespace) -> Request:
    from sluice.replay.request import Request

    return Request(
        entries=tuple(options.entry),
        what=options.what,
        source=options.source,
        model=options.model,
        version=options.version,
        path=options.path,
        count_twice=options.count_twice,
        take_differences=options.take_differences,
        reason=options.reason,
    )
