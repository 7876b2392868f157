"""Rejected records, run by run: those that pass by now go out, each once; what still fails stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.cli_text import rejected_text, status_text
from sluice.ledger.names import SlotName
from sluice.rejections import rejections
from sluice.replay.report import ReplayReport
from sluice.resolution import resolve_window
from sluice.status import status
from sluice.sweep import let_go
from tests import parts
from tests.desk import A0, A1, Desk
from tests.parts import REFUSES, pipeline_file

GOOD, BAD, WORSE = b"good 1", b"bad 1", b"worst"
LAX = pipeline_file(share="100%")
MENDED = pipeline_file(share="100%", model="mended")
KEEPS = pipeline_file(keep="{staged: 30d}")
DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Entry 1: two of four records of a[0] are rejected, one of which passes by a mended file; entry 2: one of a[1]."""
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, GOOD, BAD, WORSE, None)
    assert desk.run(file=LAX).state == "done"
    desk.kafka.produce(A1, BAD, GOOD)
    assert desk.run(file=LAX).state == "done"
    desk.arize.arrived.clear()
    return desk


def redeemed(desk: Desk, *says: parts.Said, file: Any = MENDED, entries: tuple[int | str, ...] = (1,)) -> ReplayReport:
    return desk.replay(*says, file=file, entries=entries, what="rejected")


def counts(report: ReplayReport) -> list[dict[str, int] | None]:
    return [dict(item.redeemed) if item.redeemed else None for item in report.items]


def told(rejected: int, before: int, now: int, still: int, *, taken_again: int = 0) -> dict[str, int]:
    found = {"rejected": rejected, "redeemed_before": before, "taken_again": taken_again}
    return {**found, "redeemed": now, "still_rejected": still}


def arrived(desk: Desk) -> list[tuple[str, int, int]]:
    return sorted(place for _, places in desk.arrived for place in places)


def test_what_passes_goes_out_once_and_the_balance_stays(desk: Desk) -> None:
    first = desk.entries[1]
    report = redeemed(desk)
    assert (report.run.state, counts(report)) == ("done", [told(2, 0, 1, 1)])
    entry = desk.derived()
    assert (entry.purpose, entry.rows, entry.origin, entry.destination.model) == ("rejected", "rejected", 1, "mended")
    assert (entry.pipeline_sha256, entry.ranges, entry.parts[0].rows) == (MENDED.sha256, first.ranges, 1)  # type: ignore[union-attr]
    assert arrived(desk) == [("a", 0, 1)]
    again = redeemed(desk)
    assert (again.run.state, counts(again), again.items[0].before) == ("done", [told(2, 1, 0, 1)], (3,))
    assert (desk.entries[1], len(desk.entries)) == (first, 4)


def test_several_entries_go_by_themselves_and_one_without_rejected_records_is_nothing(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=LAX)
    desk.arize.arrived.clear()
    report = redeemed(desk, entries=(1, 2, 3))
    assert (report.run.state, counts(report)) == ("done", [told(2, 0, 1, 1), told(1, 0, 1, 0), None])
    assert arrived(desk) == [("a", 0, 1), ("a", 1, 0)]


def test_what_still_fails_is_tried_again_by_the_next_mended_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    redeemed(desk)
    desk.kafka.produce(A0, GOOD)

    def takes_all(pipeline: Any, ranges: Any, *, now_s: float) -> Any:
        for item in ranges:
            for record in item.records.items:
                assert record.offset != 1, "it went out before"
                object.__setattr__(record, "value", GOOD)
        return parts.map_simply(pipeline, ranges, now_s=now_s)

    monkeypatch.setattr("sluice.windows.map_window", takes_all)
    report = redeemed(desk)
    assert counts(report) == [told(2, 1, 1, 0)]
    assert (report.items[0].before, report.items[0].sealed) == ((3,), (4,))
    assert arrived(desk) == [("a", 0, 1), ("a", 0, 2)]


def test_where_nothing_passes_nothing_is_written(desk: Desk) -> None:
    before = dict(desk.store.objects)
    report = redeemed(desk, file=LAX)
    assert (report.run.state, counts(report), desk.store.objects) == ("done", [told(2, 0, 0, 2)], before)


def test_a_dry_run_says_how_many_would_pass(desk: Desk) -> None:
    before = dict(desk.store.objects)
    report = desk.look(MENDED, entries=[1], what="rejected")
    assert (counts(report), report.items[0].rows, report.items[0].source) == ([told(2, 0, 1, 1)], 1, "rejected")
    assert (desk.store.objects, desk.arrived) == (before, [])


def test_what_a_failed_start_sealed_is_finished_by_the_next_one(desk: Desk) -> None:
    failed = redeemed(desk, REFUSES)
    assert (failed.run.error, failed.items[0].entries) == ("DeliveryRefused", (3,))
    again = redeemed(desk)
    assert (again.run.state, again.items[0].entries, again.items[0].sealed) == ("done", (3,), ())
    assert arrived(desk) == [("a", 0, 1)]


def test_a_checkpoint_remembers_what_was_redeemed(desk: Desk) -> None:
    redeemed(desk)
    desk.person().ledger.write_checkpoint()
    assert desk.person().ledger.state.once_more.redeemed == {1: {3: 1}}
    assert counts(redeemed(desk)) == [told(2, 1, 0, 1)]


def test_rejected_and_status_say_how_many_were_redeemed(desk: Desk) -> None:
    assert (rejections(desk.person(), 1)["redeemed"], status(desk.open())["redeemed"]) == (0, 0)
    redeemed(desk, entries=(1, 2))
    found, stands = rejections(desk.person(), 1), status(desk.open())
    assert (found["rejected"], found["redeemed"], stands["redeemed"]) == (2, 1, 2)
    assert "1 of them passed later, and went out" in rejected_text(found)
    assert "2 rejected records passed later, and went out" in status_text(stands)


def test_what_went_out_is_not_forgotten_with_its_file_but_said(desk: Desk) -> None:
    redeemed(desk)
    desk.world.now_s += 40 * DAY_S
    assert let_go(desk.person(KEEPS), is_trial=False)
    assert redeemed(desk).run.error == "StagedFileDamaged"
    assert arrived(desk) == [("a", 0, 1)]


def test_records_of_which_only_the_offsets_were_kept_cannot_be_tried(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path)
        desk.kafka.produce(A0, GOOD, BAD)
        desk.run(file=pipeline_file(rejected="offsets"))
        report = redeemed(desk)
    assert report.run.error == "NothingToReplay"
    assert "only the offsets were kept" in report.run.message


def test_the_rejected_records_of_a_held_window_go_behind_its_end_by_the_entry_that_delivered_it(desk: Desk) -> None:
    desk.kafka.produce(A0, BAD, BAD, GOOD)
    assert desk.run().state == "held"
    assert "is held" in redeemed(desk, entries=(3,)).run.message
    resolve_window(desk.person(), 3, "deliver", "looked")
    desk.run()
    assert "ended it: 4" in redeemed(desk, entries=(3,)).run.message
    report = redeemed(desk, entries=(4,))
    assert (report.run.state, counts(report)) == ("done", [told(2, 0, 2, 0)])
    assert (desk.derived().origin, rejections(desk.person(), 3)["redeemed"]) == (3, 2)
    assert counts(redeemed(desk, entries=(4,))) == [told(2, 2, 0, 0)]


def test_what_redo_rejected_again_is_redeemed_by_the_redo(desk: Desk) -> None:
    desk.kafka.produce(A0, BAD, WORSE, GOOD)
    assert desk.run().state == "held"
    resolve_window(desk.person(LAX), 3, "redo", "looked")
    desk.run()
    assert "ended it: 4" in redeemed(desk, entries=(3,)).run.message
    assert counts(redeemed(desk, entries=(4,))) == [told(2, 0, 1, 1)]


def test_rejected_records_of_a_slot_go_too(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path)
        desk.kafka.produce(A0, GOOD, BAD)
        desk.backfill(file=pipeline_file(start="latest", share="100%"))
        report = redeemed(desk, entries=("1/0",))
        assert (report.run.state, counts(report)) == ("done", [told(1, 0, 1, 0)])
        assert (desk.derived().origin_name, arrived(desk)) == (SlotName(1, 0), [("a", 0, 0), ("a", 0, 1)])
        assert counts(redeemed(desk, entries=("1/0",))) == [told(1, 1, 0, 0)]


def test_rejected_records_of_a_slot_go_to_the_version_of_its_backfill(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        desk = Desk(tmp_path)
        desk.kafka.produce(A0, GOOD, BAD)
        desk.backfill(file=pipeline_file(start="latest", share="100%"), version="9")
        assert (seen := desk.look(file=MENDED, entries=("1/0",), what="rejected").items[0]).version == "9"
        assert seen.to is not None
        assert seen.to.model == "mended"
        assert redeemed(desk, entries=("1/0",)).run.state == "done"
        assert desk.arrived == [("9", [("a", 0, 0)]), ("9", [("a", 0, 1)])]


def test_redeemed_rows_are_replayed_as_any_others_but_from_their_file_alone(desk: Desk) -> None:
    redeemed(desk)
    assert desk.replay(entries=[3], model="another", source="kafka").run.error == "NothingToReplay"
    assert desk.replay(entries=[3], model="another").run.state == "done"
    assert arrived(desk) == [("a", 0, 1), ("a", 0, 1)]
