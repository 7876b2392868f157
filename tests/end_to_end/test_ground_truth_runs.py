"""Runs of actuals beside others: behind their predictions, two at once, and what was sent once more by a replay."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.end_to_end.bench import Bench
from tests.end_to_end.events import append
from tests.end_to_end.truths import Pair, prediction, topics, truth, write

# ── waiting

WAITS: dict[str, Any] = {"policies": {"max_rejected": {"share": "10%", "of_at_least": 5}}}


def left(pair: Pair, how: str) -> None:
    """Run the predictions so that all from offset 10 on is left."""
    bench, name = pair.bench, pair.flights
    if how == "killed":
        bench.killed(name, "part.delivered:3")  # the second window has two parts
    elif how == "limited":
        assert bench.run(name, "--max-windows", "1").code == 0
    else:
        assert bench.run(name).code == 3


@pytest.mark.parametrize("how", ["killed", "limited", "held"])
def test_actuals_that_wait_never_overtake_a_prediction(bench: Bench, how: str) -> None:
    predictions, actuals = topics(bench.servers)
    pair = Pair.of(bench, predictions, actuals, limits={"max_records": 10})
    bench.pipeline(pair.flights, predictions.topic, limits={"max_records": 10}, **WAITS)
    bench.actuals(pair.arrivals, actuals.topic, pair.flights, policies={"wait_for": pair.flights})
    began_ms = int(time.time() * 1000) - 100_000
    missing = {12, 13} if how == "held" else set()
    each = [b"{" if number in missing else prediction(number) for number in range(30)]
    append(predictions, 0, each, timestamp_ms=began_ms, every_ms=1000)
    append(actuals, 0, [truth(number) for number in range(30)], timestamp_ms=began_ms + 500, every_ms=1000)
    before = bench.finished(pair.arrivals)
    assert (before.found["windows"], pair.sent()) == ([], [])
    left(pair, how)
    first = bench.finished(pair.arrivals)
    assert pair.sent() == actuals.good_in(0, 0, 10)
    until = datetime.fromtimestamp(began_ms / 1000 + 10, UTC).isoformat(timespec="seconds")
    assert [words for words in first.lines if words[0] == "run.waits"] == [
        ["run.waits", f"of={pair.flights}", f"until={until}"]
    ]
    if how == "held":
        word = ("--entry", "2", "deliver", "--reason", "looked")
        assert bench.sluice("resolve", pair.flights, *word).code == 0
        assert bench.finished(pair.arrivals).found["windows"] == [], "a word is no delivery"
    bench.finished(pair.flights)
    bench.finished(pair.arrivals)
    pair.check()
    found = pair.agree({*range(30)} - missing, joined={*range(30)} - missing)
    assert (found["actuals"]["early"], found["actuals"]["unknown"]) == (0, len(missing))


# ── replay


WHY = ("--reason", "the model is new")


def replayed(pair: Pair, *arguments: str) -> Any:
    asked = ("--entry", "1", "--entry", "2", "--run")
    done = pair.bench.sluice("replay", pair.arrivals, *asked, *arguments)
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    return done.found


def test_a_replay_of_actuals_sends_what_was_sent_then_from_either_source(bench: Bench) -> None:
    predictions, actuals = topics(bench.servers)
    pair = Pair.of(bench, predictions, actuals, limits={"max_records": 5})
    write(predictions, [prediction(number) for number in range(8)])
    bench.finished(pair.flights)
    write(actuals, [truth(0), truth(1), truth(2)])
    write(actuals, [truth(0), truth(2)], kind="repeated")
    write(actuals, [truth(3)])
    write(actuals, [truth(1)], kind="repeated")
    write(actuals, [truth(1, 1)])
    bench.finished(pair.arrivals)
    for source in ("staged", "kafka"):
        model = f"{pair.flights}-{source}"
        items = replayed(pair, "--model", model, "--source", source, *WHY)["items"]
        assert [(item["source"], item["differences"]) for item in items] == [(source, None)] * 2
        assert [item["content_now"] for item in items] == [item["content_then"] for item in items]
        again = replayed(pair, "--model", model, "--source", source, *WHY)["items"]
        assert [item["went_out_as"] for item in again] == [item["goes_out_as"] for item in items]
        assert sorted(bench.arize.ids(model)) == actuals.good
    pair.check()
    pair.agree(range(8), joined=range(4))
    refused = bench.sluice("replay", pair.arrivals, "--entry", "1", *WHY, "--run")
    assert (refused.code, refused.found["error"]) == (2, "CountsTwice")
    assert "Arize has 3 of the 3 rows" in refused.said
    for times, source in ((2, "staged"), (3, "kafka")):
        replayed(pair, "--count-twice", "--source", source, "--reason", f"lost there, {source}")
        assert pair.sent() == sorted(actuals.good * times)
    books = bench.books(pair.arrivals)
    books.audit(actuals)
    books.audit_delivered()
    pair.audited()
    found = pair.agree(range(8), joined=range(4))
    assert found["actuals"]["sent"] == 3 * len(actuals.good)


# ── two runs at once

STEPS = (
    "run.waits:1",
    "window.read:1",
    "window.staged:1",
    "window.sealed:1",
    "delivery.accepted:1",
    "part.delivered:1",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_stands_still_while_another_does_everything_sends_nothing_twice(bench: Bench, step: str) -> None:
    predictions, actuals = topics(bench.servers)
    pair = Pair.of(bench, predictions, actuals, limits={"max_records": 4})
    bench.actuals(
        pair.arrivals, actuals.topic, pair.flights,
        policies={"wait_for": pair.flights}, limits={"max_records": 4, "parallel_windows": 1},
    )  # fmt: skip
    write(predictions, [prediction(number) for number in range(8)])
    write(actuals, [truth(0), truth(1), truth(2)])
    write(actuals, [truth(1)], kind="repeated")
    write(actuals, [truth(3), truth(1, 1)])
    write(actuals, [truth(2), truth(3)], kind="repeated")
    bench.finished(pair.flights)
    slow = bench.start("run", pair.arrivals, pause=step)
    slow.until_it_stops()
    bench.finished(pair.arrivals)
    slow.go_on()
    late = slow.done()
    assert (late.code, late.said) == (0, "")
    pair.check()
    pair.agree(range(8), joined=range(4))


def test_of_two_runs_that_read_the_same_actual_one_sends_it(bench: Bench) -> None:
    """Each on a partition of its own; who seals last decides once more, by what the other one sealed."""
    predictions, actuals = topics(bench.servers, 2)
    pair = Pair.of(bench, predictions, actuals)
    write(predictions, [prediction(number) for number in range(4)])
    bench.finished(pair.flights)
    bench.finished(pair.arrivals)
    append(actuals, 0, [truth(0)])
    append(actuals, 0, [truth(1)], kind="repeated")
    append(actuals, 1, [truth(1), truth(3)])

    def only(partition: int) -> str:
        kafka = {"kafka": {"partitions": [partition]}}
        return bench.actuals(pair.arrivals, actuals.topic, pair.flights, source=kafka)

    slow = bench.start("run", only(0), pause="window.staged:1")
    slow.until_it_stops()
    bench.finished(only(1))
    slow.go_on()
    done = slow.done()
    assert (done.code, done.said) == (0, "")
    assert "ledger.taken" in done.steps
    bench.actuals(pair.arrivals, actuals.topic, pair.flights)
    pair.check()
    pair.agree(range(4), joined=[0, 1, 3])
