"""The import path, run by run: one job, one file an entry, and what becomes of each file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sluice.errors import LedgerMoved, NothingToResolve
from sluice.import_job import apply, begin_next, describe, say_made
from sluice.importing.generations import Generations, Numbered, TryOut
from sluice.importing.jobs import FileStatus, JobSpec, JobStatus, SettledStatus
from sluice.ingest import ingest
from sluice.ledger.entries import Window
from sluice.ledger.names import EntryName
from sluice.pipeline import LoadedPipeline
from sluice.refiling import Standing, Word, resolve_file
from sluice.report import RunReport
from sluice.resolution import readdress, resolve_window
from tests import parts
from tests.desk import A0, Desk
from tests.imports import OURS, file_of
from tests.parts import pipeline_file

FILE = pipeline_file(path="object_store")
EMPTY = RunReport(pipeline="flights", run_id="another", started_at="2026-01-01T00:00:00Z")
EXISTING = pipeline_file(path="object_store", import_job="existing")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        yield Desk(tmp_path)


def run(desk: Desk, file: LoadedPipeline = FILE) -> RunReport:
    return desk.run(file=file)


def states(report: RunReport) -> list[str]:
    return [item.status for item in report.windows]


def test_each_entry_is_one_file_under_the_prefix_of_one_job_and_is_committed_when_arize_has_it(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1", b"good 2"] * 4)
    report = run(desk)
    assert (report.state, states(report)) == ("done", ["committed"] * 2)
    (spec, status) = desk.imports.jobs["job 1"]
    assert (status, spec.prefix) == ("active", f"{OURS}import/{desk.person().ledger.state.ledger_id}/g1/")
    windows = [entry for entry in desk.entries if isinstance(entry, Window)]
    assert [key for _, key in desk.imports.imported] == [file_of(entry) for entry in windows]
    assert all(key.startswith(spec.prefix) for _, key in desk.imports.imported)
    assert desk.kafka.group[A0].offset == 8
    assert [item.accepted for item in report.windows] == [4, 4]


def test_a_second_run_uses_the_same_job_and_puts_nothing_again(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    assert states(run(desk)) == []
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"]
    assert len(desk.imports.jobs) == 1
    assert len(desk.imports.imported) == 2


def test_a_run_that_ends_before_arize_has_looked_says_so_and_the_next_goes_on_without_putting_again(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 5)
    desk.imports.is_looking = False
    report = run(desk)
    assert (report.state, states(report)) == ("done", ["pending", "pending"])
    assert report.as_dict()["totals"]["files_pending"] == 2
    assert desk.kafka.group[A0].offset == 0
    puts = len(desk.imports.store.writes)
    desk.kafka.produce(A0, b"good 1")
    again = run(desk)
    assert (again.state, states(again)) == ("done", ["pending"] * 3)  # planning waited for nothing
    desk.imports.is_looking = True
    assert states(run(desk)) == ["committed"] * 3
    assert len(desk.imports.store.writes) == puts + 1
    assert desk.kafka.group[A0].offset == 6


def test_without_a_developer_key_a_file_is_placed_and_never_called_settled(desk: Desk) -> None:
    desk.asks = False
    desk.kafka.produce(A0, b"good 1")
    report = run(desk, EXISTING)
    assert report.error == "ImportJobMissing"
    assert "sluice import-job FILE --made" in report.message
    assert not [key for key in desk.imports.store.objects if key.startswith(("import/", "dry-run/"))]


@pytest.mark.parametrize("status", ["failed", "canceled", "skipped"])
def test_a_file_that_arize_does_not_take_fails_the_run_and_holds_the_next_one_up(desk: Desk, status: str) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.imports.verdicts.extend(["complete", status])  # type: ignore[list-item]
    report = run(desk)
    assert (report.state, report.error) == ("failed", "ImportFailed")
    assert f"entry 2 part 0: Arize did not take its file: {status} bad column" in report.message
    assert ("redeliver" in report.message) == (status != "skipped")
    assert desk.kafka.group[A0].offset == 4
    desk.kafka.produce(A0, b"good 1")
    again = run(desk)
    assert (again.error, len(desk.entries)) == ("ImportFailed", 3)


def test_a_dry_run_that_arize_refuses_ends_the_run_before_anything_is_sealed(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.dry_run_says = "invalid timestamp (row 1)"
    report = run(desk)
    assert report.error == "ImportJobRefused"
    assert "invalid timestamp (row 1)" in report.message
    assert (len(desk.entries), desk.imports.jobs) == (1, {})
    desk.imports.dry_run_says = ""
    assert states(run(desk)) == ["committed"]


def test_a_generation_that_another_run_begins_meanwhile_is_taken_and_no_second_job_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, others = Generations._begin_behind, [desk.open(FILE)]
    desk.kafka.produce(A0, b"good 1", b"good 2")

    def another_is_faster(mine: Generations, seen: Numbered | None, try_out: TryOut | None) -> None:
        if others:  # between a look and what follows of it, once
            ingest(others.pop(), EMPTY, parallel_windows=1)
        begin(mine, seen, try_out)

    monkeypatch.setattr(Generations, "_begin_behind", another_is_faster)
    report = run(desk)
    assert (report.state, others, list(desk.imports.jobs)) == ("done", [], ["job 1"])
    assert len(desk.imports.imported) == 1


def test_a_job_that_was_made_though_its_answer_got_lost_is_found(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.creations.append("made, unanswered")
    assert states(run(desk)) == ["committed"]
    assert len(desk.imports.jobs) == 1


def test_a_job_that_was_not_made_leaves_its_prefix_behind_for_ever(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.creations.append("not made, unanswered")
    assert states(run(desk)) == ["committed"]
    assert [spec.prefix[-3:] for spec, _ in desk.imports.jobs.values()] == ["g2/"]


def test_a_job_that_arize_refuses_ends_the_run(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.creations.append("refused")
    report = run(desk)
    assert report.error == "ImportJobRefused"
    assert "not for this account" in report.message
    assert len(desk.entries) == 1
    assert states(run(desk)) == ["committed"]


def test_a_job_that_was_deleted_is_followed_by_one_on_a_prefix_of_its_own(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    desk.imports.delete("job 1")
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"]
    assert [spec.prefix[-3:] for spec, _ in desk.imports.jobs.values()] == ["g1/", "g2/"]
    assert [job for job, _ in desk.imports.imported] == ["job 1", "job 2"]


def test_a_file_whose_job_was_deleted_before_it_looked_waits_for_a_person(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    desk.imports.delete("job 1")
    report = run(desk)
    assert report.error == "ImportJobGone"
    assert "--entry 1" in report.message


def test_another_model_goes_by_another_job(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    desk.kafka.produce(A0, b"good 1")
    run(desk, pipeline_file(path="object_store", model="other"))
    assert [(spec.model, spec.prefix[-3:]) for spec, _ in desk.imports.jobs.values()] == [
        ("delay", "g1/"),
        ("other", "g2/"),
    ]


def test_a_job_that_reads_other_columns_stops_the_run_before_it_reads(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    change_columns(desk)
    desk.kafka.produce(A0, b"good 1")
    report = run(desk)
    assert report.error == "ImportJobDiffers"
    assert "schema.predictionLabel is another, not prediction_label" in report.message
    assert len(desk.entries) == 2


def test_a_paused_job_leaves_files_pending(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    desk.imports.jobs["job 1"] = desk.imports.jobs["job 1"][0], "inactive"
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["pending"]


def test_a_prefix_is_left_when_it_has_many_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.importing.generations.FILES_A_GENERATION", 2)
    desk.kafka.produce(A0, *[b"good 1"] * 20)
    assert states(run(desk)) == ["committed"] * 5
    assert [sum(key.find(f"/g{number}/") > 0 for _, key in desk.imports.imported) for number in (1, 2, 3)] == [2, 2, 1]


def test_a_window_without_a_row_is_no_file(desk: Desk) -> None:
    desk.kafka.produce(A0, None)
    assert states(run(desk)) == ["committed"]
    assert not desk.imports.jobs


def test_an_entry_of_the_sdk_path_is_finished_by_the_sdk_though_the_file_says_otherwise_now(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    assert (
        desk.run(parts.BUSY, parts.BUSY, parts.BUSY, parts.BUSY, parts.BUSY, parts.BUSY, file=pipeline_file()).state
        == "failed"
    )
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"] * 2
    assert (len(desk.arize.arrived), len(desk.imports.imported)) == (1, 1)


# ── a person's word


def word(desk: Desk, number: int, said: Word) -> EntryName:
    return resolve_file(desk.person(FILE), number, said, "looked")


def failed(desk: Desk, status: SettledStatus) -> RunReport:
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    desk.imports.verdicts.append(status)
    return run(desk)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_file_that_failed_goes_out_again_as_another_one_and_the_first_outcome_stays(
    desk: Desk, status: SettledStatus
) -> None:
    assert failed(desk, status).error == "ImportFailed"
    assert word(desk, 1, "redeliver") == 2
    report = run(desk)
    assert (report.state, states(report), desk.kafka.group[A0].offset) == ("done", ["committed"], 4)
    first, second = (desk.last().destination.key, desk.person(FILE).ledger.sealed(1).destination.key)
    assert first != second
    assert desk.outcomes(1) == ["refused", "released"]
    assert len(desk.imports.imported) == 1
    with pytest.raises(NothingToResolve):
        word(desk, 2, "redeliver")


def test_a_file_is_redelivered_only_while_arize_says_that_it_did_not_take_it(desk: Desk) -> None:
    failed(desk, "failed")
    ((job, key),) = desk.imports.files
    desk.imports.files[job, key] = FileStatus(status="complete")
    with pytest.raises(NothingToResolve, match="Arize has taken its file"):
        word(desk, 1, "redeliver")
    assert desk.outcomes(1) == ["refused", "accepted"]
    assert (run(desk).state, desk.kafka.group[A0].offset) == ("done", 4)


def test_of_two_who_redeliver_at_once_one_does(desk: Desk) -> None:
    failed(desk, "failed")
    one, other = desk.person(FILE), desk.person(FILE)
    assert resolve_file(one, 1, "redeliver", "looked") == 2
    with pytest.raises((NothingToResolve, LedgerMoved)):
        resolve_file(other, 1, "redeliver", "looked")
    assert states(run(desk)) == ["committed"]


def waits_for_a_word(desk: Desk, standing: Standing) -> None:
    """A file of one row that failed, or whose job is gone before it was read."""
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = standing == "failed"
    desk.imports.verdicts.append("failed")
    run(desk)
    desk.imports.is_looking = True
    if standing == "gone":
        desk.imports.verdicts.clear()
        desk.imports.delete("job 1")


def words_at_once(desk: Desk, steps: int, one: Word, other: Word) -> tuple[list[Word], bool]:
    """Let one say its word for so many steps, then the other all of it; whose held, and whether one was that quick."""
    process = desk.world.start("one", lambda: word(desk, 1, one))
    for _ in range(steps):
        process.move()
    was_over = not process.is_alive
    held: list[Word] = []
    with suppress(NothingToResolve, LedgerMoved):
        word(desk, 1, other)
        held.append(other)
    process.finish()
    if process.error is None:
        held.append(one)
    else:
        assert isinstance(process.error, (NothingToResolve, LedgerMoved)), repr(process.error)
    return held, was_over


@pytest.mark.parametrize(
    ("standing", "one", "other"),
    [
        ("failed", "redeliver", "drop"),
        ("failed", "drop", "redeliver"),
        ("gone", "resend", "delivered"),
        ("gone", "delivered", "resend"),
        ("gone", "drop", "delivered"),
        ("gone", "resend", "resend"),
    ],
)
def test_of_two_words_at_once_one_holds_however_slow_the_other_is(
    tmp_path: Path, standing: Standing, one: Word, other: Word
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        for steps in range(100):
            desk = Desk(tmp_path / str(steps))
            waits_for_a_word(desk, standing)
            held, was_over = words_at_once(desk, steps, one, other)
            finished = run(desk)
            if finished.error == "ImportFailed":  # the one was at it when the other was refused, and is to say it again
                assert held == []
                held.append(one)
                word(desk, 1, one)
                finished = run(desk)
            assert len(held) == 1, f"{held} at step {steps}"
            assert (finished.state, desk.kafka.group[A0].offset) == ("done", 1)
            goes_again = held[0] in ("redeliver", "resend")
            assert (len(desk.entries), len(desk.imports.imported)) == ((3, 1) if goes_again else (2, 0))
            if was_over:
                return
        raise AssertionError("the one never ended")


def test_a_redelivery_that_was_cut_short_is_finished_by_saying_it_again_and_by_nothing_else(tmp_path: Path) -> None:
    seen = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.windows.map_window", parts.map_simply)
        for steps in range(100):
            desk = Desk(tmp_path / str(steps))
            waits_for_a_word(desk, "failed")
            process = desk.world.start("one", partial(word, desk, 1, "redeliver"))
            for _ in range(steps):
                process.move()
            was_over = not process.is_alive
            process.kill()
            if len(desk.entries) == 2 and "released" in desk.outcomes(1):
                seen.add("cut short")
                assert "that was not finished" in run(desk).message
                with pytest.raises(NothingToResolve, match="go out as another file"):
                    word(desk, 1, "drop")
            if len(desk.entries) == 2:
                assert word(desk, 1, "redeliver") == 2
            assert (run(desk).state, len(desk.imports.imported)) == ("done", 1)
            if was_over:
                break
    assert seen == {"cut short"}


@pytest.mark.parametrize(("status", "said"), [("failed", "drop"), ("skipped", "delivered"), ("skipped", "drop")])
def test_a_person_lets_go_of_a_file_or_says_that_arize_has_it(desk: Desk, status: SettledStatus, said: Word) -> None:
    failed(desk, status)
    assert word(desk, 1, said) == 1
    report = run(desk)
    assert (report.state, desk.kafka.group[A0].offset) == ("done", 4)
    assert report.windows == () or states(report) == ["committed"]


@pytest.mark.parametrize(
    ("status", "said"),
    [("failed", "delivered"), ("failed", "resend"), ("skipped", "redeliver"), ("canceled", "resend")],
)
def test_a_word_that_does_not_fit_what_arize_says_is_refused(desk: Desk, status: SettledStatus, said: Word) -> None:
    failed(desk, status)
    with pytest.raises(NothingToResolve, match=f"is {status}: nothing to {said}"):
        word(desk, 1, said)


def test_of_a_file_that_arize_has_not_looked_at_nothing_can_be_said(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    words: tuple[Word, ...] = ("redeliver", "delivered", "resend", "drop")
    for said in words:
        with pytest.raises(NothingToResolve, match="pending"):
            word(desk, 1, said)


@pytest.mark.parametrize(("said", "times"), [("resend", 1), ("delivered", 0), ("drop", 0)])
def test_a_file_whose_job_is_gone_is_ended_by_a_person_who_looked(desk: Desk, said: Word, times: int) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    desk.imports.delete("job 1")
    desk.imports.is_looking = True
    with pytest.raises(NothingToResolve, match="is gone"):
        word(desk, 1, "redeliver")
    word(desk, 1, said)
    assert (run(desk).state, desk.kafka.group[A0].offset) == ("done", 1)
    assert len(desk.imports.imported) == times


def test_a_held_window_that_is_delivered_goes_to_the_job_of_today(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"bad 1", b"bad 1", b"bad 1")
    assert run(desk).state == "held"
    assert desk.last().destination.key is None
    assert not desk.imports.jobs
    resolve_window(desk.person(FILE), 1, "deliver", "looked")
    assert states(run(desk)) == ["committed"]
    assert len(desk.imports.imported) == 1


def test_nothing_is_readdressed_that_goes_out_as_a_file(desk: Desk) -> None:
    failed(desk, "failed")
    with pytest.raises(NothingToResolve, match="goes out as a file"):
        readdress(desk.person(FILE), 1, "wrong space")


# ── the import job, as a person sees it


def test_a_person_makes_the_job_where_nobody_may_ask_and_says_so(desk: Desk) -> None:
    desk.asks = False
    desk.kafka.produce(A0, *[b"good 1"] * 4)
    assert run(desk, EXISTING).error == "ImportJobMissing"
    person = desk.person(EXISTING)
    assert describe(person)["status"] == "not made yet"
    assert say_made(person)["generation"] == 1
    report = run(desk, EXISTING)
    assert (report.state, desk.kafka.group[A0].offset) == ("done", 4)
    assert report.as_dict()["totals"]["rows_placed"] == 4
    assert report.as_dict()["totals"]["rows_accepted"] == 0
    assert states(run(desk, EXISTING)) == []
    with pytest.raises(NothingToResolve):
        say_made(desk.person(EXISTING))


def test_a_job_that_a_person_made_is_found_by_its_prefix(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    assert run(desk, EXISTING).error == "ImportJobMissing"
    wanted = describe(desk.person(EXISTING))["wanted"]
    desk.imports.create(JobSpec(**wanted))
    assert states(run(desk, EXISTING)) == ["committed"]


def test_two_jobs_on_one_prefix_stop_the_run(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk, EXISTING)
    spec = JobSpec(**describe(desk.person(EXISTING))["wanted"])
    for _ in range(2):
        desk.imports.create(spec)
    assert run(desk, EXISTING).error == "ImportJobTwice"
    assert not desk.imports.imported


def test_a_job_of_a_person_s_that_was_deleted_is_followed_by_another_one_on_another_prefix(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk, EXISTING)
    desk.imports.create(JobSpec(**describe(desk.person(EXISTING))["wanted"]))
    run(desk, EXISTING)
    desk.imports.delete("job 1")
    desk.kafka.produce(A0, b"good 1")
    assert run(desk, EXISTING).error == "ImportJobGone"
    assert begin_next(desk.person(EXISTING))["generation"] == 2
    desk.imports.create(JobSpec(**describe(desk.person(EXISTING))["wanted"]))
    assert states(run(desk, EXISTING)) == ["committed"]
    assert [job for job, _ in desk.imports.imported] == ["job 1", "job 2"]


def test_columns_are_brought_to_what_the_file_wants_when_no_file_waits(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    change_columns(desk)
    person = desk.person(FILE)
    assert describe(person)["differences"] == [
        {"what": "schema.predictionLabel", "wanted": "prediction_label", "found": "another"}
    ]
    assert apply(person)["changed"] == ["schema.predictionLabel"]
    with pytest.raises(NothingToResolve, match="is as the pipeline file wants it"):
        apply(person)
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"]


def test_columns_are_not_changed_while_a_file_waits(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    change_columns(desk)
    with pytest.raises(NothingToResolve, match="1 files of the job wait"):
        apply(desk.person(FILE))


def change_columns(desk: Desk) -> None:
    spec, status = desk.imports.jobs["job 1"]
    desk.imports.jobs["job 1"] = replace(spec, schema={**spec.schema, "predictionLabel": "another"}), status


# ── what a second reader found


def test_what_waits_is_settled_before_a_job_that_differs_stops_the_run(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    change_columns(desk)
    desk.imports.is_looking = True
    desk.kafka.produce(A0, b"good 1")
    report = run(desk)
    assert (report.error, states(report), desk.kafka.group[A0].offset) == ("ImportJobDiffers", ["committed"], 1)
    apply(desk.person(FILE))
    assert states(run(desk)) == ["committed"]


def test_a_job_takes_no_column_for_a_feature_though_the_pipeline_has_none(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    ((spec, _),) = desk.imports.jobs.values()
    assert spec.schema["features"] == "feature/"


def test_another_place_in_the_bucket_is_another_generation(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    desk.imports.prefix = "elsewhere/"
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"]
    assert len(desk.imports.jobs) == 2


def test_a_dry_run_without_an_answer_may_be_tried_again(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.dry_run_is_silent = True
    report = run(desk)
    assert (report.error, len(desk.entries)) == ("DestinationUnavailable", 1)
    desk.imports.dry_run_is_silent = False
    assert states(run(desk)) == ["committed"]


def test_a_developer_key_that_comes_later_finds_the_job_that_a_person_made(desk: Desk) -> None:
    desk.asks = False
    desk.kafka.produce(A0, b"good 1")
    run(desk, EXISTING)
    person = desk.person(EXISTING)
    desk.imports.create(JobSpec(**describe(person)["wanted"]))
    say_made(person)
    run(desk, EXISTING)
    desk.asks = True
    assert describe(desk.person(EXISTING))["status"] == "active"
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk, EXISTING)) == ["committed"]
    assert len(desk.imports.imported) == 2


def test_an_entry_that_goes_as_a_file_is_not_redelivered_by_a_pipeline_that_goes_by_the_sdk(desk: Desk) -> None:
    failed(desk, "failed")
    with pytest.raises(NothingToResolve, match="by the SDK now"):
        resolve_file(desk.person(pipeline_file()), 1, "redeliver", "looked")


def test_a_prefix_that_was_used_before_the_ledger_was_restored_is_left_alone(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    for key in [key for key in desk.store.objects if "/imports/" in key]:
        del desk.store.objects[key]
    desk.kafka.produce(A0, b"good 1")
    assert states(run(desk)) == ["committed"]
    assert [spec.prefix[-3:] for spec, _ in desk.imports.jobs.values()] == ["g1/", "g2/"]
    assert len(desk.imports.imported) == 2


@pytest.mark.parametrize(("status", "told"), [("inactive", "is paused"), ("failed", "has failed")])
def test_a_job_that_does_not_look_is_said(desk: Desk, status: JobStatus, told: str) -> None:
    desk.kafka.produce(A0, b"good 1")
    run(desk)
    desk.imports.jobs["job 1"] = desk.imports.jobs["job 1"][0], status
    desk.kafka.produce(A0, b"good 1")
    (note,) = run(desk).notes
    assert told in note


def test_what_was_settled_before_arize_fell_silent_holds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.importing.generations.FILES_A_GENERATION", 1)  # so that one question is asked for each
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.imports.is_looking = False
    run(desk)
    desk.imports.is_looking = True
    desk.imports.silent_after = 1
    report = run(desk)
    assert (report.error, states(report)) == ("DestinationUnavailable", ["committed", "pending"])
    desk.imports.silent_after = None
    assert (run(desk).state, desk.kafka.group[A0].offset) == ("done", 8)


def test_no_local_copy_stays_of_a_file_that_is_in_its_place(desk: Desk) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 8)
    desk.imports.is_looking = False
    opened = desk.open(FILE)
    ingest(opened, opened.report(), parallel_windows=1)
    assert not list(opened.staging.scratch.iterdir())


def test_a_file_in_another_space_waits_until_the_settings_are_of_that_one_again(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    run(desk)
    desk.arize.space = "another"
    report = run(desk)
    assert report.error == "WrongSettings"
    assert "waits in the Arize space space" in report.message
    desk.arize.space = "space"
    desk.imports.is_looking = True
    assert states(run(desk)) == ["committed"]
