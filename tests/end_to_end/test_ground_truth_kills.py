"""`kill -9` at each step of a run of actuals: nothing lost, nothing twice but what is named, repeats sent once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.bench import IMPORT, Bench, Done
from tests.end_to_end.books import Name
from tests.end_to_end.events import Written, append
from tests.end_to_end.truths import Pair, prediction, topics, truth, write

AT_ONCE = 4
TEN: dict[str, Any] = {"limits": {"max_records": 10}}
# What a run meets that waits for its predictions and seals three windows, of one part each; how often, before it is
# killed: mostly at the second one, of which some rows are not sent.
PLAIN = (
    *("run.waits:1", "ledger.begun:1", "group.mended:1", "run.planned:1", "window.read:2"),
    *("ids.made:1", "ids.made:2", "window.staged:2", "window.sealed:2", "window.sealed:3"),
    *("delivery.intended:2", "delivery.answered_accepted:2", "delivery.accepted:2", "part.delivered:2"),
    *("group.committing:2", "group.committed:2", "run.recorded:1"),
)
# What it meets besides when Arize fails once, and how.
FAULTS: Mapping[str, dict[str, Any]] = {
    "delivery.answered_refused:1": {"kind": "status", "status": 429},
    "delivery.refused:1": {"kind": "status", "status": 429},
    "delivery.answered_unknown:1": {"kind": "store_then_drop"},
    "delivery.ambiguous:1": {"kind": "store_then_drop"},
}
OF_FILES = (
    *("ids.made:2", "import.begun:1", "window.sealed:2", "part.put:2", "part.placed:2"),
    *("part.settled:1", "group.committing:1"),
)
NUMBERS = range(16)
JOINED = [*range(14)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A pipeline of actuals whose run was killed, and run again.

    Attributes:
        sealed: the entries that there were at the kill, as they were then.
        unknown: the parts that had a send without a known outcome then.
    """

    pair: Pair
    killed: Done
    sealed: list[dict[str, Any]]
    unknown: list[tuple[Name, int]]
    after: Done


Stories = Mapping[str, "Future[Story]"]


@pytest.fixture(scope="module")
def sides(bench: Bench) -> tuple[Written, Written]:
    """Predictions, and three windows of their actuals."""
    predictions, actuals = topics(bench.servers)
    write(predictions, [prediction(number) for number in NUMBERS])
    write(actuals, [truth(number) for number in range(6)])
    write(actuals, [truth(0)], kind="repeated")
    append(actuals, 0, [None, b"{", truth(6)])
    # Of the first window 1 is corrected, and 2 said again; of this one 7.
    write(actuals, [truth(1, 1), truth(7), truth(8)])
    write(actuals, [truth(2), truth(7)], kind="repeated")
    write(actuals, [truth(900), *(truth(number) for number in range(9, 13))])
    # What corrected 1 is said again, and then taken back.
    write(actuals, [truth(1, 1), truth(2), truth(7)], kind="repeated")
    write(actuals, [truth(1), truth(13)])
    write(actuals, [truth(1), truth(13), truth(900)], kind="repeated")
    return predictions, actuals


def pair_of(bench: Bench, sides: tuple[Written, Written], **changed: Any) -> Pair:
    """A pair of its own, whose predictions are delivered; the actuals wait for them."""
    pair = Pair.of(bench, *sides, **TEN)
    bench.actuals(
        pair.arrivals, pair.actuals.topic, pair.flights, **{**changed, "policies": {"wait_for": pair.flights}}
    )
    bench.finished(pair.flights)
    return pair


def told(bench: Bench, sides: tuple[Written, Written], at: str, changed: Mapping[str, Any]) -> Story:
    pair = pair_of(bench, sides, **changed)
    if fault := FAULTS.get(at):
        bench.arize.script(**fault, model=pair.flights)
    killed = bench.killed(pair.arrivals, at)
    books = bench.books(pair.arrivals)
    by_sdk = "arize" not in changed  # a file whose status nobody has asked for yet is in no doubt
    unknown = [part for part, tries in books.every_outcome().items() if by_sdk and "unknown" in tries]
    sealed = list(books.entries)
    after = bench.finished(pair.arrivals)
    return Story(pair=pair, killed=killed, sealed=sealed, unknown=unknown, after=after)


@pytest.fixture(scope="module")
def stories(bench: Bench, imports: Bench, sides: tuple[Written, Written]) -> Iterator[Stories]:
    """All of them, some side by side; those that wait for a dead sender's time come first."""
    files = {**IMPORT, "limits": {**IMPORT["limits"], **TEN["limits"]}}
    every = {f"sdk {at}": (bench, at, TEN) for at in [*PLAIN, *FAULTS]}
    every |= {f"file {at}": (imports, at, files) for at in OF_FILES}
    slow_first = sorted(every, key=lambda what: not re.search("intended|answered|begun", what))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {what: pool.submit(told, every[what][0], sides, *every[what][1:]) for what in slow_first}


@pytest.mark.parametrize("at", [*(f"sdk {at}" for at in [*PLAIN, *FAULTS]), *(f"file {at}" for at in OF_FILES)])
def test_what_a_killed_run_of_actuals_began_the_next_one_finishes(stories: Stories, at: str) -> None:
    story = stories[at].result()
    pair, bench = story.pair, story.pair.bench
    pair.check_ledgers()
    assert bench.books(pair.arrivals).entries[: len(story.sealed)] == story.sealed
    again = twice(story)
    assert pair.sent() == sorted([*pair.actuals.good, *again])
    check_names(story)
    found = pair.agree(NUMBERS, joined=JOINED, twice=again)
    assert (found["total"]["repeated"], found["total"]["corrected"]) == (5, 1)


def check_names(story: Story) -> None:
    """What was sent again is named by the log, by `status`, and in the ledger for ever."""
    bench, name = story.pair.bench, story.pair.arrivals
    assert bench.doubted(name) == story.unknown
    named = [words[1:3] for words in story.after.lines if words[0] == "delivery.ambiguous"]
    assert named == [[f"entry={number}", f"part={part}"] for number, part in story.unknown]


def twice(story: Story) -> list[str]:
    """The ids of the part that may have arrived twice, and did, whole."""
    last, sent = story.killed.steps[-1], Counter(story.pair.sent())
    again = []
    for number, _ in story.unknown:
        assert isinstance(number, int)
        ids = story.pair.actuals.good_of(story.sealed[number])
        again += ids if sent[ids[0]] > Counter(story.pair.actuals.good)[ids[0]] else []
    if last in ("delivery.answered_accepted", "delivery.answered_unknown", "delivery.ambiguous"):
        assert again
    if last in ("delivery.intended", "delivery.answered_refused"):
        assert again == []
    return again


def test_a_run_of_actuals_is_killed_at_each_step_that_it_logs(
    bench: Bench, sides: tuple[Written, Written], stories: Stories
) -> None:
    pair = pair_of(bench, sides, **TEN)
    plain = bench.finished(pair.arrivals)
    assert {at.split(":")[0] for at in PLAIN} == set(plain.steps)
    assert len(stories) == len(PLAIN) + len(FAULTS) + len(OF_FILES)


def test_a_coverage_that_is_killed_is_told_anew(bench: Bench, sides: tuple[Written, Written]) -> None:
    pair = pair_of(bench, sides, **TEN)
    bench.finished(pair.arrivals)
    bench.killed(pair.arrivals, "ids.made:1", verb="coverage")
    bench.killed(pair.arrivals, "coverage.told:1", verb="coverage")
    assert "ids.made" not in bench.sluice("coverage", pair.arrivals).steps
    pair.agree(NUMBERS, joined=JOINED)
    pair.check()
