"""Arize fails, in every way that it can: what the run says, what the ledger keeps, and that the next run finishes."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.local.processes import wait_until
from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import Written, append, event, group_positions, topic

AT_ONCE = 4
KEY_WORDS = "Fix ARIZE_API_KEY and the address; the next run sends it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the stand-in, and what comes of it for the one part of the one window of a run.

    Attributes:
        script: as the stand-in takes it; `times` is how many sends meet it.
        code: the exit status of the run that meets it.
        says: what that run tells a person.
        outcomes: of its sends, in the ledger.
        sends: what the stand-in saw of them: status, None where it answered nothing whole.
        times_arrived: how often each row is there after the run that meets it.
    """

    script: Mapping[str, Any]
    code: int
    says: tuple[str, ...] = ()
    outcomes: tuple[str, ...]
    sends: tuple[int | None, ...]
    times_arrived: int = 1
    limits: Mapping[str, Any] = field(default_factory=dict)


PASSING: Mapping[str, Fault] = {
    "429 with Retry-After": Fault(
        script={"kind": "status", "status": 429, "retry_after_s": 1},
        code=0, outcomes=("refused", "accepted"), sends=(429, 200),
    ),
    "503 and nothing stored": Fault(
        script={"kind": "status", "status": 503},
        code=0, outcomes=("unknown", "accepted"), sends=(503, 200),
    ),
    "500 and all of it stored": Fault(
        script={"kind": "status", "status": 500, "store": True},
        code=0, outcomes=("unknown", "accepted"), sends=(500, 200), times_arrived=2,
    ),
    "stored and then the connection dropped": Fault(
        script={"kind": "store_then_drop"},
        code=0, outcomes=("unknown", "accepted"), sends=(None, 200), times_arrived=2,
    ),
    "the connection dropped and nothing stored": Fault(
        script={"kind": "drop"},
        code=0, outcomes=("unknown", "accepted"), sends=(None, 200),
    ),
    "no answer": Fault(
        script={"kind": "hang"}, limits={"send_timeout_seconds": 4},
        code=0, outcomes=("unknown", "accepted"), sends=(None, 200),
    ),
    "an answer without end": Fault(
        script={"kind": "drip"}, limits={"send_timeout_seconds": 4},
        code=0, outcomes=("unknown", "accepted"), sends=(None, 200),
    ),
}  # fmt: skip

LASTING: Mapping[str, Fault] = {
    "429 six times": Fault(
        script={"kind": "status", "status": 429, "retry_after_s": 1, "times": 6},
        code=1, outcomes=("refused",) * 6, sends=(429,) * 6, times_arrived=0,
        says=("entry 1 part 0: Arize did not take it in 6 tries (HTTP 429", "docs/runbook.md#destination-unavailable"),
    ),
    "503 twice": Fault(
        script={"kind": "status", "status": 503, "times": 2},
        code=1, outcomes=("unknown", "unknown"), sends=(503, 503), times_arrived=0,
        says=("delivery 1: whether Arize took it is not known (HTTP 503)", "The next run sends it once more"),
    ),
    "401": Fault(
        script={"kind": "status", "status": 401, "times": 1},
        code=1, outcomes=("refused",), sends=(401,), times_arrived=0,
        says=("entry 1 part 0: HTTP 401", KEY_WORDS, "docs/runbook.md#destination-refused"),
    ),
    "403": Fault(
        script={"kind": "status", "status": 403, "times": 1},
        code=1, outcomes=("refused",), sends=(403,), times_arrived=0,
        says=("entry 1 part 0: HTTP 403", KEY_WORDS, "docs/runbook.md#destination-refused"),
    ),
    "400": Fault(
        script={"kind": "status", "status": 400, "times": 1, "message": "bad schema"},
        code=1, outcomes=("refused",), sends=(400,), times_arrived=0,
        says=("entry 1 part 0: HTTP 400: bad schema", "Fix what Arize names", "docs/runbook.md#delivery-refused"),
    ),
    "no answer twice": Fault(
        script={"kind": "hang", "times": 2}, limits={"send_timeout_seconds": 4},
        code=1, outcomes=("unknown", "unknown"), sends=(None, None), times_arrived=0,
        says=("no answer in time", "docs/runbook.md#destination-unavailable"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A pipeline whose run met a fault, what it left, and the run after that, which met none.

    Attributes:
        waiting: what `sluice status` said was not delivered.
    """

    name: str
    met: Done
    outcomes: tuple[str, ...]
    sends: tuple[int | None, ...]
    arrived: list[str]
    waiting: list[dict[str, Any]]
    after: Done


Stories = Mapping[str, "Future[Story]"]


@pytest.fixture(scope="module")
def ten(flights: Written) -> Written:
    """Ten events of one version, which make one window of one part."""
    written = topic(flights.servers, partitions=1)
    append(written, 0, [event(number, "v1") for number in range(10)])
    return written


def told(bench: Bench, ten: Written, what: str, fault: Fault) -> Story:
    name = bench.pipeline("fault-" + "-".join(what.lower().split()), ten.topic, limits=dict(fault.limits))
    bench.arize.script(**fault.script, model=name)
    met = bench.run(name)
    outcomes, sends, arrived = bench.books(name).outcomes(1, 0), bench.sends(name), bench.ids(name)
    status = bench.sluice("status", name).found
    bench.pipeline(name, ten.topic)
    return Story(
        name=name,
        met=met,
        outcomes=tuple(outcomes),
        sends=tuple(status for _, status in sends),
        arrived=arrived,
        waiting=status["waiting"],
        after=bench.finished(name),
    )


@pytest.fixture(scope="module", autouse=True)
def stories(bench: Bench, ten: Written) -> Iterator[Stories]:
    slow_first = {"429 six times": LASTING["429 six times"], **LASTING, **PASSING}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {what: pool.submit(told, bench, ten, what, fault) for what, fault in slow_first.items()}


def test_a_part_is_sent_again_once_a_run_and_twice_in_all_and_then_waits_for_a_person(
    bench: Bench, ten: Written
) -> None:
    name = bench.pipeline("fault-doubt", ten.topic)
    bench.arize.script("status", status=503, store=True, times=3, model=name)
    first, second, third = bench.run(name), bench.run(name), bench.run(name)
    assert [run.code for run in (first, second, third)] == [1, 3, 3]
    assert bench.sends(name) == [("v1", 503)] * 3
    assert "docs/runbook.md#delivery-held" in second.said
    (waiting,) = bench.sluice("status", name).found["waiting"]
    assert waiting["parts"] == [{"deliveries": 3, "last": "no known outcome: HTTP 503"}]
    word = ("--entry", "1", "--part", "0", "delivered", "--reason", "it is there")
    assert bench.sluice("resolve", name, *word).code == 0
    assert bench.books(name).outcomes(1, 0) == ["accepted", "unknown", "unknown"], "one is what it takes"
    bench.finished(name)
    assert bench.ids(name) == sorted(ten.good * 3)
    assert bench.sluice("status", name).found["may_be_counted_twice"] == [{"entry": 1, "part": 0}]


def test_one_version_that_is_refused_does_not_keep_the_other_back(bench: Bench, flights: Written) -> None:
    name = bench.pipeline("fault-one-version", flights.topic)
    bench.arize.script("status", status=400, model=name, version="v1")
    refused = bench.run(name)
    assert refused.code == 1
    assert bench.sends(name) == [("v1", 400), ("v2", 200)]
    books = bench.books(name)
    assert (books.outcomes(1, 0), books.outcomes(1, 1)) == (["refused"], ["accepted"])
    bench.finished(name)
    assert bench.ids(name) == flights.good
    bench.books(name).audit_delivered()


def test_a_version_that_arize_refuses_for_ever_is_let_go_by_a_persons_word_which_may_be_cut_off(
    bench: Bench, thirty: Written
) -> None:
    name = bench.pipeline("fault-for-ever", thirty.topic)
    bench.arize.script("status", status=413, model=name, version="v1", times=100)
    assert "sluice resolve FILE --entry 1 --part 0 drop" in bench.run(name).said
    word = ("--entry", "1", "--part", "0", "drop", "--reason", "too large for ever")
    bench.killed(name, "delivery.said:1", *word, verb="resolve")
    again = bench.sluice("resolve", name, *word)
    assert (again.code, "Entry 1 of fault-for-ever waits for no send" in again.said) == (2, True)
    (window,) = bench.finished(name).found["windows"]
    assert (window["status"], window["rows_accepted"], window["rows_dropped"]) == ("committed", 10, 20)
    assert bench.sends(name) == [("v1", 413), ("v2", 200)]
    assert bench.books(name).every_outcome() == {(1, 0): ["refused", "dropped"], (1, 1): ["accepted"]}
    assert group_positions(name, thirty) == {0: 30}
    append(thirty, 0, [event(40, version="v2")])
    bench.finished(name)
    assert len(bench.ids(name)) == 11


def test_where_nobody_listens_nothing_is_in_doubt(bench: Bench, ten: Written) -> None:
    name = bench.pipeline("fault-nobody-listens", ten.topic, limits={"send_timeout_seconds": 5})
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        command = bench.start("run", name, ARIZE_API_PORT=str(port))
        wait_until(lambda: "refused" in bench.books(name).outcomes(1, 0), 60, "a first refusal")
        command.kill()
        assert command.done().code == -9
    bench.finished(name)
    assert bench.ids(name) == ten.good
    assert bench.sends(name) == [("v1", 200)]


@pytest.mark.parametrize("what", PASSING)
def test_a_fault_that_passes_is_overcome_in_the_run_that_meets_it(
    bench: Bench, ten: Written, stories: Stories, what: str
) -> None:
    story, fault = stories[what].result(), PASSING[what]
    assert (story.met.code, story.outcomes, story.sends) == (fault.code, fault.outcomes, fault.sends)
    assert story.waiting == []
    assert story.after.found["windows"] == []
    check_arrived(bench, ten, story, fault.times_arrived)


@pytest.mark.parametrize("what", LASTING)
def test_a_fault_that_lasts_is_told_and_the_next_run_goes_on_where_it_left_off(
    bench: Bench, ten: Written, stories: Stories, what: str
) -> None:
    story, fault = stories[what].result(), LASTING[what]
    assert (story.met.code, story.met.found["state"]) == (fault.code, "failed")
    for words in fault.says:
        assert words in story.met.said
    assert story.met.found["message"] == story.met.said
    assert (story.outcomes, story.sends, story.arrived) == (fault.outcomes, fault.sends, [])
    (waiting,) = story.waiting
    assert (waiting["entry"], waiting["rows"], waiting["parts"][0]["deliveries"]) == (1, 10, len(fault.outcomes))
    assert "window.read" not in story.after.steps
    assert bench.sends(story.name) == [("v1", status) for status in (*fault.sends, 200)]
    check_arrived(bench, ten, story, 1)


def check_arrived(bench: Bench, ten: Written, story: Story, times: int) -> None:
    """Each row so often, balances exact, the group at the end; and what may be there twice is named."""
    assert bench.ids(story.name) == sorted(ten.good * times)
    books = bench.books(story.name)
    books.audit(ten)
    books.audit_delivered()
    assert group_positions(story.name, ten) == ten.ends
    doubtful = [number for number, kind in enumerate(books.outcomes(1, 0)) if kind == "unknown"]
    named = [words for words in (*story.met.lines, *story.after.lines) if words[0] == "delivery.ambiguous"]
    assert [words[3] for words in named] == [f"delivery={number}" for number in doubtful]
    assert bench.doubted(story.name) == ([(1, 0)] if doubtful else [])
    if times > 1:
        assert doubtful, "rows are there twice, and no send of theirs is without a known outcome"


def test_a_fault_leaves_no_more_than_one_window_in_doubt(stories: Stories) -> None:
    """Nothing is planned behind a delivery that failed: the group stands where it stood."""
    for what in LASTING:
        met = stories[what].result().met
        assert met.steps[-1] == "run.recorded"
        assert "group.committing" not in met.steps, what
