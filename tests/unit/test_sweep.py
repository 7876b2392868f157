"""What a pipeline need not keep: by age only what is settled, and only where its file says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.ledger.keys import FileName, Keys
from sluice.ledger.names import SlotName
from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import LoadedPipeline
from sluice.report import RunReport
from sluice.resolution import resolve_window
from sluice.sweep import let_go
from tests import parts
from tests.arrivals import Pair, arrivals_file, event
from tests.audits import audited
from tests.desk import A0, Desk
from tests.parts import REFUSES, Said, pipeline_file

C0 = Partition("arrivals", 0)
ARRIVALS = Keys("arrivals")
ACTUALS = arrivals_file()
DAY_S = 86_400
KEEPS = pipeline_file(keep="{staged: 90d, rejected: 30d}")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    return Desk(tmp_path)


def files(desk: Desk) -> list[str]:
    """The kinds of the files that there are."""
    return sorted(key.partition("/")[0] for key in desk.store.objects if key.endswith(".parquet"))


def swept(desk: Desk, *, is_trial: bool = False) -> list[str]:
    return sorted(key.partition("/")[0] for key in let_go(desk.person(KEEPS), is_trial=is_trial))


def test_a_settled_entrys_files_go_when_they_are_older_than_the_file_says(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 1", b"bad 1")
    desk.run()
    assert files(desk) == ["rejected", "staged"]
    desk.world.now_s += 30 * DAY_S
    assert swept(desk) == []
    desk.world.now_s += 2
    assert swept(desk, is_trial=True) == ["rejected"]
    assert swept(desk) == ["rejected"]
    desk.world.now_s += 60 * DAY_S
    assert swept(desk) == ["staged"]
    assert (files(desk), len(desk.entries)) == ([], 2)
    desk.kafka.produce(A0, b"good 1")
    assert desk.run().state == "done"


def test_what_is_not_settled_stays_however_old_it_is(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run(REFUSES)
    desk.world.now_s += 1000 * DAY_S
    assert swept(desk) == []
    desk.run()
    assert swept(desk) == ["staged"]


def test_what_a_held_window_keeps_goes_only_behind_its_end(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"bad 1", b"bad 1")
    desk.run()
    desk.world.now_s += 1000 * DAY_S
    assert swept(desk) == []
    resolve_window(desk.person(), 1, "deliver", "it is right")
    assert swept(desk) == ["held", "rejected"], "the good rows are not delivered yet"
    desk.run()
    assert swept(desk) == ["staged"]


def test_without_a_lifetime_nothing_goes_by_age(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 1", b"bad 1")
    desk.run()
    desk.world.now_s += 10_000 * DAY_S
    assert let_go(desk.person(), is_trial=False) == []
    assert files(desk) == ["rejected", "staged"]


# ── ids


@pytest.fixture
def arrivals(tmp_path: Path) -> Desk:
    """Of actuals: their ids are made while their window is staged."""
    return Pair(tmp_path).arrivals


def ids_of(desk: Desk, at: FileName) -> tuple[str, str]:
    """Put a staged file that no entry names, and the ids of its rows; return both keys."""
    staged = ARRIVALS.file("staged", at, "f" * 64)
    ids = ARRIVALS.ids(staged, "actuals-1-0123abcd")
    for key in (staged, ids):
        desk.store.put_once(key, b"left over")
    return staged, ids


def arrived(desk: Desk, *values: bytes, file: LoadedPipeline = ACTUALS, says: tuple[Said, ...] = ()) -> RunReport:
    desk.kafka.produce(C0, *values)
    return desk.run(*says, file=file)


def kinds_let_go(desk: Desk, **keep: str) -> list[str]:
    return sorted(key.partition("/")[0] for key in let_go(desk.person(arrivals_file(keep=keep)), is_trial=False))


@pytest.mark.parametrize("topic", ["flights", "flights.v2-1"])
@pytest.mark.parametrize("form", ["predictions-1", "actuals-1-0123abcd"])
def test_an_id_file_s_name_says_of_which_staged_file_it_is(topic: str, form: str) -> None:
    for at in (OffsetRange(Partition(topic, 3), 1200, 1700), 12, SlotName(12, 3)):
        staged = ARRIVALS.file("staged", at, "f" * 64)
        assert ARRIVALS.staged_of(ARRIVALS.ids(staged, form)) == staged


@pytest.mark.parametrize(
    ("at", "goes"),
    [
        (OffsetRange(C0, 0, 2), True),
        (OffsetRange(C0, 1, 2), True),
        (OffsetRange(C0, 2, 4), False),
        (1, True),
        (2, False),
        (SlotName(1, 0), True),
        (SlotName(2, 0), False),
    ],
    ids=str,
)
def test_ids_go_with_the_staged_file_that_nobody_can_name_any_more_and_not_before(
    arrivals: Desk, at: FileName, goes: bool
) -> None:
    arrived(arrivals, event(1), event(2))
    both = ids_of(arrivals, at)
    assert audited(arrivals, ACTUALS, full=True).as_dict()["files_nobody_needs"] == (2 if goes else 0)
    assert sorted(let_go(arrivals.person(ACTUALS), is_trial=False)) == (sorted(both) if goes else [])
    assert files(arrivals) == (["ids", "staged"] if goes else ["ids", "ids", "staged", "staged"])


def test_what_a_sweep_left_that_died_between_the_two_goes_by_the_next_one(arrivals: Desk) -> None:
    arrived(arrivals, event(1), event(2))
    staged, ids = ids_of(arrivals, OffsetRange(C0, 0, 2))
    sweeper = arrivals.world.start("sweep", lambda: let_go(arrivals.person(ACTUALS), is_trial=False))
    while staged in arrivals.store.objects:
        assert sweeper.move()
    sweeper.kill()
    assert ids in arrivals.store.objects
    assert let_go(arrivals.person(ACTUALS), is_trial=False) == [ids]


def test_ids_outlive_the_staged_file_that_went_by_age_and_then_go_by_their_own(arrivals: Desk) -> None:
    arrived(arrivals, event(1), event(2))
    arrivals.world.now_s += 31 * DAY_S
    assert kinds_let_go(arrivals, staged="30d") == ["staged"]
    assert kinds_let_go(arrivals, staged="30d", ids="60d") == []
    arrivals.world.now_s += 30 * DAY_S
    assert kinds_let_go(arrivals, staged="30d") == []
    assert kinds_let_go(arrivals, staged="30d", ids="60d") == ["ids"]
    assert files(arrivals) == []


def test_ids_that_are_older_than_the_delivery_of_their_rows_are_as_old_as_that(arrivals: Desk) -> None:
    """A run of today looks for what was delivered in the joining window, and not for what was staged in it."""
    arrived(arrivals, event(1), event(2), says=(REFUSES,))
    arrivals.world.now_s += 40 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == [], "it waits"
    arrived(arrivals)
    arrivals.world.now_s += 14 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == []
    balance = arrived(arrivals, event(1), file=arrivals_file(policies={"join_window_days": 15})).balance
    assert (balance.repeated, balance.staged) == (1, 0)
    arrivals.world.now_s += 17 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == ["ids"]


def test_ids_of_rows_that_went_out_by_a_later_entry_are_as_old_as_that(arrivals: Desk) -> None:
    holds = arrivals_file(policies={"corrections": "hold"})
    arrived(arrivals, event(1), event(1, "on time"), file=holds)
    arrivals.world.now_s += 40 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == [], "it is held"
    resolve_window(arrivals.person(holds), 1, "deliver", "looked")
    arrived(arrivals)
    assert kinds_let_go(arrivals, ids="30d") == []
    arrivals.world.now_s += 31 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == ["ids"]


def test_ids_of_a_window_of_which_nothing_was_sent_go_by_their_own_age(arrivals: Desk) -> None:
    arrived(arrivals, event(1))
    arrivals.world.now_s += DAY_S
    assert arrived(arrivals, event(1)).balance.repeated == 1
    arrivals.world.now_s += 30 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == ["ids"]
    arrivals.world.now_s += 2
    assert kinds_let_go(arrivals, ids="30d") == ["ids"]


def test_ids_that_were_let_go_of_are_made_again_as_long_as_the_staged_file_is_there(arrivals: Desk) -> None:
    arrived(arrivals, event(1))
    arrivals.world.now_s += 31 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == ["ids"]
    wide = arrivals_file(policies={"join_window_days": 60})
    assert arrived(arrivals, event(1), file=wide).balance.repeated == 1


def test_ids_of_a_window_that_is_about_to_be_sealed_stay(arrivals: Desk) -> None:
    arrived(arrivals, event(1))
    arrivals.kafka.produce(C0, event(2))
    slow = arrivals.world.start("slow", lambda: arrivals.run(file=ACTUALS))
    while "entries/000000000002.json" not in slow.threads[0].at:
        assert slow.move()
    assert files(arrivals) == ["ids", "ids", "staged", "staged"]
    arrivals.world.now_s += 1000 * DAY_S
    assert kinds_let_go(arrivals, ids="30d") == ["ids"], "that of the first window"
    slow.finish()
    assert slow.error is None
    assert files(arrivals) == ["ids", "staged", "staged"]
    assert audited(arrivals, ACTUALS, full=True).as_dict()["files_nobody_needs"] == 0
