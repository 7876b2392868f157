"""The benchmarks' word: a system that loses, doubles or mistypes rows has no number; no target is met by luck."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from benchmarks import digests
from benchmarks.bad import spoilt
from benchmarks.checking import problem_of, taken_once
from benchmarks.events import Events, columns, path
from benchmarks.instructions import compared
from benchmarks.jobs.match import match
from benchmarks.jobs.order import Order
from benchmarks.measuring import JobError, Taken, most_resident, run
from benchmarks.paste import BEGIN, END, pasted
from benchmarks.rounds import Line, Trial, interleaved
from benchmarks.tables import Table
from benchmarks.targets import a_window_more, at_least, at_most_as_long, peak, prefect_share
from sluice.stores.directory import DirectoryStore

NOW_MS = 1_800_000_000_000


def written(count: int) -> pl.DataFrame:
    """What a right system writes of so many events."""
    events = [Events(now_ms=NOW_MS).event(number) for number in range(count)]

    def at(event: object, keys: tuple[str, ...]) -> object:
        for key in keys:
            assert isinstance(event, dict)
            event = event[key]
        return event

    return pl.DataFrame({name: [at(event, path(name)) for event in events] for name in columns()})


def line(name: str, *seconds: float, records: int = 100, peak_mb: float = 100) -> Line:
    taken = [
        Taken(seconds=each, whole_seconds=each + 1, cpu_seconds=each, peak_bytes=int(peak_mb * 1e6)) for each in seconds
    ]
    return Line(name=name, note="", records=records, taken=taken)


# ── checking


def test_what_was_written_whole_is_right_in_one_file_or_in_several(tmp_path: Path) -> None:
    frame = written(6)
    frame[:4].write_parquet(tmp_path / "0.parquet")
    frame[4:].write_parquet(tmp_path / "1.parquet")
    assert problem_of(tmp_path, 6) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda frame: frame[:5], "not (6, 6, 15)"),
        (lambda frame: pl.concat([frame, frame[:1]]), "not (6, 6, 15)"),
        (lambda frame: pl.concat([frame[:5], frame[:1]]), "not (6, 6, 15)"),
        (lambda frame: frame.with_columns(pl.lit(None, pl.Float64).alias("humidity")), "6 values are missing"),
        (lambda frame: frame.with_columns(pl.col("hour").cast(pl.String)), "of another type: hour"),
        (lambda frame: frame.drop("host"), "host"),
    ],
)
def test_what_a_system_lost_doubled_or_mistyped_is_told(
    tmp_path: Path, wrong: Callable[[pl.DataFrame], pl.DataFrame], said: str
) -> None:
    wrong(written(6)).write_parquet(tmp_path / "0.parquet")
    assert said in problem_of(tmp_path, 6)


def test_a_system_that_wrote_nothing_is_wrong(tmp_path: Path) -> None:
    assert problem_of(tmp_path, 6) == "no Parquet file"
    assert taken_once(tmp_path, 6)


def test_each_record_is_to_be_staged_or_rejected_once(tmp_path: Path) -> None:
    places = pl.DataFrame({"topic": "t", "partition": 0, "offset": [0, 1, 2]})
    places[:2].write_parquet(tmp_path / "staged.parquet")
    assert taken_once(tmp_path, 3)
    places[2:].write_parquet(tmp_path / "rejected.parquet")
    assert taken_once(tmp_path, 3) == ""
    places[1:].write_parquet(tmp_path / "rejected.parquet")
    assert taken_once(tmp_path, 4)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_wanted_share_of_values_is_spoilt(share: float) -> None:
    values = [Events(now_ms=NOW_MS).value(number) for number in range(20)]
    changed = [before != after for before, after in zip(values, spoilt(values, share), strict=True)]
    assert sum(changed) == 20 * share


# ── measuring


def test_the_peak_of_a_job_is_its_own_and_not_what_this_process_holds(tmp_path: Path) -> None:
    held = bytearray(b"x") * 100_000_000
    taken = run([sys.executable, "-S", "-c", "print('{\"seconds\": 1.5}')"], cwd=tmp_path)
    assert taken.seconds == 1.5
    assert taken.peak_bytes < len(held) < most_resident(os.getpid())


def test_a_job_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"status 3: no broker"):
        run([sys.executable, "-S", "-c", "import sys; print('no broker', file=sys.stderr); sys.exit(3)"], cwd=tmp_path)


# ── rounds


def test_systems_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def trial(name: str) -> Trial:
        def go() -> Taken:
            turns.append(name)
            return Taken(seconds=len(turns), whole_seconds=len(turns), cpu_seconds=1, peak_bytes=1)

        return Trial(name=name, note="", records=1, go=go)

    lines = interleaved([trial("a"), trial("b")], rounds=2, warm=True, say=lambda _: None)
    assert turns == ["a", "b"] * 3
    assert [[item.seconds for item in line.taken] for line in lines] == [[3, 5], [4, 6]]


def test_a_system_that_fails_once_has_no_number_and_one_that_is_missing_is_not_run() -> None:
    answers = iter([Taken(seconds=1, whole_seconds=1, cpu_seconds=1, peak_bytes=1)])

    def fails_the_second_time() -> Taken:
        for answer in answers:
            return answer
        raise JobError("5 rows, not 6")

    def never() -> Taken:
        raise AssertionError

    trials = [
        Trial(name="wrong", note="", records=1, go=fails_the_second_time),
        Trial(name="absent", note="", records=1, go=never, missing="no Java"),
    ]
    wrong, absent = interleaved(trials, rounds=3, warm=False, say=lambda _: None)
    assert (wrong.void, wrong.taken, wrong.is_wrong) == ("void: 5 rows, not 6", [], True)
    assert (absent.void, absent.taken, absent.is_wrong) == ("not run: no Java", [], False)
    table = Table(title="Speed", what="1 event", lines=[wrong, absent], beside="wrong").markdown()
    assert "| wrong | void: 5 rows, not 6 |" in table


# ── targets and tables


def test_a_table_shows_the_median_its_range_and_what_the_others_are_compared_with() -> None:
    lines = [line("fast", 0.1, 0.05, 0.2), line("slow", 1, 1, 1)]
    table = Table(title="Speed", what="100 events", lines=lines, beside="slow").markdown()
    assert "| fast | 1.0k | 10.0 | 0.5k, 2.0k |" in table


def test_a_target_is_met_at_its_value_and_missed_below_it() -> None:
    slow, middle = line("slow", 5), line("middle", 2.5)
    assert at_least("beside", line("ours", 1), [slow, middle], 2.5)[0].endswith(
        "(middle): 2.5 times; the target is 2.5: met."
    )
    assert at_least("beside", line("ours", 1.1), [slow, middle], 2.5)[0].endswith("missed.")
    assert at_least("beside", line("ours", 1), [line("void")], 2.5) == ()
    assert peak(line("ours", 1, peak_mb=700))[0].endswith(": met.")
    assert peak(line("ours", 1, peak_mb=701))[0].endswith(": missed.")
    assert at_most_as_long(line("bad", 10), line("good", 1))[0].endswith(": met.")
    assert at_most_as_long(line("bad", 11), line("good", 1))[0].endswith(": missed.")


def test_the_share_of_prefect_is_what_the_flow_took_longer_than_its_neighbour() -> None:
    assert prefect_share(line("library", 0.9), line("flow", 1.0)) == (
        "- Prefect's share: 10% of 1.00 s (rounds: 10% to 10%); the target is 15%: met.",
    )
    (busy_later,) = prefect_share(line("library", 0.8, 4, 0.9), line("flow", 1, 5, 1))
    assert busy_later.endswith(
        "20% of 1.00 s (rounds: 10% to 20%); the target is 15%: missed, but the rounds do not agree."
    )


def test_instructions_are_compared_only_on_one_kind_of_machine() -> None:
    assert compared(105, "here", 100, "here")[1] is False
    assert compared(106, "here", 100, "here")[1] is True
    assert compared(900, "here", 100, "elsewhere")[1] is False


def test_results_take_the_place_of_those_before_and_nothing_else_of_the_page() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    assert pasted(page, ["new"]) == pasted(pasted(page, ["old"]), ["new"])
    assert pasted(page, ["new"]).startswith("above\n")
    assert pasted(page, ["new"]).endswith("below\n")
    assert "old" not in pasted(page, ["new"])
    with pytest.raises(ValueError, match="measured: begin"):
        pasted("a page without a place", ["new"])


def test_what_a_further_window_at_once_costs_and_brings_is_told() -> None:
    one, four = line("1", 4, peak_mb=500), line("4", 2, peak_mb=800)
    words = "- 4 windows at once: 2.0 times the rows a second of 1, and 100 MB more for each further window."
    assert a_window_more(one, four) == (words,)
    assert a_window_more(one, line("4")) == ()


# ── matching


@pytest.mark.parametrize("way", ["sluice", "streaming join", "buckets", "search"])
def test_each_way_to_match_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(digests, "WINDOW", 200)
    scale = digests.Scale(predictions=4_000, actuals=800)
    digests.write_ids(DirectoryStore(tmp_path / "store"), scale)
    extra = {"way": way, "store": str(tmp_path / "store"), "predictions": "4000", "actuals": "800"}
    order = Order(servers="", topic="", ends=(4_000,), output="", pipeline="", extra=extra)
    assert match(order) == {"joined": scale.joined} == {"joined": 760}
