"""Measure Sluice beside what else could be used. `make bench ARGS=--help` says how."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.checking import problem_of
from benchmarks.events import Events
from benchmarks.growth import Scale, backfill_table, growth_tables
from benchmarks.history import FILES, history_table
from benchmarks.into_arize import arize_tables
from benchmarks.jobs.order import Order
from benchmarks.machine import Meanwhile, machine_line
from benchmarks.matching import matching_tables
from benchmarks.paste import DOCS, pasted
from benchmarks.peers_venv import make
from benchmarks.pipeline import WINDOW
from benchmarks.rounds import from_kafka, interleaved, unchecked
from benchmarks.systems import LIMITS, ROOT, parquet_systems
from benchmarks.tables import Table
from benchmarks.targets import BEST_PEER, LOOP, at_least, peak, stages
from benchmarks.topic import Topic, fill
from deployments.local.kafka import running_kafka
from deployments.local.processes import unwinding_on_sigterm

RESULTS = ROOT / "benchmarks" / "results"
Measure = Callable[[argparse.Namespace, str, Path], Sequence[Table]]


def main() -> int:
    options = _options()
    machine, meanwhile = machine_line(), Meanwhile()
    said = f"Measured {_now():%Y-%m-%d} by `{_command(options)}` on {machine}."
    kept = RESULTS / f"{_now():%Y%m%dT%H%M%SZ}.md"
    tables: list[Table] = []
    with unwinding_on_sigterm(), ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-benchmarks-")))
        needs_kafka = set(options.what) != {"matching"}
        servers = stack.enter_context(running_kafka(directory / "kafka")).bootstrap_servers if needs_kafka else ""
        for name in options.what:
            tables += _MEASURES[name](options, servers, directory)
            _keep(kept, said, tables)  # an hour's numbers are not lost with its last minute
    report = _keep(kept, f"{said} {meanwhile.line()}", tables)
    print(f"\n{report}\nkept in {kept}")
    if options.paste:
        DOCS.write_text(pasted(DOCS.read_text(), [report]))
    return 1 if any(line.is_wrong for table in tables for line in table.lines) else 0


def say(words: str) -> None:
    print(words, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    tables = ["all", *_MEASURES]
    parser.add_argument("what", nargs="*", default="all", choices=tables, metavar="TABLE", help=", ".join(tables))
    parser.add_argument("--events", type=int, default=1_000_000, help="records of the topic (1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one that does not (5)")
    parser.add_argument("--quick", action="store_true", help="a small look: 40,000 events, one round, not warmed up")
    parser.add_argument("--paste", action="store_true", help="put what comes out into docs/benchmarks.md")
    options = parser.parse_args()
    if "all" in options.what:
        options.what = list(_MEASURES)
    if options.quick:
        options.events, options.rounds = 40_000, 1
    return options


def _command(options: argparse.Namespace) -> str:
    what = " ".join(options.what) if options.what != list(_MEASURES) else ""
    arguments = f"{what} --events {options.events} --rounds {options.rounds}".strip()
    return f'make bench ARGS="{arguments}"'


def _parquet(options: argparse.Namespace, servers: str, directory: Path) -> Sequence[Table]:
    topic = events_topic(servers, options.events)

    def every_row(order: Order) -> str:
        return problem_of(Path(order.output), topic.records)

    systems = parquet_systems(make(say))
    trials = [from_kafka(item, topic, check=every_row if item.writes else unchecked) for item in systems]
    lines = interleaved(trials, rounds=options.rounds, warm=not options.quick, say=say)
    what = f"{topic.records:,} events of {topic.mean_bytes:.0f} bytes, {len(topic.ends)} partitions"
    ours, loop, *peers = lines[: -len(LIMITS)]
    remarks = (
        *at_least("beside the loop", ours, [loop], LOOP),
        *at_least("beside the best peer", ours, peers, BEST_PEER),
        *peak(ours),
        *stages(ours),
    )
    return [Table(title="Kafka → Parquet", what=what, lines=lines, beside=loop.name, remarks=remarks)]


def _arize(options: argparse.Namespace, servers: str, directory: Path) -> Sequence[Table]:
    topic, window = events_topic(servers, options.events), events_topic(servers, min(WINDOW, options.events))
    warm = not options.quick
    return arize_tables(topic, window, directory, rounds=options.rounds, warm=warm, say=say)


def _growth(options: argparse.Namespace, servers: str, directory: Path) -> Sequence[Table]:
    return growth_tables(_scale(options, servers, directory))


def _backfill(options: argparse.Namespace, servers: str, directory: Path) -> Sequence[Table]:
    return [backfill_table(_scale(options, servers, directory))]


def _scale(options: argparse.Namespace, servers: str, directory: Path) -> Scale:
    return Scale(
        servers=servers,
        directory=directory,
        window=options.events // 10,
        longest_ledger=1_000 if options.quick else 100_000,
        rounds=options.rounds,
        say=say,
    )


def _history(options: argparse.Namespace, servers: str, directory: Path) -> Sequence[Table]:
    longest = FILES[0] if options.quick else FILES[-1]
    return [history_table(servers, directory, longest=longest, rounds=options.rounds, say=say)]


def _matching(options: argparse.Namespace, _: str, directory: Path) -> Sequence[Table]:
    return matching_tables(directory, options.events, rounds=options.rounds, warm=not options.quick, say=say)


def events_topic(servers: str, count: int) -> Topic:
    say(f"writing {count:,} events to Kafka")
    events = Events(now_ms=int(time.time() * 1000))
    return fill(servers, f"events-{uuid.uuid4().hex[:8]}", map(events.value, range(count)))


def _keep(file: Path, said: str, tables: Sequence[Table]) -> str:
    """Write a report, also as JSON beside it; return it."""
    report = "\n\n".join([said, *(table.markdown() for table in tables)]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    file.write_text(report)
    found = {"said": said, "tables": [table.as_dict() for table in tables]}
    file.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    return report


_MEASURES: Final[dict[str, Measure]] = {
    "parquet": _parquet,
    "arize": _arize,
    "growth": _growth,
    "backfill": _backfill,
    "history": _history,
    "matching": _matching,
}


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
