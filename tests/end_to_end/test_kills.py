"""`kill -9` at each step of the way, and the next run finishes: nothing lost, and nothing twice but what is named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.books import Name
from tests.end_to_end.events import Written, group_positions

ROOT = Path(__file__).parents[2]
AT_ONCE = 4

# What a run meets that seals three windows, of two versions each, and delivers them; how often, before it is killed.
PLAIN = (
    *("ledger.begun:1", "group.mended:1", "run.planned:1"),
    *("window.read:1", "window.read:2"),
    *("window.staged:1", "window.staged:2"),
    *("window.sealed:1", "window.sealed:2"),
    *("delivery.intended:1", "delivery.intended:2"),
    *("delivery.answered_accepted:1", "delivery.answered_accepted:2"),
    *("delivery.accepted:1", "delivery.accepted:2"),
    "part.delivered:2",
    *("group.committing:1", "group.committing:2"),
    *("group.committed:1", "group.committed:2"),
    "run.recorded:1",
)
# What it meets besides when Arize fails once, and how.
FAULTS: Mapping[str, dict[str, Any]] = {
    "delivery.answered_refused:1": {"kind": "status", "status": 429},
    "delivery.refused:1": {"kind": "status", "status": 429},
    "delivery.answered_unknown:1": {"kind": "store_then_drop"},
    "delivery.ambiguous:1": {"kind": "store_then_drop"},
}
ON_S3 = ("window.staged:1", "window.sealed:2", "delivery.answered_accepted:1", "group.committing:1")
# Met by two runs at once, or by a person's word: test_two_runs, and the last tests here.
ELSEWHERE = {
    *("ledger.taken", "window.sealed_by_another", "window.resolved", "delivery.resolved", "delivery.said"),
    *("ledger.skipped", "group.realigned"),
    # Of the past: test_backfill.
    *("backfill.claimed", "backfill.progress", "backfill.recorded"),
    *("slot.sealed", "slot.decided_by_another", "slot.void"),
    # Once more: test_replay.
    *("replay.staged", "replay.sealed", "replay.taken", "replay.recorded"),
    # Of reading the ledger again: test_audit.
    *("audit.walked", "audit.recorded"),
    # Of actuals: test_ground_truth_kills.
    *("run.waits", "ids.made", "coverage.told"),
    # By the other path into Arize: test_import_path.
    *("import.tried_out", "import.not_tried_out", "import.begun", "import.job", "import.unanswered"),
    *(
        "import.given_up",
        "import.gone",
        "import.stopped",
        "part.put",
        "part.placed",
        "part.settled",
        "file.redelivered",
    ),
}
BY_NO_COMMAND = {"file.swept"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A pipeline whose run was killed, looked at, and run again.

    Attributes:
        sealed: the entries that there were at the kill, as they were then.
        tries: the outcome of each send that there was at the kill, by entry and part.
    """

    bench: Bench
    name: str
    killed: Done
    sealed: list[dict[str, Any]]
    tries: dict[tuple[Name, int], list[str]]
    status: dict[str, Any]
    after: Done


Stories = Mapping[str, "Future[Story]"]


def told(bench: Bench, flights: Written, at: str, name: str) -> Story:
    name = bench.pipeline(f"{name}-{re.sub(r'[^a-z0-9]', '-', at)}", flights.topic)
    if fault := FAULTS.get(at):
        bench.arize.script(**fault, model=name)
    killed = bench.killed(name, at)
    books = bench.books(name)
    sealed = list(books.entries)
    tries = books.every_outcome()
    status = bench.sluice("status", name)
    assert status.code == 0, status.err
    after = bench.finished(name)
    return Story(bench=bench, name=name, killed=killed, sealed=sealed, tries=tries, status=status.found, after=after)


@pytest.fixture(scope="module", autouse=True)
def stories(bench: Bench, bench_on_s3: Bench, flights: Written) -> Iterator[Stories]:
    """All of them, some side by side, while other tests run; those that wait for a dead sender's time come first."""
    on_s3 = {f"{at} on S3": (bench_on_s3, at, "kill-on-s3") for at in ON_S3}
    every = {at: (bench, at, "kill") for at in [*PLAIN, *FAULTS]} | on_s3
    with ThreadPoolExecutor(AT_ONCE) as pool:
        slow_first = sorted(every, key=lambda what: "intended" not in what and "answered" not in what)
        yield {what: pool.submit(told, every[what][0], flights, *every[what][1:]) for what in slow_first}


def test_a_send_without_a_known_outcome_can_be_held_until_a_person_says_that_it_arrived(
    bench: Bench, flights: Written
) -> None:
    hold = {"policies": {"on_ambiguous": "hold"}, "limits": {"send_timeout_seconds": 10}}
    name = bench.pipeline("kill-hold-delivered", flights.topic, **hold)
    bench.killed(name, "delivery.answered_accepted:2")
    early = bench.sluice("resolve", name, "--entry", "1", "--part", "1", "delivered", "--reason", "seen in Arize")
    assert early.code == 2
    assert "may be under way" in early.said
    held = bench.run(name)
    assert (held.code, held.found["state"]) == (3, "held")
    assert "entry 1 part 1, delivery 0: whether Arize took it is not known (its sender died)" in held.said
    assert "sluice resolve FILE --entry 1 --part 1 delivered|resend --reason" in held.said
    assert "docs/runbook.md#delivery-held" in held.said
    assert bench.run(name).code == 3
    sent = bench.sends(name)
    resolved = bench.sluice("resolve", name, "--entry", "1", "--part", "1", "delivered", "--reason", "seen in Arize")
    assert (resolved.code, resolved.found["deliveries"]) == (0, [0])
    bench.finished(name)
    assert bench.sends(name)[: len(sent)] == sent
    assert bench.ids(name) == flights.good
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    (outcome,) = [item["outcome"] for item in books.deliveries(1, 1)]
    assert (outcome["by"], outcome["kind"], outcome["reason"]) == ("person", "accepted", "seen in Arize")


def test_a_send_without_a_known_outcome_can_be_held_until_a_person_says_to_send_it_again(
    bench: Bench, flights: Written
) -> None:
    name = bench.pipeline("kill-hold-resend", flights.topic, policies={"on_ambiguous": "hold"})
    bench.pipeline(name, flights.topic, policies={"on_ambiguous": "hold"}, limits={"send_timeout_seconds": 1})
    bench.killed(name, "delivery.intended:1")
    bench.pipeline(name, flights.topic, policies={"on_ambiguous": "hold"})
    assert bench.run(name).code == 3
    assert bench.sends(name) == [("v2", 200)], "the other part of the window went out"
    word = ("--entry", "1", "--part", "0", "resend", "--reason", "Arize has none of it")
    bench.killed(name, "delivery.resolved:1", *word, verb="resolve")
    again = bench.sluice("resolve", name, *word)
    assert again.code == 2, "the word was given before the kill, and it holds"
    bench.finished(name)
    assert bench.ids(name) == flights.good
    books = bench.books(name)
    books.audit_delivered()
    assert books.outcomes(1, 0) == ["released", "accepted"]


@pytest.mark.parametrize(
    "at", ["window.sealed:3", "delivery.intended:3", "delivery.answered_accepted:2", "part.delivered:3"]
)
def test_what_a_run_with_windows_side_by_side_had_begun_the_next_one_finishes(
    bench: Bench, flights: Written, at: str
) -> None:
    name = bench.pipeline(
        f"kill-wide-{re.sub(r'[^a-z0-9]', '-', at)}", flights.topic, limits={"max_records": 30, "parallel_windows": 3}
    )
    bench.arize.script("slow", seconds=0.3, times=9, model=name)
    bench.killed(name, at)
    books = bench.books(name)
    in_doubt = [part for part, tries in books.every_outcome().items() if "unknown" in tries]
    bench.finished(name)
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert group_positions(name, flights) == flights.ends
    arrived = Counter(bench.ids(name))
    perhaps_twice = [flights.good_of(books.sealed[number], books.sealed[number]["parts"][part]["version"])
                     for number, part in in_doubt]  # fmt: skip
    assert set(arrived) == set(flights.good)
    assert {id_ for id_, times in arrived.items() if times > 1} <= {id_ for ids in perhaps_twice for id_ in ids}
    assert bench.doubted(name) == in_doubt


@pytest.mark.parametrize("at", [*PLAIN, *FAULTS])
def test_what_a_killed_run_began_the_next_one_finishes(stories: Stories, flights: Written, at: str) -> None:
    check(stories[at].result(), flights)


@pytest.mark.parametrize("at", ON_S3)
def test_what_a_killed_run_began_the_next_one_finishes_from_a_bucket(
    stories: Stories, flights: Written, at: str
) -> None:
    check(stories[f"{at} on S3"].result(), flights)


def check(story: Story, flights: Written) -> None:
    """Nothing lost, each offset in one entry, the group where the ledger is, and twice only what had no outcome."""
    bench, name = story.bench, story.name
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    assert books.positions == {(flights.topic, number): end for number, end in flights.ends.items()}
    assert group_positions(name, flights) == flights.ends
    assert books.entries[: len(story.sealed)] == story.sealed
    assert bench.ids(name) == sorted([*flights.good, *twice(story, flights)])
    check_names(story)
    again = bench.finished(name).found
    assert again["windows"] == []


def unknown(story: Story) -> list[tuple[Name, int]]:
    """The parts that had a send without a known outcome at the kill."""
    return [part for part, tries in story.tries.items() if "unknown" in tries]


def twice(story: Story, flights: Written) -> list[str]:
    """The ids that may have arrived twice, and did: of parts without a known outcome, each of which went out whole."""
    if not unknown(story):
        return []
    arrived = story.bench.arize.repeated_ids(story.name)
    assert set(arrived.values()) <= {2}
    again = [ids for part in unknown(story) if arrived.keys() & set(ids := ids_of(story, flights, *part))]
    last = story.killed.steps[-1]
    if last == "delivery.answered_accepted":
        assert len(again) == 1
    if last in ("delivery.intended", "delivery.answered_refused"):
        assert again == []
    return [id_ for ids in again for id_ in ids]


def ids_of(story: Story, flights: Written, number: Name, part: int) -> list[str]:
    assert isinstance(number, int)
    entry = story.sealed[number]
    return flights.good_of(entry, entry["parts"][part]["version"])


def check_names(story: Story) -> None:
    """Whatever was sent again is named: by the log, by `status` before and after, and in the ledger for ever."""
    parts = unknown(story)
    named = [(item["entry"], at) for item in story.status["waiting"] for at, part in enumerate(item["parts"])
             if part["last"].startswith("no known outcome")]  # fmt: skip
    assert named == parts
    logged = [words for words in story.after.lines if words[0] == "delivery.ambiguous"]
    assert [words[1:3] for words in logged] == [[f"entry={number}", f"part={part}"] for number, part in parts]
    assert story.bench.doubted(story.name) == parts
    books = story.bench.books(story.name)
    for key, tries in books.every_outcome().items():
        assert tries[-1] == "accepted"
        assert tries.count("unknown") == (1 if key in parts else 0)
        assert tries.count("accepted") == 1


@pytest.mark.parametrize("at", ["delivery.intended:2", "delivery.accepted:1", "part.delivered:2"])
def test_a_kill_between_the_sends_of_two_versions_sends_only_what_was_not_accepted(
    stories: Stories, flights: Written, at: str
) -> None:
    story = stories[at].result()
    accepted = [part for part, tries in story.tries.items() if tries == ["accepted"]]
    assert accepted[0] == (1, 0)
    versions = [part["version"] for part in story.sealed[1]["parts"]]
    assert versions == ["v1", "v2"]
    sent = [words[1:3] for words in story.after.lines if words[0] == "delivery.intended"]
    assert not [words for words in sent if words in [[f"entry={number}", f"part={part}"] for number, part in accepted]]
    everything = [part for part in story.bench.books(story.name).every_outcome() if part not in accepted]
    assert sent == [[f"entry={number}", f"part={part}"] for number, part in everything]


def test_what_was_sealed_is_finished_from_its_staged_file_and_not_read_again(stories: Stories) -> None:
    story = stories["window.sealed:2"].result()
    assert [entry["kind"] for entry in story.sealed] == ["genesis", "window", "window"]
    read = [words for words in story.after.lines if words[0] == "window.read"]
    assert len(read) == 1
    (third,) = story.bench.books(story.name).entries[3:]
    assert third["run"] == story.after.found["run_id"] != story.sealed[2]["run"]


def test_a_kill_before_the_seal_changed_nothing(stories: Stories) -> None:
    for at in ("run.planned:1", "window.read:1", "window.staged:1"):
        story = stories[at].result()
        assert [entry["kind"] for entry in story.sealed] == ["genesis"]
        assert story.tries == {}


def test_a_run_is_killed_at_each_step_that_it_logs(bench: Bench, flights: Written, stories: Stories) -> None:
    """Derived from what a run logs and from what the code can log, so that no new step is forgotten."""
    name = bench.pipeline("kill-nobody", flights.topic)
    plain = bench.finished(name)
    assert {at.split(":")[0] for at in PLAIN} == set(plain.steps)
    assert {at.split(":")[0] for at in [*PLAIN, *FAULTS]} | ELSEWHERE | BY_NO_COMMAND == set(every_step())
    assert set(stories) == {*PLAIN, *FAULTS, *(f"{at} on S3" for at in ON_S3)}


def every_step() -> Iterator[str]:
    for path in (ROOT / "sluice").rglob("*.py"):
        for name in re.findall(r'\bstep\(\s*f?"([^"]+)"', path.read_text()):
            if "{answer.kind}" not in name:
                yield name
                continue
            # Of an answer that says nothing there is a note, and no second step.
            kinds = ("accepted", "refused", "unknown")[: 3 if "answered" in name else 2]
            yield from (name.replace("{answer.kind}", kind) for kind in kinds)
