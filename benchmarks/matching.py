"""Matching: how long it takes to find the truth of millions of predictions, and in how much memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.digests import WINDOW, Scale, write_ids
from benchmarks.jobs.order import Order
from benchmarks.measuring import JobError, Taken, run
from benchmarks.rounds import Say, Trial, interleaved
from benchmarks.systems import ROOT, System
from benchmarks.tables import Table
from sluice.stores.directory import DirectoryStore

MATCH: Final = System(name="match", module="benchmarks.jobs.match", note="", writes=False)
_WAYS: Final = {
    "sluice": "All that a report says: classes by day, two kinds of delays, what leaves the window, offsets of what is "
    "unmatched. Digests sorted, found by a table of their first bits.",
    "streaming join": "polars, one semi-join of all files on 128 bits, a count a day; nothing else.",
    "buckets": "polars, the same for an eighth of all ids at a time.",
    "search": "polars, actuals sorted, `search_sorted` of each file of predictions, a count a day; nothing else.",
}
_MADE: Final = {
    "ids of predictions": "Staged rows in memory to the bytes of an id file.",
    "ids of actuals": "The same with what the row says: a label, a score, three tags.",
}


def matching_tables(directory: Path, events: int, *, rounds: int, warm: bool, say: Say) -> Sequence[Table]:
    """Measure at fifty times and at five times the events, in predictions; a fifth of these are actuals."""
    whole, part = (_scale(times * events) for times in (50, 5))
    stores = {scale: _written(directory, scale, say) for scale in (whole, part)}
    big = interleaved([_trial("sluice", whole, stores[whole])], rounds=rounds, warm=False, say=say)
    ways = interleaved([_trial(way, part, stores[part]) for way in _WAYS], rounds=rounds, warm=warm, say=say)
    one = _scale(10 * WINDOW)
    made = interleaved([_trial(way, one, directory) for way in _MADE], rounds=rounds, warm=warm, say=say)
    seconds = [f"{whole.predictions / rate:.1f}" for line in big for rate in line.rates]
    return [
        Table(title="Matching", what=_what(whole), lines=big, remarks=[f"- In seconds: {', '.join(seconds)}."]),
        Table(title="Ways to match", what=_what(part), lines=ways, beside="sluice"),
        Table(title="Ids of staged rows", what=f"files of {WINDOW:,} rows", lines=made),
    ]


def _scale(predictions: int) -> Scale:
    actuals = max(predictions // 5 // WINDOW, 1) * WINDOW
    return Scale(predictions=5 * actuals, actuals=actuals)


def _written(directory: Path, scale: Scale, say: Say) -> Path:
    say(f"making the ids of {scale.predictions:,} predictions and {scale.actuals:,} actuals")
    store = directory / f"ids-{scale.predictions}"
    write_ids(DirectoryStore(store), scale)
    return store


def _trial(way: str, scale: Scale, store: Path) -> Trial:
    extra = {"way": way, "store": str(store), "predictions": f"{scale.predictions}", "actuals": f"{scale.actuals}"}
    order = Order(servers="", topic="", ends=(scale.predictions,), output="", pipeline="", extra=extra)

    def go() -> Taken:
        taken = run(MATCH.command(order), cwd=ROOT)
        if taken.told["joined"] != scale.joined:
            raise JobError(f"{taken.told['joined']} predictions have their truth, not {scale.joined}")
        return taken

    note = (_WAYS | _MADE)[way]
    return Trial(name=way, note=note, records=scale.predictions, go=go)


def _what(scale: Scale) -> str:
    return f"{scale.predictions:,} predictions, {scale.actuals:,} actuals"
