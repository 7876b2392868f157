"""Ground truth on real parts: two pipelines, by both paths; ours and the stand-in's own join agree to the id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.end_to_end.bench import IMPORT, Bench
from tests.end_to_end.events import Written, append, topic
from tests.end_to_end.truths import Pair, a_second_later, day_of, id_of, prediction, topics, truth, write

TEN = {"limits": {"max_records": 10}}


@pytest.mark.parametrize(("where", "changed"), [("bench", TEN), ("imports", {**IMPORT, **TEN})])
def test_truth_that_comes_early_in_time_twice_corrected_or_for_nobody_is_joined_as_arize_does(
    request: pytest.FixtureRequest, where: str, changed: dict[str, Any]
) -> None:
    bench: Bench = request.getfixturevalue(where)
    predictions, actuals = topics(bench.servers, 2)
    pair = Pair.of(bench, predictions, actuals, **changed)
    numbers = range(40)
    write(predictions, [prediction(number) for number in numbers])
    write(actuals, [truth(number) for number in (30, 31, 32, 33, 900, 901)])
    bench.finished(pair.arrivals)
    a_second_later()
    bench.finished(pair.flights)
    write(actuals, [truth(number) for number in range(12)])
    write(actuals, [truth(10), truth(31, hours=3)], kind="repeated")
    write(actuals, [truth(12), truth(12, 1), truth(13), truth(13, 1), truth(13), truth(32, 1)])
    write(actuals, [truth(14, hours=24 * 150)])
    at = actuals.ends[1]
    append(actuals, 1, [json.dumps({**truth(15), "id": 15}).encode(), None])
    bench.finished(pair.arrivals)
    (entry,) = [number for number, item in bench.books(pair.arrivals).sealed.items() if "rejected" in item]
    (rejected,) = bench.sluice("rejected", pair.arrivals, "--entry", str(entry)).found["records"]
    assert (rejected["partition"], rejected["offset"], rejected["reason"]) == (1, at, "id: expected string")
    write(actuals, [truth(number) for number in (0, 1, 2, 11)], kind="repeated")
    write(actuals, [truth(16)])
    bench.finished(pair.arrivals)
    pair.check()
    pair.audited()
    joined = [*range(15), 16, 32]
    found = pair.agree(numbers, joined=joined, early=[30, 31, 33])
    assert found["actuals"]["unknown"] == 2
    assert (found["total"]["repeated"], found["total"]["corrected"]) == (7, 3), "13 was said again after another truth"
    assert found["days"][day_of(14)]["event_delays"]["p50_s"] // 86_400 == 150


# ── corrections


@pytest.fixture
def corrected(bench: Bench) -> Callable[[str], Pair]:
    """Predictions 0 to 5 and the truth of 0 to 3, delivered; and a window that corrects 1 and 2, and says 3 and 4."""

    def pair_of(corrections: str) -> Pair:
        predictions, actuals = topics(bench.servers)
        pair = Pair.of(bench, predictions, actuals, policies={"corrections": corrections})
        write(predictions, [prediction(number) for number in range(6)])
        bench.finished(pair.flights)
        write(actuals, [truth(number) for number in range(4)])
        bench.finished(pair.arrivals)
        write(actuals, [truth(1, 1), truth(2, 1)], kind="rejected" if corrections == "reject" else "")
        write(actuals, [truth(3)], kind="repeated")
        write(actuals, [truth(4)])
        return pair

    return pair_of


def said(pair: Pair, number: int) -> list[float]:
    """What the stand-in was told of an id, in order."""
    rows = pair.bench.arize.rows(pair.flights, id=id_of(number), kind="actuals")
    return [row["actual_score"] for row in rows]


def test_a_correction_that_is_rejected_is_counted_and_kept_and_goes_out_when_a_person_says_so(
    corrected: Callable[[str], Pair], bench: Bench
) -> None:
    pair = corrected("reject")
    bench.finished(pair.arrivals)
    pair.check()
    pair.agree(range(6), joined=range(5))
    assert (said(pair, 1), said(pair, 2)) == ([0.0], [0.0])
    records = bench.sluice("rejected", pair.arrivals, "--entry", "2").found["records"]
    assert [(item["offset"], "says otherwise" in item["reason"]) for item in records] == [(4, True), (5, True)]
    bench.actuals(pair.arrivals, pair.actuals.topic, pair.flights, policies={"corrections": "send"})
    replay = ("replay", pair.arrivals, "--entry", "2", "--what", "rejected", "--reason", "they are right", "--run")
    done = bench.sluice(*replay)
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    assert (said(pair, 1), said(pair, 2)) == ([0.0, 1.0], [0.0, 1.0])
    bench.books(pair.arrivals).audit()
    pair.audited()
    found = pair.agree(range(6), joined=range(5))
    assert found["total"]["corrected"] == 2


@pytest.mark.parametrize(
    ("verdict", "joined", "first"),
    [
        ("deliver", range(5), [0.0, 1.0]),
        ("drop", range(4), [0.0]),
        ("redo by send", range(5), [0.0, 1.0]),
        ("redo by reject", range(5), [0.0]),
    ],
)
def test_a_correction_holds_its_window_until_a_person_has_looked(
    corrected: Callable[[str], Pair], bench: Bench, verdict: str, joined: Sequence[int], first: list[float]
) -> None:
    pair = corrected("hold")
    held = bench.run(pair.arrivals)
    assert (held.code, held.found["state"]) == (3, "held")
    assert f"policies.corrections is hold: {pair.actuals.topic}[0] 4, {pair.actuals.topic}[0] 5" in held.said
    assert pair.sent() == pair.actuals.good_in(0, 0, 4)
    verb, _, by = verdict.partition(" by ")
    bench.actuals(pair.arrivals, pair.actuals.topic, pair.flights, policies={"corrections": by or "hold"})
    word = ("--entry", "2", verb, "--reason", "asked the producer")
    assert bench.sluice("resolve", pair.arrivals, *word).code == 0
    write(pair.actuals, [truth(5)])
    write(pair.actuals, [truth(0)], kind="repeated")
    bench.finished(pair.arrivals)
    pair.check_ledgers()
    pair.audited()
    assert (said(pair, 1), said(pair, 3), said(pair, 5)) == (first, [0.0], [0.0])
    pair.agree(range(6), joined=[*joined, 5])


# ── predictions that come later


def test_truth_that_was_there_before_a_backfill_of_its_predictions_is_early(bench: Bench) -> None:
    predictions, actuals = topics(bench.servers, 2)
    pair = Pair.of(bench, predictions, actuals)
    write(predictions, [prediction(number) for number in range(8)])
    bench.pipeline(pair.flights, predictions.topic, source={"kafka": {"start": "latest"}})
    bench.finished(pair.flights)
    write(predictions, [prediction(number) for number in range(8, 12)])
    bench.finished(pair.flights)
    write(actuals, [truth(number) for number in (0, 1, 2, 8)])
    bench.finished(pair.arrivals)
    pair.agree(range(8, 12), joined=[8])
    a_second_later()
    done = bench.sluice("backfill", pair.flights, "--reason", "they were left out", "--run")
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    write(actuals, [truth(1, 1), truth(3), truth(9)])
    write(actuals, [truth(2)], kind="repeated")
    bench.finished(pair.arrivals)
    pair.check()
    found = pair.agree(range(12), joined=[1, 3, 8, 9], early=[0, 2])
    assert (found["actuals"]["early"], found["actuals"]["unknown"]) == (3, 0)


def test_truth_that_is_taken_by_a_backfill_is_joined_and_what_was_said_since_is_not_said_again(bench: Bench) -> None:
    predictions, actuals = topics(bench.servers)
    late: dict[str, Any] = {"source": {"kafka": {"start": "latest"}}, "limits": {"max_records": 4}}
    pair = Pair.of(bench, predictions, actuals, **late)
    bench.pipeline(pair.flights, predictions.topic)
    write(predictions, [prediction(number) for number in range(10)])
    bench.finished(pair.flights)
    write(actuals, [truth(number) for number in (0, 1, 2, 3)])
    write(actuals, [truth(8)], kind="repeated")
    write(actuals, [truth(4), truth(5)])
    bench.finished(pair.arrivals)
    write(actuals, [truth(8), truth(9)])
    bench.finished(pair.arrivals)
    assert pair.sent() == [id_of(8), id_of(9)]
    asked = ("backfill", pair.arrivals, "--reason", "they were left out", "--run")
    bench.killed(pair.arrivals, "slot.sealed:1", *asked[2:], verb="backfill")
    done = bench.sluice(*asked)
    assert (done.code, done.found["state"]) == (0, "done"), done.err
    pair.check()
    pair.audited()
    pair.agree(range(10), joined=[0, 1, 2, 3, 4, 5, 8, 9])


# ── both kinds at once


def test_a_topic_that_carries_both_is_two_pipelines_each_of_which_takes_its_own(bench: Bench) -> None:
    predictions = topic(bench.servers, partitions=2)
    actuals = replace(predictions, classes={0: [], 1: []}, ids={}, versions={})
    pair = Pair.of(bench, predictions, actuals, when={"field": "kind", "equals": "actual"})
    bench.pipeline(pair.flights, predictions.topic, when={"field": "kind", "equals": "prediction"})

    def put(mine: Written, name: str, values: Iterable[dict[str, Any]], kind: str = "") -> None:
        """Write what is one pipeline's, and is filtered by the other."""
        write(mine, [{**value, "kind": name} for value in values], kind)
        other = actuals if mine is predictions else predictions
        for number, end in mine.ends.items():
            other.classes[number] += ["filtered"] * (end - other.ends[number])

    put(predictions, "prediction", [prediction(number) for number in range(8)])
    put(actuals, "actual", [truth(number) for number in range(4)])
    bench.finished(pair.flights)
    bench.finished(pair.arrivals)
    put(actuals, "actual", [truth(0), truth(3)], "repeated")
    put(predictions, "prediction", [prediction(number) for number in range(8, 10)])
    put(actuals, "actual", [truth(8)])
    bench.finished(pair.flights)
    bench.finished(pair.arrivals)
    pair.check()
    pair.agree(range(10), joined=[0, 1, 2, 3, 8])


def test_a_prediction_that_brings_its_truth_along_is_complete(bench: Bench) -> None:
    predictions, actuals = topics(bench.servers)
    pair = Pair.of(bench, predictions, actuals)
    bench.pipeline(pair.flights, predictions.topic, map={"actual": {"label": "truth"}})
    write(predictions, [prediction(number, truth=truth(number)["label"]) for number in range(4)])
    write(predictions, [prediction(number) for number in range(4, 8)])
    bench.finished(pair.flights)
    write(actuals, [truth(number) for number in (3, 4, 5)])
    bench.finished(pair.arrivals)
    pair.check_ledgers()
    assert pair.sent() == actuals.good
    pair.agree(range(8), complete=range(4), joined=[4, 5], joined_besides=[3])
