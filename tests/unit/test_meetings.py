"""Where ingest, backfills, replays, sweeps and a person's words meet on the same offsets, files and entries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluice import import_job
from sluice.backfill.estimate import described
from sluice.backfill.request import Request
from sluice.backfill.work import Backfill
from sluice.errors import NothingToResolve, SourceUnavailable, WrongUse
from sluice.importing.jobs import FileStatus, Job
from sluice.ledger.names import SlotName
from sluice.offset_map import offset_maps
from sluice.offsets import GroupOffset, OffsetRange
from sluice.realignment import realign_to_group
from sluice.refiling import resolve_file
from sluice.resolution import readdress, resolve_delivery, resolve_window
from sluice.sweep import let_go
from tests import parts
from tests.books import Books
from tests.desk import A0, A1, Desk
from tests.parts import REFUSES, pipeline_file
from tests.simulation import Process

GOOD, BAD = b"good 1", b"bad 1"
LATE = pipeline_file(start="latest")
KEEPS = pipeline_file(keep="{staged: 30d, rejected: 30d}")
FILES = pipeline_file(path="object_store")
DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        yield Desk(tmp_path)


def ranges(*texts: str) -> tuple[OffsetRange, ...]:
    return tuple(map(OffsetRange.parse, texts))


def books(desk: Desk) -> Books:
    return Books(desk.store, desk.kafka, desk.arize)


def until(process: Process, at: str) -> None:
    while at not in process.threads[0].at:
        assert process.move()


def test_a_sweep_leaves_the_file_that_a_slot_is_about_to_name_though_an_old_entry_named_it_before(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run(file=KEEPS)
    desk.world.now_s += 40 * DAY_S

    def take() -> None:
        run = desk.open(KEEPS)
        work = Backfill(run, Request(offsets=ranges("a[0] 0..4"), again="wrong model"), reason="asked")
        (claim,) = work.claim()
        ((name, window),) = work.todo([claim])
        work.stage(name, window)

    process = desk.world.start("backfill", take)
    until(process, "put ledger/flights/slots/")  # staged, and not sealed yet
    let_go(desk.person(KEEPS), is_trial=False)
    process.finish()
    assert process.error is None
    slot = desk.person(KEEPS).ledger.sealed(SlotName(2, 0))
    assert slot.staged is not None
    assert slot.staged.key in desk.store.objects


def test_rows_taken_again_are_kept_as_long_as_the_file_says_from_when_they_were_taken(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD, GOOD, GOOD, BAD)
    desk.run(file=KEEPS)
    desk.world.now_s += 29 * DAY_S
    desk.backfill(file=KEEPS, offsets=ranges("a[0] 0..4"), again="wrong model")
    desk.world.now_s += 2 * DAY_S
    let_go(desk.person(KEEPS), is_trial=False)
    assert desk.look(KEEPS, entries=["2/0"], what="rejected").run.state == "done"


def test_a_sweep_leaves_what_a_claim_that_came_while_it_swept_names(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run(file=LATE)

    def take() -> None:
        work = Backfill(desk.open(LATE), Request(), reason="asked")
        (claim,) = work.claim()
        ((name, window),) = work.todo([claim])
        work.stage(name, window)

    dead = desk.world.start("dies", take)
    until(dead, "put ledger/flights/slots/")  # staged, and not sealed
    dead.kill()
    Backfill(desk.person(LATE), Request(), reason="").cancel([1])
    sweeper = desk.world.start("sweep", lambda: let_go(desk.person(LATE), is_trial=False))
    until(sweeper, "delete staged/")
    take()
    sweeper.finish()
    assert sweeper.error is None
    books(desk).check_files()


def test_a_plan_counts_twice_what_goes_to_the_files_own_model_by_its_name(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run()
    asked = Request(offsets=ranges("a[0] 0..4"), again="once more", model="delay")
    run = desk.open()
    found = described(run, Backfill(run, asked, reason="").plan(write=False))
    assert (found["offsets"], found["counted_twice"]) == (4, 4)


def test_a_plan_counts_twice_what_another_backfill_took_to_that_model(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run()
    desk.backfill(offsets=ranges("a[0] 0..4"), again="once more", model="another")
    asked = Request(offsets=ranges("a[0] 0..4"), again="and again", model="another")
    run = desk.open()
    found = described(run, Backfill(run, asked, reason="").plan(write=False))
    assert (found["offsets"], found["counted_twice"]) == (4, 4)


def test_a_held_slot_that_is_held_again_when_it_is_redone_holds_up_no_ingest(desk: Desk) -> None:
    desk.kafka.produce(A0, *[BAD] * 4)
    desk.run(file=LATE)
    assert desk.backfill(file=LATE).run.state == "held"
    resolve_window(desk.person(LATE), SlotName(1, 0), "redo", "thought it was mended")
    desk.kafka.produce(A1, GOOD)
    report = desk.run(file=LATE)
    assert (report.state, [len(item.receipts) for item in report.windows]) == ("done", [1])


def test_a_cancelled_backfill_that_takes_again_can_be_started_once_more(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run()
    run = desk.open()
    run.prepare()
    work = Backfill(run, Request(again="once more"), reason="asked")
    claims = work.claim()
    assert work.cancel(claims) == 1
    desk.arize.arrived.clear()
    report = desk.backfill(again="once more")
    assert report.run.rows_accepted == 4


def test_redeemed_records_that_a_person_let_go_of_are_not_told_as_gone_out(desk: Desk) -> None:
    lax, mended = pipeline_file(share="100%"), pipeline_file(share="100%", model="mended")
    desk.kafka.produce(A0, GOOD, BAD)
    desk.run(file=lax)
    assert desk.replay(REFUSES, file=mended, entries=[1], what="rejected").run.error == "DeliveryRefused"
    resolve_delivery(desk.person(mended), 2, 0, "drop", "the model was wrong")
    report = desk.replay(file=mended, entries=[1], what="rejected")
    assert report.items[0].redeemed is not None
    assert report.items[0].before == () or report.problems
    assert report.items[0].redeemed["redeemed_before"] == 0 or report.problems


def test_a_replay_whose_second_file_a_person_let_go_of_is_not_told_as_gone_out(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILES)
    desk.imports.verdicts.extend(["failed", "failed"])
    desk.replay(file=FILES, entries=[1], model="another")
    another = pipeline_file(path="object_store", model="another")
    assert resolve_file(desk.person(another), 2, "redeliver", "tried") == 3
    desk.run(file=FILES)
    resolve_file(desk.person(FILES), 3, "drop", "let go")
    report = desk.replay(file=FILES, entries=[1], model="another")
    assert report.problems or report.items[0].sealed, report.items[0]


def test_a_replay_that_goes_out_as_another_file_holds_up_no_run(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILES)
    desk.imports.verdicts.extend(["failed", "failed"])
    desk.replay(file=FILES, entries=[1], model="another")
    another = pipeline_file(path="object_store", model="another")
    resolve_file(desk.person(another), 2, "redeliver", "tried")
    desk.run(file=FILES)  # the second file fails, too
    desk.kafka.produce(A0, GOOD)
    run = desk.run(file=FILES)
    assert [item.status for item in run.windows if item.number == 4] == ["committed"]


def test_a_replay_to_where_a_person_turned_the_last_one_away_from_is_not_told_as_done(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run()
    desk.arize.arrived.clear()
    desk.replay(REFUSES, entries=[1], model="another")
    desk.arize.space = "right"
    readdress(desk.person(), 2, "the first was wrong")
    desk.run()
    desk.arize.space = "space"
    report = desk.replay(entries=[1], model="another")
    assert report.items[0].before == (), "its rows never came to this space"


def test_a_replay_by_files_reads_no_more_of_the_store_for_the_last_entry_than_for_the_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4 * 30)
    desk.run(file=FILES)
    desk.imports.is_looking = False
    read, costs, stored = list[str](), list[int](), desk.store.read

    def counted(key: str) -> bytes | None:
        read.append(key)
        return stored(key)

    monkeypatch.setattr(desk.store, "read", counted)
    work = desk.replaying(FILES, entries=list(range(1, 31)), model="another")
    for name in work.names:
        before = len(read)
        (number,) = work.seal(name).entries
        work.deliver(number, 0)
        costs.append(len(read) - before)
    assert costs[-1] < 2 * costs[2], costs


def test_the_file_that_a_run_keeps_for_its_slots_is_there_though_it_planned_before(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run(file=LATE)
    other = pipeline_file(start="latest", share="40%")
    run = desk.open(other)
    work = Backfill(run, Request(), reason="asked")
    work.plan(write=False)
    (claim,) = work.claim()
    for name, window in work.todo([claim]):
        work.stage(name, window)
    assert run.ledger.keys.pipeline_file(other.sha256) in desk.store.objects


def test_a_file_of_a_helper_that_died_is_settled_however_many_others_were(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluice.destinations.imports.files import ImportFiles

    files_late = pipeline_file(start="latest", path="object_store")
    monkeypatch.setattr("sluice.destinations.imports.files._PAGE", 1)
    imports, opened = desk.imports, {}

    class Pages:
        """One file a page, oldest first."""

        def __init__(self, job: str) -> None:
            self.job = job

        def query(self, _: str, *, job: str, status: str, after: str | None) -> dict[str, Any]:
            listed = [key for (of, key), f in imports.files.items() if of == self.job and f.status == status.lower()]
            first = listed.index(after) + 1 if after else 0
            page = listed[first : first + 1]
            return {
                "node": {
                    "files": {
                        "pageInfo": {"hasNextPage": first + 1 < len(listed), "endCursor": page[-1] if page else None},
                        "edges": [{"node": {"filePath": name, "error": None}} for name in page],
                    }
                }
            }

    def settled(job: Job, keys: Collection[str], last: FileStatus | None) -> dict[str, FileStatus]:
        imports.look()
        who = (len(desk.__dict__["runs"]), job.id)
        if who not in opened:
            opened[who] = ImportFiles(Pages(job.id), job.id, last=last)  # type: ignore[arg-type]
        fresh = imports.job(job.id)
        assert fresh is not None
        return opened[who].settled(keys, fresh.counts)

    desk.__dict__["runs"] = []
    monkeypatch.setattr(imports, "settled", settled)
    desk.kafka.produce(A0, *[GOOD] * 40)
    desk.run(file=files_late)
    # A helper begins in the middle, places two files, and dies.
    work = Backfill(desk.open(files_late), Request(), reason="asked")
    (claim,) = work.claim()
    todo = dict(work.todo([claim]))
    for slot in (6, 7):
        assert work.stage(SlotName(claim, slot), todo[SlotName(claim, slot)]) is not None
        work.deliver(SlotName(claim, slot), 0)
    imports.look()
    monkeypatch.setattr("sluice.backfill.work.crc32", lambda _: 0)
    # Another start begins at the front, and fails after three windows; what it placed is settled.
    read, count = desk.kafka.read, 0

    def fails(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise SourceUnavailable("away", "Run again")
        return read(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.kafka, "read", fails)
        report = desk.backfill(file=files_late)
    assert report.run.state == "failed"
    for _ in range(3):
        desk.__dict__["runs"].append(1)
        report = desk.backfill(file=files_late)
    waiting = desk.person(files_late).ledger.slots_waiting
    assert waiting == (), f"Arize has imported {len(imports.imported)} files, and these wait for ever"


def test_the_file_of_a_replay_to_another_model_goes_there_when_it_is_redelivered(desk: Desk) -> None:
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILES)
    desk.imports.verdicts.append("failed")
    assert desk.replay(file=FILES, entries=[1], model="another").run.error == "ImportFailed"
    resolve_file(desk.person(FILES), 2, "redeliver", "the column was mended")
    assert desk.derived().destination.model == "another"


def test_a_replay_counts_twice_what_a_backfill_took_to_that_model(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run()
    desk.backfill(offsets=ranges("a[0] 0..4"), again="for another model", model="another")
    assert desk.look(entries=[1], model="another").items[0].twice == 4


def test_a_rejected_record_that_a_backfill_delivered_is_not_redeemed(desk: Desk) -> None:
    lax, mended = pipeline_file(share="100%"), pipeline_file(share="100%", model="mended")
    desk.kafka.produce(A0, GOOD, BAD)
    desk.run(file=lax)
    desk.arize.arrived.clear()
    desk.backfill(file=mended, offsets=ranges("a[0] 1..2"), again="the mapping was mended")
    desk.replay(file=mended, entries=[1], what="rejected")
    places = [place for (_, _, model), its in desk.arize.arrived for place in its]
    assert places == [("a", 0, 1)]


def test_what_a_person_let_go_of_is_not_shown_as_delivered(desk: Desk) -> None:
    desk.kafka.produce(A0, *[BAD] * 4)
    desk.run()
    resolve_window(desk.person(), 1, "drop", "not wanted")
    run = desk.person()
    (found,) = offset_maps(run.ledger.state, desk.kafka.snapshot(["a"]), [A0])
    assert found.counts["ingested"] == 0


def test_a_range_of_a_partition_that_is_not_chosen_is_said(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run(file=LATE)
    run = desk.open(LATE)
    with pytest.raises(WrongUse):
        Backfill(run, Request(offsets=ranges("a[0] 0..4"), partitions=(A1,)), reason="").plan(write=False)


def test_a_run_that_goes_on_with_a_claim_does_not_take_anew_what_a_person_gave_up_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.kafka.produce(A0, *[GOOD] * 40)
    desk.run(file=LATE)
    assert desk.backfill(REFUSES, file=LATE).run.state == "failed"
    stage, staged = Backfill.stage, []

    def stage_and_cancel(self: Backfill, name: SlotName, window: Any) -> Any:
        staged.append(name)
        if len(staged) == 2:
            Backfill(desk.person(LATE), Request(), reason="").cancel([1])
        return stage(self, name, window)

    monkeypatch.setattr(Backfill, "stage", stage_and_cancel)
    report = desk.backfill(file=LATE)
    assert (report.claims, len(report.run.windows)) == ((1,), 2)


def test_what_is_known_of_a_claim_that_is_over_is_kept_although_a_start_before_failed(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 40)
    desk.run(file=LATE)
    assert desk.backfill(REFUSES, file=LATE).run.state == "failed"
    assert desk.backfill(file=LATE).run.state == "done"
    for _ in range(100):
        desk.kafka.produce(A0, GOOD)
        assert desk.run(file=LATE).state == "done"
    run = desk.open(LATE)
    run.ledger.load()
    assert run.ledger.state.claims == {}


def test_times_without_a_zone_are_refused(desk: Desk) -> None:
    with pytest.raises(WrongUse):
        Request(since=datetime(2026, 3, 1), until=datetime(2026, 4, 1, tzinfo=UTC)).check()  # noqa: DTZ001


def test_columns_are_not_changed_while_a_file_of_a_slot_waits(desk: Desk) -> None:
    late = pipeline_file(start="latest", path="object_store")
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run(file=late)
    desk.imports.is_looking = False
    assert [item.status for item in desk.backfill(file=late).run.windows] == ["pending"]
    ((job, (spec, _)),) = desk.imports.jobs.items()
    desk.imports.update(job, {**spec.schema, "version": "other"})
    with pytest.raises(NothingToResolve, match="1 files of the job wait"):
        import_job.apply(desk.person(late))


def test_a_replay_that_waits_keeps_nobody_from_moving_the_ledger_to_the_group(desk: Desk) -> None:
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.run()
    desk.replay(REFUSES, entries=[1], model="another")
    desk.kafka.produce(A0, *[GOOD] * 4)
    desk.kafka.group[A0] = GroupOffset(partition=A0, offset=8, metadata="")
    run = desk.person()
    assert realign_to_group(run, run.outlook.look(write=False), "moved") == ranges("a[0] 4..8")


def test_a_file_that_arize_did_not_take_is_among_what_failed_and_keeps_no_other_out_of_that_table(desk: Desk) -> None:
    late = pipeline_file(start="latest", path="object_store")
    desk.kafka.produce(A0, *[GOOD] * 12)
    desk.run(file=late)
    desk.imports.verdicts.extend(["failed", "complete", "failed"])
    report = desk.backfill(file=late, stop_at_failure=False)
    assert report.run.error == "ImportFailed"
    assert [str(item.name) for item in report.failed] == ["1/0", "1/2"]
