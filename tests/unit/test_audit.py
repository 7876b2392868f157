"""An audit on ledgers that somebody damaged: each damage is found, said where, and told again until it is mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.cli_audit import audit_text
from sluice.audit.findings import Finding
from sluice.audit.report import AuditReport
from sluice.audit.work import Audit
from sluice.errors import LedgerOfAnotherVersion, SourceUnavailable, StoreUnavailable
from sluice.import_job import say_made
from sluice.ledger.keys import Keys
from sluice.offsets import GroupOffset, OffsetRange, Partition
from sluice.refiling import resolve_file
from sluice.report import RunReport
from sluice.resolution import resolve_window
from sluice.sweep import let_go
from tasks.audit_events import event_of_audit
from tasks.audit_pages import audit_page
from tests import parts
from tests.audits import FILE, audited, change, errors, put, stored, the_one, told
from tests.desk import A0, A1, Desk
from tests.parts import DROPS, REFUSES, TAKES_AND_DROPS, pipeline_file

KEYS = Keys("flights")
GOOD, BAD = b"good 1", b"bad 1"
HOUR_S, DAY_S = 3_600, 86_400
HOLDS = pipeline_file()
SURELY = pipeline_file(on_ambiguous="hold")
KEEPS = pipeline_file(share="100%", keep="{staged: 90d, rejected: 30d}")
LATE = pipeline_file(start="latest", share="100%")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    return Desk(tmp_path)


@pytest.fixture
def ledger(desk: Desk) -> Desk:
    """Three windows, delivered: of a[0] 0..3, 3..5 and 5..7, of a[1] 0..1, 1..3 and 3..4."""
    for of_a0, of_a1 in (([GOOD, BAD, b"good 2"], [GOOD]), ([GOOD, GOOD], [GOOD, None]), ([GOOD, GOOD], [GOOD])):
        desk.kafka.produce(A0, *of_a0)
        desk.kafka.produce(A1, *of_a1)
        assert desk.run(file=FILE).state == "done"
    return desk


# ── nothing is wrong


def test_a_ledger_that_is_well_is_told_so_and_nothing_but_a_mark_is_written(ledger: Desk) -> None:
    before = dict(ledger.store.objects)
    report = audited(ledger, full=True, deep=True)
    assert (told(report), report.findings) == ([], ())
    assert report.verdict == "4 entries: nothing is lost, doubled or damaged"
    assert report.walked is not None
    assert report.walked.totals is not None
    assert report.walked.totals.as_dict() == {
        "offsets": 11,
        "staged": 9,
        "tombstones": 1,
        "rejected": 1,
        "repeated": 0,
        "filtered": 0,
        "invisible": 0,
        "expired": 0,
        "rows_accepted": 9,
        "rows_placed": 0,
        "rows_dropped": 0,
    }
    assert set(ledger.store.objects) - set(before) == {KEYS.audit(0)}
    assert [row["group"] for row in report.as_dict()["partitions"]] == ["at", "at"]


def test_a_pipeline_that_never_ran_has_nothing_to_audit(desk: Desk) -> None:
    report = audited(desk)
    assert (report.run.state, report.verdict) == ("done", "no ledger yet: nothing to audit")
    assert not desk.store.objects


def test_the_next_audit_reads_only_what_is_new(ledger: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    audited(ledger)
    ledger.kafka.produce(A0, GOOD)
    ledger.run(file=FILE)
    keys: list[str] = []
    read = ledger.store.read

    def noted(key: str) -> bytes | None:
        keys.append(key)
        return read(key)

    with monkeypatch.context() as patch:
        patch.setattr(ledger.store, "read", noted)
        walked = Audit(ledger.open(FILE)).walk()
    of_entries = {key for key in keys if key.startswith((KEYS.entries, KEYS.deliveries))} - {KEYS.entry(0)}
    assert of_entries == {KEYS.entry(4), *(KEYS.delivery(4, 0, 0, what) for what in ("intent", "outcome"))}
    assert (walked.first, walked.stop, walked.looked) == (4, 5, 1)
    report = audited(ledger)
    assert report.verdict == "1 of 5 entries new: nothing is lost, doubled or damaged"
    assert report.walked is not None
    assert report.walked.totals is not None
    assert report.walked.totals.balance.total == 12


def test_what_waited_is_looked_at_again(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(REFUSES, file=FILE)
    first = audited(desk)
    assert [item.check for item in first.findings] == ["waiting"]
    desk.run(file=FILE)
    second = audited(desk)
    assert second.walked is not None
    assert second.walked.totals is not None
    assert (second.findings, second.walked.again, second.walked.totals.accepted) == ((), (1,), 1)
    third = audited(desk)
    assert third.walked is not None
    assert third.walked.again == ()


# ── the log


def test_an_entry_that_is_missing_is_found_and_so_is_the_gap_that_it_leaves(ledger: Desk) -> None:
    del ledger.store.objects[KEYS.entry(2)]
    assert told(audited(ledger)) == [
        ("entry", "2", None),
        *[("chain", "3", "a[0] 3..5"), ("chain", "3", "a[1] 1..3"), ("group", None, None)],
    ]


@pytest.mark.parametrize("data", [b"", b"{}", b'{"format": 1}', b"\xff"])
def test_an_entry_that_cannot_be_read_is_found(ledger: Desk, data: bytes) -> None:
    ledger.store.objects[KEYS.entry(3)] = data
    assert ("entry", "3", None) in told(audited(ledger))


def test_an_entry_of_a_newer_version_is_no_damage(ledger: Desk) -> None:
    change(ledger, KEYS.entry(3), lambda entry: entry.update(format=2))
    assert audited(ledger).run.error == LedgerOfAnotherVersion.__name__


def _range(n: int, **fields: Any) -> Callable[[Any], object]:
    return lambda entry: entry["ranges"][n].update(fields)


@pytest.mark.parametrize(
    ("work", "found"),
    [
        (_range(0, start=4, balance={"staged": 1}), ("chain", "2", "a[0] 3..4")),
        (_range(0, start=2, balance={"staged": 3}), ("chain", "2", "a[0] 2..3")),
        (_range(0, topic_id="another"), ("chain", "2", "a[0] 3..5")),
        (_range(0, topic="b"), ("chain", "2", "b[0] 3..5")),
        (_range(1, partition=0), ("chain", "2", "a[0] 1..3")),
        (_range(0, balance={"staged": 3}), ("entry", "2", "a[0] 3..5")),
        (_range(0, balance={"staged": 3, "rejected": -1}), ("entry", "2", None)),
        (lambda entry: entry.update(kind="genesis", pipeline="flights", topics=[]), ("entry", "2", None)),
    ],
    ids=["gap", "overlap", "topic id", "topic", "partition twice", "balance", "negative", "kind"],
)
def test_an_entry_that_does_not_go_on_where_the_ledger_stands_is_found(
    ledger: Desk, work: Callable[[Any], object], found: tuple[str, str, str]
) -> None:
    change(ledger, KEYS.entry(2), work)
    assert found in told(audited(ledger))


def test_a_second_genesis_and_a_topic_that_is_taken_up_twice_are_found(ledger: Desk) -> None:
    genesis = stored(ledger, KEYS.entry(0))
    put(ledger, KEYS.entry(4), {**genesis, "id": "0" * 32})
    pin = {name: value for name, value in genesis.items() if name != "pipeline"}
    put(ledger, KEYS.entry(5), {**pin, "id": "1" * 32, "kind": "pin"})
    skip = {"ranges": ["a[0] 6..9"], "kind": "skip", "reason": "tried"}
    put(ledger, KEYS.entry(6), {**{name: pin[name] for name in ("format", "written_at", "run")}, "id": "2", **skip})
    assert told(audited(ledger))[:3] == [("chain", "4", None), ("chain", "5", None), ("chain", "6", "a[0] 6..7")]


@pytest.mark.parametrize("data", [None, b"{}"])
def test_a_ledger_without_its_genesis_is_damaged(ledger: Desk, data: bytes | None) -> None:
    ledger.store.objects[KEYS.entry(0)] = data or b""
    if data is None:
        del ledger.store.objects[KEYS.entry(0)]
    assert told(audited(ledger)) == [("entry", "0", None)]
    assert KEYS.audit(0) not in ledger.store.objects


def test_a_genesis_of_another_pipeline_is_told(ledger: Desk) -> None:
    change(ledger, KEYS.entry(0), lambda entry: entry.update(pipeline="trains"))
    assert ("mark", None, None) in told(audited(ledger))


# ── what is sealed


def test_rows_that_the_parts_the_file_and_the_balance_do_not_agree_on_are_found(ledger: Desk) -> None:
    change(ledger, KEYS.entry(1), lambda entry: entry["parts"][0].update(rows=7))
    change(ledger, KEYS.entry(2), lambda entry: entry["staged"].update(rows=7))
    change(ledger, KEYS.entry(3), lambda entry: entry.pop("rejected", None) or entry["ranges"][0].update(
        balance={"staged": 1, "rejected": 1}))  # fmt: skip
    found = [item.what for item in errors(audited(ledger)) if item.check == "rows"]
    assert found == [
        "8 rows in its parts, 3 in its staged file",
        "3 rows in its parts, 7 in its staged file",
        "7 rows in its staged file, 3 in its balance",
        "3 rows in its staged file, 2 in its balance",
        "0 rejected records in its file, 1 in its balance",
    ]


def test_a_file_that_is_gone_or_of_another_size_is_found_and_mended_when_it_is_back(ledger: Desk) -> None:
    gone, cut = (stored(ledger, KEYS.entry(number))["staged"]["key"] for number in (1, 2))
    data = ledger.store.objects.pop(gone)
    ledger.store.objects[cut] += b" "
    found = told(audited(ledger))
    assert found == [("file", "1", None), ("file", "2", None)]
    assert told(audited(ledger)) == found, "it is told again though nothing is new"
    ledger.store.objects |= {gone: data, cut: ledger.store.objects[cut][:-1]}
    assert told(audited(ledger)) == []


def test_a_file_that_is_there_is_read_by_a_deep_audit(ledger: Desk) -> None:
    file = stored(ledger, KEYS.entry(3))["staged"]["key"]
    data = ledger.store.objects[file]
    ledger.store.objects[file] = data[:-1] + b"!"
    assert told(audited(ledger)) == []
    assert told(audited(ledger, full=True, deep=True)) == [("file", "3", None)]


def test_a_deep_audit_counts_rows_by_their_offsets(ledger: Desk, tmp_path: Path) -> None:
    """The file is as its entry says, and its rows are not the entry's."""
    frame = pl.DataFrame(
        {"topic": ["a"] * 3, "partition": [0, 0, 1], "offset": [5, 5, 99], "version": ["1"] * 3},
        schema={"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64(), "version": pl.String()},
    )
    staged = ledger.open(FILE).staging.stage(frame, OffsetRange(A0, 5, 7))
    assert staged is not None
    change(ledger, KEYS.entry(3), lambda entry: entry.update(staged=staged.model_dump()))
    words = " ".join(item.what for item in errors(audited(ledger, deep=True)))
    for what in ("an offset twice", "0 rows of a[1] 3..4, not 1", "1 rows of other offsets"):
        assert what in words


def test_a_file_that_keep_lets_go_of_is_not_missed_and_one_that_waits_is(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, GOOD, BAD)
    desk.run(file=KEEPS)
    desk.kafka.produce(A0, GOOD)
    desk.run(REFUSES, file=KEEPS)
    for key in [key for key in desk.store.objects if key.endswith(".parquet")]:
        del desk.store.objects[key]
    assert [entry for _, entry, _ in told(audited(desk, KEEPS, full=True))] == ["1", "1", "2"]
    desk.world.now_s += 31 * DAY_S
    assert [entry for _, entry, _ in told(audited(desk, KEEPS, full=True))] == ["1", "2"]
    desk.world.now_s += 60 * DAY_S
    assert [entry for _, entry, _ in told(audited(desk, KEEPS, full=True))] == ["2"]
    assert [entry for _, entry, _ in told(audited(desk, FILE, full=True))] == ["2"], "the file of then said so"


def test_what_a_held_window_keeps_is_wanted_until_it_is_ended(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, BAD, BAD)
    desk.run(file=HOLDS)
    assert told(audited(desk, HOLDS)) == []
    held = [key for key in desk.store.objects if key.startswith("held/")]
    kept = {key: desk.store.objects.pop(key) for key in held}
    assert told(audited(desk, HOLDS)) == [("file", "1", "a[0] 0..3")]
    desk.store.objects |= kept
    resolve_window(desk.person(HOLDS), 1, "redo", "it is right")
    resolve_window(desk.person(HOLDS), 2, "deliver", "it is right")
    assert desk.run(file=HOLDS).state == "done"
    assert told(audited(desk, HOLDS)) == []
    for key in held:
        del desk.store.objects[key]
    assert {entry for _, entry, _ in told(audited(desk, HOLDS, full=True))} == {"1", "2"}


def test_the_raw_records_of_a_held_window_are_all_of_them(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, BAD, BAD, None)
    desk.run(file=HOLDS)
    assert told(audited(desk, HOLDS, deep=True)) == []
    change(desk, KEYS.entry(1), lambda entry: entry["raw"].update(rows=3))
    found = [(item.check, item.what) for item in errors(audited(desk, HOLDS, full=True, deep=True))]
    assert [item for item in found if item[0] != "mark"] == [
        ("rows", "3 raw records in its file, 4 in its balance"),
        ("file", "its raw file has 4 rows, not 3"),
    ]


def test_a_file_that_waited_for_longer_than_keep_may_go_as_soon_as_it_is_delivered(desk: Desk) -> None:
    keeps = pipeline_file(keep="{staged: 30d, rejected: 30d}")
    desk.kafka.produce(A0, GOOD, BAD, BAD)
    desk.run(file=keeps)
    desk.world.now_s += 40 * DAY_S
    resolve_window(desk.person(keeps), 1, "deliver", "it is right")
    desk.run(file=keeps)
    assert len(let_go(desk.person(keeps), is_trial=False)) == 3
    assert told(audited(desk, keeps)) == []
    assert told(audited(desk, HOLDS, full=True)) == [], "the file of then said so"


# ── deliveries


def test_rows_that_arize_took_fewer_of_are_found(ledger: Desk) -> None:
    change(ledger, KEYS.delivery(3, 0, 0, "outcome"), lambda outcome: outcome.update(rows=1))
    found = the_one(audited(ledger))
    assert (found.check, found.what) == ("delivery", "Arize took 1 of the 3 rows of part 0")


def test_a_part_that_was_accepted_twice_is_found_unless_a_doubt_names_it(ledger: Desk) -> None:
    for what in ("intent", "outcome"):
        put(ledger, KEYS.delivery(3, 0, 1, what), stored(ledger, KEYS.delivery(3, 0, 0, what)))
    assert the_one(audited(ledger, full=True)).what == "part 0 was accepted 2 times, and no doubt names it"
    doubt = {"format": 1, "kind": "doubt", "written_at": "2026-01-01T00:00:00Z", "entry": 3, "part": 0, "delivery": 0}
    put(ledger, KEYS.doubt(3, 0), {**doubt, "run": "run"})
    report = audited(ledger, full=True)
    assert (told(report), the_one(report, "warning").check) == ([], "doubt")


def test_a_part_that_was_sent_again_without_a_word_is_found_and_with_one_it_is_named(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(TAKES_AND_DROPS, file=FILE)
    report = audited(desk)
    assert (told(report), the_one(report, "warning").entry) == ([], 1)
    assert report.as_dict()["may_be_counted_twice"] == 1
    assert audited(desk).findings == (), "what was told of a settled entry is not told each day"
    del desk.store.objects[KEYS.doubt(1, 0)]
    assert the_one(audited(desk, full=True)).what == "part 0 was sent again, and no doubt names it"


def test_a_delivery_that_is_damaged_or_of_another_entry_is_found(ledger: Desk) -> None:
    change(ledger, KEYS.delivery(1, 1, 0, "intent"), lambda intent: intent.update(entry_id="0" * 32))
    del ledger.store.objects[KEYS.delivery(2, 0, 0, "intent")]
    assert [item[:2] for item in told(audited(ledger))] == [("delivery", "1"), ("delivery", "2")]


IMPORTED = pipeline_file(share="100%", path="object_store")


def test_a_file_that_arize_took_is_accepted_and_one_that_nobody_may_ask_about_is_placed(desk: Desk) -> None:
    existing = pipeline_file(share="100%", path="object_store", import_job="existing")
    desk.asks = False
    desk.kafka.produce(A0, GOOD)
    assert desk.run(file=existing).error == "ImportJobMissing"
    say_made(desk.person(existing))
    assert desk.run(file=existing).state == "done"
    desk.asks = True
    desk.kafka.produce(A0, GOOD, GOOD)
    assert desk.run(file=IMPORTED).state == "done"
    report = audited(desk, IMPORTED)
    assert report.walked is not None
    assert report.walked.totals is not None
    totals = report.walked.totals
    assert (report.findings, totals.accepted, totals.placed) == ((), 2, 1)


def test_a_file_that_waits_is_no_news_at_first_and_one_that_failed_is(desk: Desk) -> None:
    desk.imports.is_looking = False
    desk.kafka.produce(A0, GOOD)
    desk.run(file=IMPORTED)
    assert audited(desk, IMPORTED).findings == ()
    desk.world.now_s += DAY_S + 1
    found = the_one(audited(desk, IMPORTED), "warning")
    assert (found.check, "Arize has not said yet" in found.what) == ("waiting", True)
    desk.imports.is_looking = True
    desk.imports.verdicts.append("failed")
    desk.run(file=IMPORTED)
    found = the_one(audited(desk, IMPORTED), "warning")
    assert (found.check, found.entry, "redeliver" in found.next_step) == ("waiting", 1, True)


def test_a_file_that_went_out_as_another_one_is_settled_by_that(desk: Desk) -> None:
    desk.imports.verdicts.append("failed")
    desk.kafka.produce(A0, GOOD)
    desk.run(file=IMPORTED)
    assert resolve_file(desk.person(IMPORTED), 1, "redeliver", "mended") == 2
    desk.run(file=IMPORTED)
    report = audited(desk, IMPORTED)
    assert report.walked is not None
    assert report.walked.totals is not None
    assert (report.findings, report.walked.totals.accepted) == ((), 1)
    put(desk, KEYS.entry(3), {**stored(desk, KEYS.entry(2)), "id": "0" * 32})
    assert ("derived", "3", "a[0] 0..1") in told(audited(desk, IMPORTED))


def test_what_a_person_let_be_sent_again_and_came_twice_is_a_warning(ledger: Desk) -> None:
    for number, kind in ((1, "released"), (2, "accepted")):
        put(ledger, KEYS.delivery(3, 0, number, "intent"), stored(ledger, KEYS.delivery(3, 0, 0, "intent")))
        outcome = stored(ledger, KEYS.delivery(3, 0, 0, "outcome"))
        put(ledger, KEYS.delivery(3, 0, number, "outcome"), {**outcome, "kind": kind})
    report = audited(ledger)
    assert (told(report), "accepted 2 times" in the_one(report, "warning").what) == ([], True)


# ── claims and derived entries


@pytest.fixture
def backfilled(desk: Desk) -> Desk:
    """Entry 1 claims what lay there before the genesis, in two slots; entry 2 is a window behind it."""
    desk.kafka.produce(A0, *[GOOD] * 6)
    desk.run(file=LATE)
    assert desk.backfill(file=LATE).run.state == "done"
    desk.kafka.produce(A0, GOOD)
    assert desk.run(file=LATE).state == "done"
    assert told(audited(desk, LATE)) == []
    return desk


@pytest.mark.parametrize(
    ("ranges", "again", "found"),
    [
        ("a[0] 4..6", False, "an entry has"),
        ("a[0] 5..8", True, "behind the ledger's position"),
        ("b[0] 0..1", False, "behind the ledger's position"),
        ("a[0] 4..6", True, None),
    ],
)
def test_a_claim_of_what_is_not_its_own_to_take_is_found(
    backfilled: Desk, ranges: str, again: bool, found: str | None
) -> None:
    claim = {**stored(backfilled, KEYS.entry(1)), "id": "0" * 32, "windows": [{"ranges": [ranges]}], "again": again}
    put(backfilled, KEYS.entry(3), claim)
    report = audited(backfilled, LATE)
    assert [item.check for item in errors(report)] == (["claim"] if found else [])
    assert found is None or found in errors(report)[0].what


def test_two_claims_of_the_same_offsets_are_found(backfilled: Desk) -> None:
    claim = {**stored(backfilled, KEYS.entry(1)), "windows": [{"ranges": ["a[0] 0..2"]}], "again": True}
    put(backfilled, KEYS.entry(3), {**claim, "id": "0" * 32})
    put(backfilled, KEYS.entry(4), {**claim, "id": "1" * 32})
    assert told(audited(backfilled, LATE)) == [("claim", "4", "a[0] 0..2")]


@pytest.mark.parametrize(
    ("work", "found"),
    [
        (_range(0, start=1, balance={"staged": 3}), ("claim", "1/0", "a[0] 1..4")),
        (_range(0, partition=1), ("claim", "1/0", "a[1] 0..4")),
        (_range(0, topic_id="another"), ("claim", "1/0", "a[0] 0..4")),
        (_range(0, balance={"staged": 5}), ("entry", "1/0", "a[0] 0..4")),
        (lambda slot: slot.update(slot=1), ("claim", "1/0", None)),
    ],
    ids=["start", "partition", "topic id", "balance", "name"],
)
def test_a_slot_that_is_not_what_its_claim_fixed_is_found(
    backfilled: Desk, work: Callable[[Any], object], found: tuple[str, str, str]
) -> None:
    change(backfilled, KEYS.slot(1, 0), work)
    assert found in told(audited(backfilled, LATE, full=True))


def test_a_slot_that_its_claim_never_had_is_found(backfilled: Desk) -> None:
    put(backfilled, KEYS.slot(1, 2), {**stored(backfilled, KEYS.slot(1, 0)), "slot": 2, "id": "0" * 32})
    assert ("claim", "1/2", None) in told(audited(backfilled, LATE, full=True))


def test_a_held_entry_that_was_ended_twice_is_found(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, BAD, BAD)
    desk.run(file=HOLDS)
    resolve_window(desk.person(HOLDS), 1, "deliver", "it is right")
    desk.run(file=HOLDS)
    assert told(audited(desk, HOLDS)) == []
    put(desk, KEYS.entry(3), {**stored(desk, KEYS.entry(2)), "id": "0" * 32})
    assert ("derived", "3", "a[0] 0..3") in told(audited(desk, HOLDS))


def test_a_derived_entry_that_is_not_of_its_origin_is_found(ledger: Desk) -> None:
    replayed = ledger.replay(file=FILE, entries=[3], model="another")
    assert replayed.run.state == "done"
    assert told(audited(ledger)) == []
    made = stored(ledger, KEYS.entry(4))
    put(ledger, KEYS.entry(5), {**made, "id": "0" * 32})
    put(ledger, KEYS.entry(6), {**made, "id": "1" * 32, "origin": 9, "target": "elsewhere"})
    put(ledger, KEYS.entry(7), {**made, "id": "2" * 32, "origin": 2, "target": "elsewhere"})
    found = [(item.entry, item.what) for item in errors(audited(ledger)) if item.check == "derived"]
    assert found == [
        (5, "entry 4 has taken the rows of entry 3 to the same place"),
        (6, "its origin, entry 9, is no window before it"),
        (7, "its offsets are not those of its origin, entry 2"),
    ]


def test_an_entry_that_delivers_other_rows_than_those_that_were_held_is_found(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, BAD, BAD)
    desk.run(file=HOLDS)
    resolve_window(desk.person(HOLDS), 1, "deliver", "it is right")
    desk.run(file=HOLDS)

    def other_rows(entry: Any) -> None:
        entry["staged"]["rows"] = entry["parts"][0]["rows"] = 2

    change(desk, KEYS.entry(2), other_rows)
    found = [item.what for item in errors(audited(desk, HOLDS, full=True)) if item.check in ("rows", "derived")]
    assert found == [
        "2 rows in its staged file, 1 in its origin, entry 1",
        "its staged file is not that of its origin, entry 1",
    ]


def test_more_rejected_records_than_there_were_cannot_go_out(ledger: Desk) -> None:
    mended = pipeline_file(share="100%", model="mended")
    assert ledger.replay(file=mended, entries=[1], what="rejected").run.state == "done"
    assert told(audited(ledger)) == []
    put(ledger, KEYS.entry(5), {**stored(ledger, KEYS.entry(4)), "id": "0" * 32})
    found = [item for item in errors(audited(ledger)) if item.check == "derived"]
    assert [item.what for item in found] == ["2 of the 1 rejected records of entry 1 went out by now"]


# ── checkpoints and marks


@pytest.fixture
def checkpointed(desk: Desk) -> Desk:
    """A window that waits, and a checkpoint behind it."""
    desk.kafka.produce(A0, GOOD, GOOD)
    desk.run(REFUSES, file=FILE)
    run = desk.open(FILE)
    run.require_ledger(write=False)
    run.ledger.write_checkpoint()
    return desk


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda stored: stored.update(open={}), "leaves out entry 1, which is not delivered"),
        (lambda stored: stored["positions"].update({"a[0]": [3, 1, None]}), "differs from the entries in positions"),
        (lambda stored: stored["open"]["1"].update({"a[0]": [1, 0, None]}), "has other positions before entry 1"),
        (lambda stored: stored["covered"].update({"a[0]": [[0, 3]]}), "has offsets as sealed that no entry has"),
        (lambda stored: stored["covered"].update({"a[0]": [[0, 1]]}), "leaves out offsets that an entry has"),
        (lambda stored: stored.pop("topics"), "cannot be read at topics"),
    ],
)
def test_a_checkpoint_that_says_otherwise_than_the_entries_is_found(
    checkpointed: Desk, work: Callable[[Any], object], says: str
) -> None:
    report = audited(checkpointed)
    assert (told(report), report.as_dict()["checkpoints_compared"]) == ([], 1)
    change(checkpointed, KEYS.checkpoint(2), work)
    found = [item for item in errors(audited(checkpointed, full=True)) if item.check == "checkpoint"]
    assert [says in item.what for item in found] == [True]


def test_a_checkpoint_that_leaves_out_a_slot_that_waits_is_found(backfilled: Desk) -> None:
    backfilled.kafka.produce(A1, GOOD)
    claim = {**stored(backfilled, KEYS.entry(1)), "id": "0" * 32, "windows": [{"ranges": ["a[0] 0..2"]}], "again": True}
    put(backfilled, KEYS.entry(3), claim)
    run = backfilled.open(LATE)
    run.require_ledger(write=False)
    run.ledger.write_checkpoint()
    assert told(audited(backfilled, LATE, full=True)) == []
    change(backfilled, KEYS.checkpoint(4), lambda stored: stored["claims"].pop("3"))
    found = the_one(audited(backfilled, LATE, full=True))
    assert found.what.endswith("leaves out slot 3/0, which is not done")


def test_an_error_of_the_log_is_told_again_until_an_audit_of_all_of_it_finds_nothing(ledger: Desk) -> None:
    entry = ledger.store.objects.pop(KEYS.entry(2))
    first = told(audited(ledger))
    ledger.store.objects[KEYS.entry(2)] = entry
    log_of_it = [item for item in first if item[0] != "group"]
    assert told(audited(ledger)) == log_of_it
    assert told(audited(ledger, full=True)) == []
    assert told(audited(ledger)) == []


def test_an_entry_that_was_changed_after_an_audit_is_found_by_one_of_all_of_it(ledger: Desk) -> None:
    audited(ledger)
    change(ledger, KEYS.entry(2), lambda entry: entry.update(run="another"))
    assert told(audited(ledger)) == []
    found = the_one(audited(ledger, full=True))
    assert found.what == "one of the entries 0 to 3 is not what an earlier audit read"


def test_a_log_that_lost_its_newest_entries_is_found(ledger: Desk) -> None:
    audited(ledger)
    for key in [key for key in ledger.store.objects if key.startswith((KEYS.entry(3), KEYS.deliveries_of(3)))]:
        del ledger.store.objects[key]
    ledger.kafka.group.clear()
    found = the_one(audited(ledger))
    assert (found.check, found.what.endswith("and its last one is 2: the newest are gone")) == ("mark", True)
    assert told(audited(ledger)) == [("mark", None, None)], "the mark of the second audit does not hide it"


def test_a_mark_that_is_damaged_or_of_another_ledger_makes_an_audit_begin_anew(ledger: Desk) -> None:
    audited(ledger)
    ledger.store.objects[KEYS.audit(0)] = b"{}"
    report = audited(ledger)
    assert (told(report), the_one(report, "warning").check) == ([], "mark")
    assert report.as_dict()["audited_before"] is None
    change(ledger, KEYS.audit(1), lambda mark: mark["state"].update(ledger_id="another"))
    assert ("mark", None, None) in told(audited(ledger))


# ── beside the ledger


def test_what_waits_for_a_person_or_for_long_is_told_with_what_comes_next(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(DROPS, file=SURELY)
    found = the_one(audited(desk, SURELY), "warning")
    assert (found.check, found.entry, "delivered|resend" in found.next_step) == ("waiting", 1, True)


def test_a_window_that_is_just_sealed_is_no_news_and_after_a_day_it_is(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    run = desk.open(FILE)
    run.stage(run.plan().plan.windows[0])
    assert audited(desk).findings == ()
    desk.world.now_s += DAY_S + 1
    assert the_one(audited(desk), "warning").check == "waiting"


def test_a_group_that_was_moved_is_a_warning_and_offsets_that_are_gone_are_an_error(ledger: Desk) -> None:
    ledger.kafka.group[A0] = GroupOffset(partition=A0, offset=3, metadata="theirs")
    report = audited(ledger)
    assert (told(report), "GroupMoved" in the_one(report, "warning").what) == ([], True)
    assert [row["group"] for row in report.as_dict()["partitions"]] == ["behind", "at"]
    ledger.kafka.group.clear()
    ledger.kafka.produce(A0, *[GOOD] * 5)
    ledger.kafka.earliest[A0] = 9
    fails = pipeline_file(share="100%", on_expired="fail")
    assert "OffsetsExpired" in the_one(audited(ledger, fails)).what


def test_offsets_that_were_gone_before_they_were_read_are_told_once(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILE)
    desk.kafka.produce(A0, *[GOOD] * 5)
    desk.kafka.earliest[A0] = 3
    desk.run(file=FILE)
    found = the_one(audited(desk), "warning")
    assert (found.check, str(found.range)) == ("expired", "a[0] 1..6")
    assert audited(desk).findings == ()


def test_kafka_that_cannot_be_asked_is_a_warning_and_the_ledger_is_audited(ledger: Desk) -> None:
    def gone(topics: Sequence[str]) -> Any:
        raise SourceUnavailable("no broker")

    ledger.kafka.snapshot = gone  # type: ignore[method-assign]
    report = audited(ledger)
    assert (told(report), report.walked is not None and report.walked.looked) == ([], 3)
    assert "SourceUnavailable" in the_one(report, "warning").what


def test_a_store_that_does_not_answer_ends_the_audit(ledger: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: str) -> Iterator[str]:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(ledger.store, "keys", silent)
    report = audited(ledger)
    assert (report.run.state, report.run.error, report.verdict) == ("failed", "StoreUnavailable", "not audited")


def test_retention_is_forecast_by_the_rate_that_was_measured(ledger: Desk) -> None:
    audited(ledger)
    ledger.kafka.produce(A0, *[GOOD] * 20)
    ledger.world.now_s += 2 * HOUR_S
    ledger.kafka.earliest[A0] = 4
    report = audited(ledger)
    rows = {row["partition"]: row for row in report.as_dict()["partitions"]}
    assert (rows[0]["retention_hours"], rows[0]["retention_by"]) == (1.5, "rate"), "3 offsets, 2 an hour"
    assert rows[1]["retention_hours"] is None, "nothing is unread"
    found = the_one(report, "warning")
    assert (found.check, str(found.range)) == ("retention", "a[0] 7..27")


def test_retention_is_forecast_by_the_age_of_what_is_unread_where_no_rate_is_known(ledger: Desk) -> None:
    """Whatever is older than ten hours is deleted; the next offset to read is as old as five."""
    ledger.kafka.produce(A0, *[GOOD] * 20)
    ledger.kafka.keeps_s = 10 * HOUR_S
    written_s = ledger.world.now_s - 5 * HOUR_S

    def offsets_at(partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 7 if timestamp_ms <= written_s * 1000 else 27)

    ledger.kafka.offsets_at = offsets_at  # type: ignore[method-assign]
    row = audited(ledger).as_dict()["partitions"][0]
    assert (row["retention_hours"], row["retention_by"]) == (6.0, "time")


def test_files_that_nobody_needs_are_counted_and_let_go_of_only_when_told_so(ledger: Desk) -> None:
    left = KEYS.file("staged", OffsetRange(A0, 2, 4), "f" * 64)
    ledger.store.put_once(left, b"left over")
    assert audited(ledger).as_dict()["files_nobody_needs"] is None
    assert audited(ledger, full=True).as_dict()["files_nobody_needs"] == 1
    entry = ledger.store.objects.pop(KEYS.entry(2))
    assert audited(ledger, full=True, sweep=True).swept is None, "a damaged ledger is not swept"
    ledger.store.objects[KEYS.entry(2)] = entry
    swept = audited(ledger, full=True, sweep=True).as_dict()
    assert (swept["files_swept"], left in ledger.store.objects) == (1, False)


# ── told to people


def test_the_command_the_page_and_the_event_tell_where_and_what_comes_next(ledger: Desk) -> None:
    well = audited(ledger)
    assert event_of_audit(well, url=None) is None
    assert "4 entries: nothing is lost" in audit_text(well.as_dict())
    gone = stored(ledger, KEYS.entry(2))["staged"]["key"]
    del ledger.store.objects[gone]
    report = audited(ledger, full=True)
    found = report.as_dict()
    text, page = audit_text(found), audit_page(found)
    for words in (f"its staged file {gone} is gone from the store", "bring the file back from a backup"):
        assert words in text
        assert words in page
    assert "error: entry 2: its staged file" in text
    assert "11 = 9 staged + 1 tombstones + 1 rejected" in text
    event = event_of_audit(report, url="http://prefect/run")
    assert event is not None
    assert (event.labels, event.payload["errors"]) == ({"sluice.severity": "error"}, 1)
    assert report.run.message.endswith("See docs/runbook.md#audit-failed.")
    json.dumps([found, dict(event.payload)])


def test_a_page_is_a_table_whatever_stands_in_a_reason() -> None:
    finding = Finding(severity="warning", check="waiting", what="held: a | b\nc", entry=12, range=OffsetRange(A0, 1, 3))
    report = AuditReport(run=RunReport(pipeline="p", run_id="r", started_at="now")).with_findings([finding] * 2)
    assert "| warning | entry 12, a[0] 1..3 | held: a \\| b c |  |" in audit_page(report.as_dict())


def test_of_very_many_findings_the_first_are_kept_errors_before_warnings() -> None:
    many = [Finding(severity=item, check="file", what=f"{n}") for n in range(600) for item in ("warning", "error")]
    report = AuditReport(run=RunReport(pipeline="p", run_id="r", started_at="now")).with_findings(many)
    assert (report.counts, len(report.findings)) == ({"error": 600, "warning": 600}, 1000)
    assert [item.severity for item in report.findings[:500]] == ["error"] * 500
    assert report.with_findings(many[:2]).counts == {"error": 601, "warning": 601}
