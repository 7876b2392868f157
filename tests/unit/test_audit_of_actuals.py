"""An audit where rows of a staged file are not sent: they repeat what was said, or correct it and are rejected."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.cli_audit import audit_text
from sluice.audit.report import AuditReport
from sluice.ledger import masks
from sluice.ledger.keys import Keys
from sluice.offsets import Partition
from sluice.pipeline import LoadedPipeline
from sluice.refiling import resolve_file
from sluice.resolution import resolve_window
from tasks.audit_pages import audit_page
from tests.arrivals import Pair, arrivals_file, event
from tests.audits import audited, change, errors, stored, told
from tests.desk import Desk
from tests.parts import REFUSES

A0 = Partition("arrivals", 0)
KEYS = Keys("arrivals")
DAY_S = 86_400
FILE = arrivals_file()
REJECTS = arrivals_file(policies={"corrections": "reject"})
HOLDS = arrivals_file(policies={"corrections": "hold"})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Pair(tmp_path).arrivals


@pytest.fixture
def ledger(desk: Desk) -> Desk:
    """Two windows; of the second's rows, 2..6, the first repeats, the second is rejected as a correction."""
    for values in ([event(1), event(2)], [event(1), event(2, "on time"), event(3), event(4)]):
        desk.kafka.produce(A0, *values)
        assert desk.run(file=REJECTS).state == "done"
    assert masks.decode(stored(desk, KEYS.entry(2))["unsent"], 4).tolist() == [True, True, False, False]
    return desk


def looked(desk: Desk, file: LoadedPipeline = FILE) -> AuditReport:
    return audited(desk, file, full=True, deep=True)


def words(report: AuditReport) -> list[str]:
    """What is wrong, but that an entry is not what an earlier audit read."""
    told(report)
    return [item.what for item in errors(report) if item.check != "mark"]


def mask(*bits: int) -> Callable[[Any], object]:
    return lambda entry: entry.update(unsent=masks.encode([bool(bit) for bit in bits]))


def balanced(**counts: int) -> Callable[[Any], object]:
    return lambda entry: entry["ranges"][0].update(balance=counts)


# ── nothing is wrong


def test_rows_that_are_not_sent_are_no_damage_and_are_told_in_the_totals(ledger: Desk) -> None:
    report = looked(ledger)
    assert (report.findings, told(report)) == ((), [])
    totals = report.as_dict()["totals"]
    assert [totals[name] for name in ("offsets", "staged", "repeated", "rejected", "rows_accepted")] == [6, 4, 1, 1, 4]
    for text in (audit_text(report.as_dict()), audit_page(report.as_dict())):
        assert "6 = 4 staged + 1 rejected + 1 repeated" in text


def test_a_window_of_which_nothing_is_sent_is_no_damage(ledger: Desk) -> None:
    ledger.kafka.produce(A0, event(3), event(4))
    assert ledger.run(file=FILE).state == "done"
    assert stored(ledger, KEYS.entry(3))["parts"] == []
    assert looked(ledger).findings == ()


@pytest.mark.parametrize("word", ["deliver", "drop", "redo"])
def test_a_held_window_with_repeated_rows_and_its_end_are_no_damage(desk: Desk, word: Any) -> None:
    desk.kafka.produce(A0, event(1), event(2))
    desk.run(file=HOLDS)
    desk.kafka.produce(A0, event(1, "on time"), event(2), None)
    assert desk.run(file=HOLDS).state == "held"
    assert told(looked(desk, HOLDS)) == []
    resolve_window(desk.person(REJECTS), 2, word, "looked")
    assert desk.run(file=FILE).state == "done"
    assert told(looked(desk)) == []


def test_files_replays_and_backfills_of_such_windows_are_no_damage(desk: Desk) -> None:
    file = arrivals_file(arize={"path": "object_store"})
    desk.imports.verdicts.append("failed")
    desk.kafka.produce(A0, event(1), event(1), event(2))
    desk.run(file=file)
    assert resolve_file(desk.person(file), 1, "redeliver", "mended") == 2
    assert desk.run(file=file).state == "done"
    assert stored(desk, KEYS.entry(2))["unsent"]
    for source, model in (("staged", "second"), ("kafka", "third")):
        assert desk.replay(file=file, entries=[2], source=source, model=model).run.rows_accepted == 2
    assert desk.backfill(file=file, again="lost there").run.rows_accepted == 3
    assert told(looked(desk, file)) == []


def test_rejected_corrections_that_went_out_are_no_damage(ledger: Desk) -> None:
    assert ledger.replay(file=FILE, entries=[2], what="rejected").run.rows_accepted == 1
    assert told(looked(ledger)) == []


def test_a_file_that_keep_lets_go_of_is_not_missed_where_predictions_say_where_it_goes(desk: Desk) -> None:
    keeps = arrivals_file(keep={"staged": "30d"})
    desk.kafka.produce(A0, event(1))
    desk.run(file=keeps)
    del desk.store.objects[stored(desk, KEYS.entry(1))["staged"]["key"]]
    assert [check for check, _, _ in told(audited(desk, FILE))] == ["file"]
    desk.world.now_s += 30 * DAY_S
    assert told(audited(desk, FILE)) == [], "the file of then said so"


# ── damage


@pytest.mark.parametrize(
    ("work", "found"),
    [
        (mask(1, 1, 0, 0, 0, 0, 0, 0, 0), ["4 rows in its staged file, and its mask is one of others"]),
        (mask(1, 1, 0, 0, 0, 1), ["4 rows in its staged file, and its mask is one of others"]),
        (
            mask(1, 1, 1, 0),
            [
                "2 rows in its parts, 1 in its staged file, less those that are not sent",
                "1 rows in its staged file, less those that are not sent, 2 in its balance",
                "3 rows in its staged file are not sent, 1 repeated and 1 rejected in its balance",
                "its staged file has 1 rows of arrivals[0] 2..6 that are sent, not 2",
                "2 rows of arrivals[0] 2..6 are neither sent nor rejected, and 1 are repeated",
            ],
        ),
        (
            lambda entry: entry.pop("unsent"),
            [
                "2 rows in its parts, 4 in its staged file",
                "4 rows in its staged file, 2 in its balance",
                "0 rows in its staged file are not sent, 1 repeated and 1 rejected in its balance",
                "its staged file has 4 rows of arrivals[0] 2..6, not 2",
            ],
        ),
        (
            lambda entry: entry["parts"][0].update(rows=4),
            ["4 rows in its parts, 2 in its staged file, less those that are not sent"],
        ),
        (
            mask(1, 0, 0, 1),
            ["2 rows of arrivals[0] 2..6 are neither sent nor rejected, and 1 are repeated"],
        ),
        (
            balanced(staged=2, rejected=1, tombstones=1),
            [
                "2 rows in its staged file are not sent, 0 repeated and 1 rejected in its balance",
                "1 rows of arrivals[0] 2..6 are neither sent nor rejected, and 0 are repeated",
            ],
        ),
        (
            balanced(staged=2, repeated=2),
            [
                "1 rejected records in its file, 0 in its balance",
                "1 rows of arrivals[0] 2..6 are neither sent nor rejected, and 2 are repeated",
                "its rejected file has 1 rows of arrivals[0] 2..6, not 0",
            ],
        ),
        (
            balanced(staged=2, rejected=2),
            [
                "1 rejected records in its file, 2 in its balance",
                "1 rows of arrivals[0] 2..6 are neither sent nor rejected, and 0 are repeated",
                "its rejected file has 1 rows of arrivals[0] 2..6, not 2",
            ],
        ),
        (
            balanced(staged=1, repeated=2, rejected=1),
            [
                "2 rows in its staged file, less those that are not sent, 1 in its balance",
                "its staged file has 2 rows of arrivals[0] 2..6 that are sent, not 1",
                "1 rows of arrivals[0] 2..6 are neither sent nor rejected, and 2 are repeated",
            ],
        ),
    ],
    ids=[
        *("longer", "a bit more", "more rows", "none", "parts", "other rows"),
        *("no repeated", "no rejected", "rejected", "staged"),
    ],
)
def test_counts_that_do_not_agree_with_what_is_not_sent_are_found(
    ledger: Desk, work: Callable[[Any], object], found: list[str]
) -> None:
    change(ledger, KEYS.entry(2), work)
    assert words(looked(ledger)) == found


def test_an_entry_that_takes_rows_over_under_another_mask_or_balance_is_found(desk: Desk) -> None:
    desk.kafka.produce(A0, event(1), event(2))
    desk.run(file=HOLDS)
    desk.kafka.produce(A0, event(1, "on time"), event(2), event(3))
    desk.run(file=HOLDS)
    resolve_window(desk.person(HOLDS), 2, "deliver", "looked")
    assert desk.run(file=HOLDS).state == "done"
    assert told(looked(desk, HOLDS)) == []
    change(desk, KEYS.entry(3), mask(1, 0, 0))
    assert words(looked(desk, HOLDS)) == ["its mask is not that of its origin, entry 2"]
    change(desk, KEYS.entry(3), mask(0, 1, 0))
    change(desk, KEYS.entry(3), balanced(staged=2, tombstones=1))
    assert words(looked(desk, HOLDS)) == ["its balance is not that of its origin, entry 2"]


def test_a_replay_of_other_rows_than_were_sent_is_found(ledger: Desk) -> None:
    assert ledger.replay(file=FILE, entries=[2], model="second").run.rows_accepted == 2
    change(ledger, KEYS.entry(3), lambda entry: entry.update(staged=stored(ledger, KEYS.entry(2))["staged"]))
    assert words(audited(ledger, FILE, full=True)) == [
        "4 rows in its staged file, 2 in its origin, entry 2",
        "2 rows in its parts, 4 in its staged file",
    ]


def test_a_mask_that_nobody_can_read_makes_an_entry_that_cannot_be_read(ledger: Desk) -> None:
    change(ledger, KEYS.entry(2), lambda entry: entry.update(unsent="AAAA"))
    assert ("entry", "2", None) in told(audited(ledger, FILE))


def test_where_the_rejected_file_is_gone_by_age_the_balance_alone_is_looked_at(ledger: Desk) -> None:
    keeps = arrivals_file(keep={"rejected": "30d"})
    del ledger.store.objects[stored(ledger, KEYS.entry(2))["rejected"]["key"]]
    ledger.world.now_s += 31 * DAY_S
    assert told(looked(ledger, keeps)) == []
    change(ledger, KEYS.entry(2), balanced(staged=2, repeated=2))
    assert words(looked(ledger, keeps)) == ["1 rejected records in its file, 0 in its balance"]


# ── whatever comes

_EVENTS = st.builds(event, st.integers(1, 4), st.sampled_from(["late", "on time"]))
_STEPS = st.tuples(
    st.lists(_EVENTS | st.none() | st.just(b"bad"), max_size=6),
    st.sampled_from([0, 1]),
    st.sampled_from(["send", "hold", "reject"]),
    st.sampled_from(["taken", "refused"]),
    st.sampled_from(["deliver", "drop", "redo"]),
)


@pytest.mark.parametrize("path", ["sdk", "object_store"])
@given(steps=st.lists(_STEPS, min_size=1, max_size=5))
@settings(max_examples=5, deadline=None)
def test_an_audit_finds_nothing_whatever_actuals_say_by_whatever_policy(path: str, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        desk, sends = Pair(Path(scratch)).arrivals, arrivals_file(arize={"path": path})
        for values, number, corrections, answer, word in steps:
            file = arrivals_file(arize={"path": path}, policies={"corrections": corrections})
            desk.kafka.produce(Partition("arrivals", number), *values)
            desk.run(*[REFUSES] * (answer == "refused"), file=file)
            assert told(looked(desk, file)) == []
            for item in desk.person(file).ledger.state.held:
                resolve_window(desk.person(sends), item.number, word, "looked")
        assert desk.run(file=sends).state == "done"
        assert told(looked(desk)) == []
        desk.replay(entries=[1], model="second", file=FILE)
        desk.backfill(file=FILE, again="lost there")
        assert told(looked(desk)) == []
