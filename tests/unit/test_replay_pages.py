"""Replay for people in Prefect: which artifact they mean, what a changed one says wrongly, links, and pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from sluice.errors import WrongUse
from sluice.ledger import entries
from sluice.ledger.names import EntryName, SlotName
from sluice.replay.report import ReplayReport
from sluice.report import RunReport, WindowReport
from tasks.artifacts import ledger_row
from tasks.ledger_artifacts import notes_on, reference_of
from tasks.links import RunForm
from tasks.replay_links import links_to, that_run
from tasks.replay_markdown import plan_page, plan_words, result_page, result_words, run_name
from tasks.replay_verbs import left_of
from tests import parts
from tests.desk import A0, Desk
from tests.parts import REFUSES

ID = "8a1f7a1e-1f0e-4c8e-9c0a-7d1f1b3c2d4e"
KEY = "offsets-flights-67608008"
FORM = RunForm(page="http://ui/v2/deployments/deployment/d1", given={"pipeline": "another"})
Rows = list[dict[str, Any]]


# ── which artifact


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (ID, UUID(ID)),
        (f" {ID.upper()}\n", UUID(ID)),
        (KEY, KEY),
        (f"http://127.0.0.1:4200/artifacts/artifact/{ID}", UUID(ID)),
        (f"http://127.0.0.1:4200/v2/artifacts/artifact/{ID}?tab=Raw", UUID(ID)),
        (f"https://app.prefect.cloud/account/{ID[::-1]}/workspace/{ID[::-1]}/artifacts/artifact/{ID}#a", UUID(ID)),
        (f"https://ui.example/prefect/v2/artifacts/key/{KEY}/", KEY),
        (f"/artifacts/key/{ID}", ID),
    ],
)
def test_an_artifact_is_meant_by_its_id_its_key_or_a_link_to_it_in_any_ui(text: str, meant: UUID | str) -> None:
    assert reference_of(text) == meant


@pytest.mark.parametrize(
    "text", ["the newest", f"http://127.0.0.1:4200/v2/runs/flow-run/{ID}", "/artifacts/artifact/x", "Offsets-flights"]
)
def test_what_is_no_artifact_is_refused_with_another_way(text: str) -> None:
    with pytest.raises(WrongUse, match=r"neither link, id nor key .* by number, too, which needs no artifact"):
        reference_of(text)


# ── a page beside the ledger

LEDGER: dict[EntryName, entries.Window] = {
    1: parts.window("a[0] 0..4", "a[1] 0..2"),
    SlotName(2, 0): parts.window("b[0] 5..9"),
}


def changed(change: Callable[[Rows], Any]) -> tuple[str, ...]:
    """What is noted of the page of LEDGER, as Prefect keeps it, after a change."""
    windows = [WindowReport(number=name, entry=entry, sealed_here=True) for name, entry in LEDGER.items()]
    rows = json.loads(json.dumps([ledger_row(window, item) for window in windows for item in window.entry.ranges]))
    change(rows)
    by_name: dict[EntryName, Rows] = {1: [], SlotName(2, 0): []}
    for row in rows:
        by_name[1 if row["entry"] == 1 else SlotName(2, 0)].append(row)
    return notes_on(by_name, {name: entry.ranges for name, entry in LEDGER.items()})


def test_nothing_is_noted_of_a_page_as_it_was_made_whatever_columns_people_have_no_use_for() -> None:
    assert changed(lambda rows: None) == ()
    assert changed(lambda rows: [row.pop("expired") for row in rows]) == ()
    assert changed(lambda rows: rows.reverse()) == ()


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        (lambda rows: rows[0].update(start=1, staged=3), "Entry 1: a[0] 0..4 differs in start, staged"),
        (lambda rows: rows[2].update(stop="9"), "Entry 2/0: b[0] 5..9 differs in stop"),
        (lambda rows: rows[2].pop("stop"), "Entry 2/0: b[0] 5..9 differs in stop"),
        (lambda rows: rows[0].update(rejected=None), "Entry 1: a[0] 0..4 differs in rejected"),
        (lambda rows: rows.pop(1), "Entry 1: a[1] 0..2 is missing"),
        (lambda rows: rows.append(rows[0]), "Entry 1: 1 row on the page that it has not"),
        (
            lambda rows: rows[0].update(topic={"a secret": 1}),
            "Entry 1: a[0] 0..4 is missing; 1 row on the page that it has not",
        ),
    ],
)
def test_what_a_changed_page_says_wrongly_is_named_and_not_repeated(change: Callable[[Rows], Any], noted: str) -> None:
    first, *notes = changed(change)
    assert "the ledger, which is gone by" in first
    assert notes == [noted]


def test_of_many_wrong_entries_the_first_are_named() -> None:
    names: list[EntryName] = list(range(30))
    notes = notes_on(dict.fromkeys(names, ()), dict.fromkeys(names, parts.window("a[0] 0..4").ranges))
    assert (len(notes), notes[-1]) == (22, "So it does of 10 more")


# ── links


def linked(text: str) -> dict[str, list[str]]:
    """The entries of each link, by its words."""
    pieces = (piece.partition("](") for piece in text.split("**[")[1:])
    addresses = {words: urlsplit(rest.partition(")**")[0]) for words, _, rest in pieces}
    found = {words: json.loads(parse_qs(at.query)["parameters"][0]) for words, at in addresses.items()}
    assert all(at.path.endswith("/d1/run") for at in addresses.values())
    assert all(item == {"pipeline": "flights", "entries": item["entries"]} for item in found.values())
    return {words: item["entries"] for words, item in found.items()}


def test_a_page_links_the_form_for_all_its_entries_and_for_each() -> None:
    text = links_to(FORM, "flights", [3, SlotName(4, 0)])
    assert linked(text) == {"Replay this run →": ["3", "4/0"], "3": ["3"], "4/0": ["4/0"]}
    assert linked(links_to(FORM, "flights", [3])) == {"Replay this run →": ["3"]}


def test_links_of_a_long_page_are_bounded_and_leave_no_entry_out() -> None:
    names = list(range(1, 251))
    text = links_to(FORM, "flights", names)
    found = linked(text)
    assert [*found["1 to 100"], *found["101 to 200"], *found["201 to 250"]] == list(map(str, names))
    assert len(found) == 3 + 20
    assert found["250"] == ["250"]
    assert "one of the last 20 entries" in text
    assert max(map(len, text.split("**["))) < 2_000


def test_the_run_that_a_plan_links_names_what_the_plan_saw() -> None:
    given = {"pipeline": "flights", "entries": None, "artifact": ID, "dry_run": True, "reason": "why"}
    few = that_run(given, [1, SlotName(2, 0)])
    assert few == {**given, "artifact": "", "entries": ["1", "2/0"], "dry_run": False}
    many = list(range(1, 102))
    assert that_run(given, many) == {**given, "dry_run": False}
    typed = {**given, "artifact": "", "entries": list(map(str, many))}
    assert that_run(typed, many) == {**typed, "dry_run": False}


# ── pages


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Entry 1: three rows; entry 2: one row."""
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, b"good 1", b"good 1", b"bad", b"good 2", b"good 1")
    assert desk.run().state == "done"
    return desk


def cells(page: str, section: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    table = page.partition(f"## {section}\n")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table if line.startswith("|")][2:]


def plan(report: ReplayReport, *, count_twice: bool = False) -> str:
    return plan_page(report, count_twice=count_twice, link="http://ui/form")


def test_a_plan_says_of_each_entry_what_becomes_of_it_and_why_not(desk: Desk) -> None:
    desk.replay(entries=[2], model="another")
    report = desk.look(entries=[1, 2, 9], model="another")
    page = plan(report)
    assert cells(page, "Entries") == [
        ["1", "a[0] 0..4", "3", "the staged file", "0", "goes out"],
        ["2", "a[0] 4..5", "1", "", "0", "went out before, as entry 3"],
        ["9", "", "", "", "", "cannot go: see below"],
    ]
    assert "- **Entry 9**: There is no entry 9" in page
    assert "**[Run it](http://ui/form)**" in page
    words = "would bring out 3 rows of 1 entry to the model another; nothing was written. 1 of 3 entries cannot go"
    assert plan_words(report, count_twice=False) == words
    assert run_name(report) == "replay of flights, dry run: 3 entries"


def test_a_plan_says_what_arize_would_count_twice_and_that_it_goes_only_so(desk: Desk) -> None:
    report = desk.look(entries=[1, 2])
    page = plan(report)
    assert "| rows that Arize would count twice, at most | 4 |" in page
    assert "only with `count_twice`: once for each reason" in page
    assert [row[-1] for row in cells(page, "Entries")] == ["only with `count_twice`"] * 2
    assert plan_words(report, count_twice=False).startswith("would bring out 0 rows of 0 entries")
    allowed = plan(report, count_twice=True)
    assert [row[-1] for row in cells(allowed, "Entries")] == ["goes out"] * 2
    assert "only with" not in allowed


def test_a_result_has_the_proof_and_what_did_not_go(desk: Desk) -> None:
    report = desk.replay(REFUSES, entries=[2, 1, 9], model="another", source="kafka")
    page = result_page(report, left=left_of([2, 1, 9, 10], report), link="http://ui/again")
    proof = cells(page, "Proof")
    assert [row[:5] for row in proof] == [["2", "3", "sealed", "1", "Kafka"], ["1", "4", "delivered", "3", "Kafka"]]
    assert all(then == now != "" and same == "yes" for *_, then, now, same in proof)
    assert "- **Entry 2**: entry 3 part 0: bad column" in page
    assert "**[Try again](http://ui/again)** what did not go (3 entries)" in page
    assert left_of([2, 1, 9, 10], report) == (2, 9, 10)
    assert result_words(report) == (
        "3 rows of 1 entry went out to the model another, the same as were delivered, by content hash; "
        "2 of 3 entries did not go"
    )
    assert run_name(report) == "replay of flights: 3 entries → 3 rows, failed"


def test_a_result_counts_how_rows_differ_and_in_which_columns(desk: Desk) -> None:
    desk.kafka.logs[A0][1] = None
    desk.kafka.logs[A0][3] = b"good 3"
    asked: dict[str, Any] = {"entries": [1], "model": "another", "source": "kafka", "take_differences": True}
    report = desk.replay(**asked)
    page = result_page(report, left=(), link=None)
    assert cells(page, "Differences") == [["1", "1", "0", "1", "`version` (1)"]]
    assert cells(page, "Proof")[0][-1] == "**no**"
    assert "the same as" not in result_words(report)
    assert "Try again" not in page
    again = desk.replay(**asked)
    assert "0 rows of 0 entries went out to the model another; 1 entry before" in result_words(again)
    assert run_name(again) == "replay of flights: entry 1 → 0 rows"


def test_rejected_records_are_told_by_what_became_of_them(desk: Desk) -> None:
    report = desk.look(entries=[1, 2], what="rejected")
    assert cells(plan(report), "Rejected records") == [["1", "a[0] 0..4", "1", "0", "0", "0", "1"]]


def test_what_ended_a_replay_before_any_entry_is_on_its_page() -> None:
    run = RunReport(pipeline="flights", run_id="run", started_at="now").ended_by(WrongUse("No entry is named"))
    page = result_page(ReplayReport(run=run), left=(1,), link=None)
    assert "No entry is named" in page
    assert _tables(page) == 1


def _tables(page: str) -> int:
    return sum(line.startswith("|---|") for line in page.splitlines())


def test_long_tables_are_cut_and_say_so(desk: Desk) -> None:
    names: Sequence[int] = range(100, 160)
    page = plan(desk.look(entries=names))
    assert (len(cells(page, "Entries")), page.count("And 10 more: the run's result has them all.")) == (50, 2)
