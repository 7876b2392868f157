"""What people read of a replay in Prefect, and the links that fill in its form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sluice.errors import WrongUse
from sluice.ledger import entries
from sluice.ledger.names import SlotName
from sluice.receipts import Receipt
from sluice.replay.report import ReplayReport
from sluice.report import RunReport, WindowReport
from tasks import replay_links
from tasks.links import RunForm
from tasks.replay_links import links_to, replay_notes, that_run
from tasks.replay_markdown import plan_page, plan_words, result_page, result_words, run_name
from tasks.replay_verbs import left_of
from tests import parts
from tests.desk import A0, Desk
from tests.parts import REFUSES

ID = "8a1f7a1e-1f0e-4c8e-9c0a-7d1f1b3c2d4e"
FILE = entries.StagedFile(key="staged/p/a", rows=1, bytes=9, sha256="5" * 64, content="c" * 64)
FORM = RunForm(page="http://ui/v2/deployments/deployment/d1", given={"pipeline": "another"})


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


def delivered(number: int, entry: entries.Sealed | None = None, **receipt: Any) -> WindowReport:
    told = Receipt(entry=number, part=0, delivery=0, **{"rows": 1, "sent": True, **receipt})
    sealed = entry or parts.window("a[0] 0..1", staged=FILE)
    return WindowReport(number=number, entry=sealed, sealed_here=True, receipts=(told,))


def test_only_what_arrived_or_is_on_its_way_is_linked_and_a_replay_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_links, "run_form", lambda name: FORM if name == "replay/replay" else None)
    windows = [
        delivered(1),
        delivered(2, is_pending=True, rows=0),
        delivered(3, dropped=1, rows=0),
        delivered(4, parts.window("a[0] 1..2")),
        delivered(5, parts.window("a[0] 1..2", staged=FILE, held="too much")),
        delivered(6, parts.derived(1, "replay", "a[0] 0..1", staged=FILE)),
        delivered(7, parts.derived(5, "deliver", "a[0] 1..2", staged=FILE)),
        WindowReport(number=8, entry=parts.window("a[0] 2..3", staged=FILE), sealed_here=True),
    ]
    (_, line) = replay_notes("flights", windows)
    assert linked(line)["Replay this run →"] == ["1", "2", "7"]
    assert replay_notes("flights", windows[2:6]) == []
    monkeypatch.setattr(replay_links, "run_form", lambda _: None)
    assert replay_notes("flights", windows) == []


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
    needs = "needs a reason, and `count_twice` or another `model` or `version`, and starts"
    assert (needs in page, "needs a reason, and starts" in allowed) == (True, True)


def test_a_plan_by_which_nothing_can_go_has_no_link_to_run_it(desk: Desk) -> None:
    desk.replay(entries=[1], model="another")
    assert "Run it" not in plan(desk.look(entries=[1, 9], model="another"))


def test_what_an_earlier_start_sealed_goes_on_whatever_arize_has(desk: Desk) -> None:
    desk.replay(REFUSES, entries=[2], model="another")
    report = desk.look(entries=[2], model="another")
    assert plan_words(report, count_twice=False).startswith("would bring out 1 row of 1 entry")
    assert [row[-1] for row in cells(plan(report), "Entries")] == ["was sealed as entry 3, goes on"]


def test_what_is_noted_of_a_changed_page_is_on_both_pages(desk: Desk) -> None:
    run = RunReport(pipeline="flights", run_id="run", started_at="now", notes=("it says otherwise", "Entry 1: …"))
    for page in (plan(ReplayReport(run=run)), result_page(ReplayReport(run=run), left=(), link=None)):
        assert "- it says otherwise\n- Entry 1: …\n" in page


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
    told = {"rejected": 9, "redeemed_before": 3, "taken_again": 2, "redeemed": 3, "still_rejected": 1}
    item = replace(report.items[0], rows=3, redeemed=told, entries=(7,))
    page = result_page(replace(report, items=(item,)).with_window(delivered(7)), left=(), link=None)
    assert cells(page, "Rejected records") == [["1", "a[0] 0..4", "9", "3", "2", "3", "1"]]
    assert cells(page, "Went out") == [["1", "7", "delivered", "3"]]
    assert "content hash" not in page, "their origin delivered none of them"


def test_files_that_arize_has_not_settled_are_said_to_be_pending(desk: Desk) -> None:
    report = desk.replay(entries=[1], model="another")
    run = replace(report.run, windows=(delivered(3, is_pending=True, rows=0),))
    pending = replace(report, run=run)
    assert "; files that Arize has not settled yet: 1" in result_words(pending)
    assert cells(result_page(pending, left=(), link=None), "Proof")[0][2] == "pending"


def test_what_ended_a_replay_before_any_entry_is_on_its_page() -> None:
    run = RunReport(pipeline="flights", run_id="run", started_at="now").ended_by(WrongUse("No entry is named"))
    page = result_page(ReplayReport(run=run), left=(1,), link=None)
    assert "No entry is named" in page
    assert _tables(page) == 1


def _tables(page: str) -> int:
    return sum(line.startswith("| ---") for line in page.splitlines())


def test_long_tables_are_cut_and_say_so(desk: Desk) -> None:
    names: Sequence[int] = range(100, 160)
    page = plan(desk.look(entries=names))
    assert (len(cells(page, "Entries")), page.count("And 10 more: the run's result has them all.")) == (50, 2)
