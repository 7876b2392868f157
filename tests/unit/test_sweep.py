"""What a pipeline need not keep: by age only what is settled, and only where its file says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.resolution import resolve_window
from sluice.sweep import let_go
from tests import parts
from tests.desk import A0, Desk
from tests.parts import REFUSES, pipeline_file

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
