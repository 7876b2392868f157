"""Two runs of one pipeline at once: whatever each does when, every offset is in one entry, every row arrives once."""

from __future__ import annotations

import re

import pytest

from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import Written, append, event, group_positions, topic

ENOUGH_S = 60.0


def check(bench: Bench, name: str, written: Written) -> None:
    """Everything once, each boundary decided once, and nothing left to do but to fix the group, if it went back."""
    assert bench.finished(name).found["windows"] == []
    assert bench.ids(name) == written.good
    books = bench.books(name)
    books.audit(written)
    books.audit_delivered()
    assert books.positions == {(written.topic, number): end for number, end in written.ends.items()}
    assert group_positions(name, written) == written.ends


STEPS = (
    *("ledger.begun:1", "run.planned:1", "window.read:1", "window.staged:1", "window.sealed:1"),
    *("delivery.accepted:1", "part.delivered:1", "part.delivered:2", "group.committing:1", "group.committed:1"),
)
ON_S3 = ("ledger.begun:1", "window.staged:1", "delivery.accepted:1", "group.committing:1")


@pytest.mark.parametrize(
    ("where", "step"), [*(("bench", step) for step in STEPS), *(("bench_on_s3", step) for step in ON_S3)]
)
def test_a_run_that_stands_still_while_another_does_everything_does_nothing_twice(
    request: pytest.FixtureRequest, flights: Written, where: str, step: str
) -> None:
    bench: Bench = request.getfixturevalue(where)
    name = bench.pipeline(re.sub(r"[^a-z0-9]", "-", f"two-{where}-{step}"), flights.topic)
    slow = bench.start("run", name, pause=step)
    slow.until_it_stops()
    bench.finished(name)
    sent = bench.sends(name)
    slow.go_on()
    late = slow.done()
    assert (late.code, late.said) == (0, "")
    assert bench.sends(name) == sent
    check(bench, name, flights)


def test_who_finds_the_same_window_sealed_takes_it_for_done(bench: Bench, flights: Written) -> None:
    name = bench.pipeline("two-same", flights.topic)
    slow = bench.start("run", name, pause="window.staged:1")
    slow.until_it_stops()
    bench.finished(name)
    slow.go_on()
    late = slow.done()
    assert {"ledger.taken", "window.sealed_by_another"} <= set(late.steps)
    receipts = {item["part"]: (item["rows"], item["sent_here"]) for item in late.found["windows"][0]["receipts"]}
    assert receipts == {0: (67, False), 1: (33, False)}


def test_a_run_that_meets_another_ones_shorter_window_plans_again(bench: Bench, flights: Written) -> None:
    name = bench.pipeline("two-shorter", flights.topic)
    slow = bench.start("run", name, pause="window.staged:1")
    slow.until_it_stops()
    bench.pipeline(name, flights.topic, limits={"max_records": 60})
    assert bench.run(name, "--max-windows", "1").code == 0
    slow.go_on()
    late = slow.done()
    assert late.code == 0
    assert "window.sealed_by_another" not in late.steps
    assert late.steps.count("run.planned") == 2
    spans = [[item["stop"] - item["start"] for item in entry["ranges"]] for entry in bench.books(name).entries[1:3]]
    assert [sum(span) for span in spans] == [60, 100]
    check(bench, name, flights)


@pytest.mark.parametrize("step", ["ledger.taken", "window.sealed_by_another"])
def test_a_run_that_is_killed_when_it_meets_another_one_loses_nothing(
    bench: Bench, flights: Written, step: str
) -> None:
    name = bench.pipeline(f"two-killed-{step.replace('.', '-').replace('_', '-')}", flights.topic)
    slow = bench.start("run", name, pause="window.staged:1", drill=f"{step}:1")
    slow.until_it_stops()
    assert bench.run(name, "--max-windows", "1").code == 0
    slow.go_on()
    assert slow.done().code == -9
    bench.finished(name)
    check(bench, name, flights)


def test_a_part_that_another_run_is_sending_is_waited_for_and_not_sent(bench: Bench, flights: Written) -> None:
    name = bench.pipeline("two-sending", flights.topic)
    bench.arize.script("slow", seconds=2, model=name)
    first = bench.start("run", name)
    wait_until(lambda: bool(bench.sends(name)), ENOUGH_S, "the first send")
    second = bench.finished(name)
    done = first.done()
    assert done.code == 0, done.err
    assert bench.sends(name)[0] == ("v1", 200)
    assert "delivery.ambiguous" not in [*done.steps, *second.steps]
    assert second.found["windows"][0]["sealed_here"] is False
    check(bench, name, flights)


def test_a_sender_whose_time_ran_out_before_it_sent_does_not_send(bench: Bench, flights: Written) -> None:
    """It comes back from the dead after another run has waited its time out, and sent the rows itself."""
    name = bench.pipeline("two-late", flights.topic, limits={"send_timeout_seconds": 3})
    late = bench.start("run", name, pause="delivery.intended:1")
    late.until_it_stops()
    bench.pipeline(name, flights.topic)
    second = bench.finished(name)
    (doubted,) = [words for words in second.lines if words[0] == "delivery.ambiguous"]
    assert doubted[1:4] == ["entry=1", "part=0", "delivery=0"]
    late.go_on()
    done = late.done()
    assert done.code == 0, done.err
    assert "delivery.answered_refused" in done.steps
    assert bench.books(name).outcomes(1, 0) == ["refused", "accepted"]
    check(bench, name, flights)


def test_a_run_that_was_sending_when_it_was_stopped_writes_down_what_it_saw(bench: Bench, flights: Written) -> None:
    """Its answer comes late, after another run sent the same rows: they are there twice, and both sends say so."""
    name = bench.pipeline("two-answered", flights.topic, limits={"send_timeout_seconds": 8})
    late = bench.start("run", name, pause="delivery.answered_accepted:1")
    late.until_it_stops()
    bench.pipeline(name, flights.topic)
    second = bench.finished(name)
    assert second.steps.count("delivery.ambiguous") == 1
    late.go_on()
    assert late.done().code == 0
    books = bench.books(name)
    assert books.outcomes(1, 0) == ["accepted", "accepted"]
    assert [item["intent"]["resends"] for item in books.deliveries(1, 0)] == [0, 1]
    again = flights.good_of(books.sealed[1], "v1")
    assert len(again) == books.sealed[1]["parts"][0]["rows"]
    assert bench.ids(name) == sorted([*flights.good, *again])


@pytest.mark.parametrize("where", ["bench", "bench_on_s3"])
def test_four_runs_that_start_together_share_the_work(
    request: pytest.FixtureRequest, flights: Written, where: str
) -> None:
    bench: Bench = request.getfixturevalue(where)
    name = bench.pipeline(
        f"two-times-two-{len(where)}", flights.topic, limits={"max_records": 40, "parallel_windows": 2}
    )
    commands = [bench.start("run", name) for _ in range(4)]
    done = [command.done() for command in commands]
    assert [(item.code, item.said) for item in done] == [(0, "")] * 4
    assert "delivery.ambiguous" not in [step for item in done for step in item.steps]
    check(bench, name, flights)


def test_runs_on_disjoint_partitions_share_the_ledger(bench: Bench, flights: Written) -> None:
    """The file says which partitions; two machines with two versions of one file run at once."""
    name = "two-disjoint"
    bench.pipeline(name, flights.topic, source={"kafka": {"partitions": [0]}}, limits={"max_records": 60})
    first = bench.start("run", name, pause="window.staged:1")
    first.until_it_stops()
    bench.pipeline(name, flights.topic, source={"kafka": {"partitions": [1]}}, limits={"max_records": 60})
    second = bench.finished(name)
    assert bench.ids(name) == flights.good_in(1, 0, flights.ends[1])
    first.go_on()
    done = first.done()
    assert done.code == 0, done.err
    assert partitions(done) == {0}
    assert partitions(second) == {1}
    assert "window.sealed_by_another" not in done.steps
    check(bench, bench.pipeline(name, flights.topic), flights)


def partitions(done: Done) -> set[int]:
    return {item["partition"] for window in done.found["windows"] for item in window["ranges"]}


def test_events_that_arrive_during_a_run_are_the_next_runs(bench: Bench) -> None:
    written = topic(bench.servers, partitions=1)
    append(written, 0, [event(number) for number in range(5)])
    name = bench.pipeline("two-growing", written.topic)
    slow = bench.start("run", name, pause="run.planned:1")
    slow.until_it_stops()
    append(written, 0, [event(number) for number in range(5, 9)])
    slow.go_on()
    assert slow.done().found["totals"]["staged"] == 5
    assert bench.finished(name).found["totals"]["staged"] == 4
    check(bench, name, written)
