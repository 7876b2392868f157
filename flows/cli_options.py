"""What the commands of the command line take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.offsets import OffsetRange, Partition

if TYPE_CHECKING:
    from sluice.ledger.names import EntryName

_VERDICTS = (
    "deliver, redo, drop: of a held window; with --part, delivered: Arize has these rows, resend: it has not, "
    "drop: let go of them; readdress: of an entry that was sealed for the wrong space; redeliver: of one whose file "
    "Arize did not take, as another file"
)
_FILE = "a pipeline file, or the name of one in SLUICE_PIPELINES"
_JOB_CHANGES = {
    "apply": "bring the columns of the job to what the pipeline file says",
    "made": "a person made the job, and there is no developer key to find it by",
    "next": "leave the prefix of today behind for good: another one, and another job",
}
_WHAT = "the rows that were delivered, or the rejected records that pass by the pipeline file of today"
_SOURCES = (
    "the staged file; Kafka, which must give the same rows; or Kafka where the file is gone, which is the default"
)
_SIDES = "which side is right: ledger sets the group back or forward, group skips the ledger forward"
MOST_RECORDS = 10_000
Command = Callable[[argparse.Namespace], Any]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Build the parser of these commands, each described by its docstring; a parsed `command` is one of them."""
    found = argparse.ArgumentParser(
        prog="sluice",
        description="Load Kafka records into Arize AX in bounded windows, as scheduled Prefect flows.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use or a wrong file, 3 held for a person.",
    )
    subparsers = found.add_subparsers(required=True, metavar="COMMAND")
    for name, command in commands.items():
        added = subparsers.add_parser(name, help=command.__doc__, description=command.__doc__)
        if name not in _OF_ANOTHER_FILE:
            needed = "?" if name in _FILE_IS_OPTIONAL else None
            added.add_argument("file", metavar="FILE", nargs=needed, help=_FILE)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        added.add_argument("-v", "--verbose", action="store_true", help="log each step to standard error")
        added.set_defaults(command=command)
        for add in _OPTIONS.get(name, ()):
            add(added)
    return found


def _bounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-windows", type=_positive, help="windows to take at most")
    parser.add_argument("--until", type=_moment, help="only records from before this moment, such as 2026-01-31T00:00Z")


def _records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", dest="count", type=_count, default=100, help="records to look at: 100 if left out")


def _draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC", help="the topic whose events to learn from")
    parser.add_argument("-n", dest="count", type=_count, default=1000, help="records to look at: 1000 if left out")
    parser.add_argument("--name", help="the pipeline's name; made of the file's or the topic's if left out")
    parser.add_argument("--connection", default="default", help="the name of the Kafka connection: default if left out")
    parser.add_argument("--kind", choices=["predictions", "actuals"], help="what the events are; a guess if left out")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a new file, not to standard output")


def _trials(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connect", action="store_true", help="try broker, topics, group, store and Arize, too")
    parser.add_argument(
        "--deployments",
        nargs="?",
        const="prefect.yaml",
        metavar="PREFECT_YAML",
        help="instead of FILE: which pipeline files have no entry there (./prefect.yaml), with the lines to add",
    )


def _no_prefect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-prefect", action="store_true", help="run without a Prefect server: no artifacts")


def _entry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--entry", type=_name, required=True, help="the entry's number, or 12/3: see sluice status")


def _verdict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", type=int, help="the part's number, for a word on its rows")
    verdicts = ["deliver", "redo", "drop", "delivered", "resend", "readdress", "redeliver"]
    parser.add_argument("verdict", choices=verdicts, help=_VERDICTS)
    parser.add_argument("--reason", required=True, help="kept in the ledger for ever; no personal data")


def _job_changes(parser: argparse.ArgumentParser) -> None:
    changes = parser.add_mutually_exclusive_group()
    for name, does in _JOB_CHANGES.items():
        changes.add_argument(f"--{name}", dest="change", action="store_const", const=name, help=does)


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--full", action="store_true", help="all of the ledger, not only what is new; count needless files"
    )
    parser.add_argument("--deep", action="store_true", help="read each file that is looked at, too")
    parser.add_argument("--sweep", action="store_true", help="let go of needless files, unless an error was found")


def _coverage(parser: argparse.ArgumentParser) -> None:
    days = "how far back to look: policies.join_window_days, or a week behind coverage.after_days, if left out"
    parser.add_argument("--days", type=_days, help=days)


def _dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only list what would go")


def _side(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", choices=["ledger", "group"], required=True, help=_SIDES)
    parser.add_argument("--reason", help="needed with --to group: kept in the ledger for ever; no personal data")


def _automations(parser: argparse.ArgumentParser) -> None:
    own = "a file of automations: deployments/automations.yaml if left out"
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help=own)
    parser.add_argument("--notify", metavar="TYPE/NAME", help="the block that takes messages: slack-webhook/on-call")


def _backfill(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what", "a range of time, or offsets, or whatever the ledger misses")
    what.add_argument("--since", type=_moment, help="records from this moment on, such as 2026-01-31T00:00Z")
    what.add_argument("--until", type=_moment, help="records from before this moment")
    what.add_argument("--offsets", type=_range, action="append", metavar="RANGE", help="such as 'flights[0] 0..5000'")
    what.add_argument("--partition", type=_partition, action="append", help="only this one, such as 'flights[0]'")
    what.add_argument("--again", metavar="WHY", help="take what is in the ledger already once more, and why")
    to = parser.add_argument_group("where to")
    to.add_argument("--model", help="another model than the pipeline file's")
    to.add_argument("--version", help="this version of the model, for all rows")
    how = parser.add_argument_group("how")
    how.add_argument("--newest-first", action="store_true", help="the newest windows first")
    how.add_argument("--max-parallel", type=_positive, default=2, help="windows at once: 2 if left out")
    how.add_argument("--collect", action="store_true", help="go on when a window fails or is held")
    how.add_argument("--rows-per-second", type=float, help="rows that this run sends at most")
    how.add_argument("--reason", help="needed with --run: kept in the ledger for ever; no personal data")
    done = parser.add_mutually_exclusive_group()
    done.add_argument("--run", action="store_true", help="do it; without, only show what it would take")
    done.add_argument("--cancel", type=int, metavar="CLAIM", help="give up what nobody has sealed of a claim")
    _no_prefect(parser)


def _replay(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("--entry", type=_name, action="append", required=True, help="its number, or 12/3; several times")
    what.add_argument("--what", choices=["rows", "rejected"], default="rows", help=_WHAT)
    what.add_argument("--source", choices=["staged", "kafka", "either"], default="either", help=_SOURCES)
    what.add_argument("--take-differences", action="store_true", help="take the rows from Kafka though they are others")
    to = parser.add_argument_group("where to", "as the pipeline file says today, but for:")
    to.add_argument("--model", help="another model")
    to.add_argument("--version", help="this version of the model, for all rows")
    to.add_argument("--path", choices=["sdk", "object_store"], help="by the SDK, or as a file")
    to.add_argument("--count-twice", action="store_true", help="also where Arize has the rows and counts them twice")
    parser.add_argument("--reason", required=True, help="kept in the ledger for ever; no personal data")
    parser.add_argument("--run", action="store_true", help="do it; without, only show what would go")
    _no_prefect(parser)


def _range(text: str) -> OffsetRange:
    try:
        return OffsetRange.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no range of offsets: such as flights[0] 0..5000") from None


def _partition(text: str) -> Partition:
    return _range(f"{text} 0..0").partition


def _name(text: str) -> EntryName:
    from sluice.ledger.names import name_of  # here and not above: the ledger takes a while to import

    try:
        return name_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no entry: such as 12, or 12/3 of a backfill") from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of windows: 1 or more")
    return int(text)


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of days: 1 or more")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_RECORDS:
        raise argparse.ArgumentTypeError(f"{text} is no number of records: 1 to {MOST_RECORDS:,}")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no time: such as 2026-01-31T00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no time zone: add Z, or +01:00")
    return moment


_OF_ANOTHER_FILE = ("draft", "automations")
_FILE_IS_OPTIONAL = ("check",)
_OPTIONS = {
    "draft": [_draft],
    "preview": [_records],
    "check": [_trials],
    "import-job": [_job_changes],
    "plan": [_bounds],
    "run": [_bounds, _no_prefect],
    "backfill": [_backfill],
    "replay": [_replay],
    "rejected": [_entry],
    "resolve": [_entry, _verdict],
    "realign": [_side],
    "coverage": [_coverage],
    "audit": [_audit],
    "sweep": [_dry_run],
    "automations": [_automations],
}
