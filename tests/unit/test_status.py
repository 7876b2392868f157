"""Where a pipeline stands, as a person is told: what waits, why, what comes next, and nothing is written for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import SourceUnavailable, TopicMissing
from sluice.offsets import GroupOffset
from sluice.resolution import readdress, resolve_delivery
from sluice.status import status
from tests import parts
from tests.desk import A0, Desk
from tests.parts import DROPS, FORBIDS, REFUSES, pipeline_file

HOLDS = pipeline_file(on_ambiguous="hold")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    desk = Desk(tmp_path)
    desk.kafka.produce(A0, b"good 1")
    return desk


def shown(desk: Desk) -> dict[str, Any]:
    """The status, which writes nothing."""
    before = dict(desk.store.objects)
    found = status(desk.open(HOLDS))
    assert desk.store.objects == before
    return found


def waiting(desk: Desk) -> tuple[str, str]:
    (item,) = shown(desk)["waiting"]
    (part,) = item["parts"]
    return part["last"], item["next"]


def test_before_the_first_run_there_is_a_lag_and_no_ledger(desk: Desk) -> None:
    found = shown(desk)
    assert (found["ledger"], found["waiting"], found["problem"]) == (None, [], None)
    assert [(item["position"], item["committed"], item["lag"]) for item in found["partitions"]] == [
        *[(0, None, 1), (0, None, 0)],
    ]


def test_behind_a_run_nothing_waits_and_nothing_lags(desk: Desk) -> None:
    desk.run()
    found = shown(desk)
    assert (found["ledger"]["entries"], found["waiting"]) == (2, [])
    assert [(item["position"], item["committed"], item["lag"]) for item in found["partitions"]] == [
        *[(1, 1, 0), (0, 0, 0)],
    ]


def test_what_arize_refused_waits_for_somebody_to_fix_it(desk: Desk) -> None:
    desk.run(REFUSES)
    assert waiting(desk) == ("refused: bad column", "fix what Arize names; the next run sends it again")


def test_a_send_in_doubt_waits_for_a_word_and_then_for_the_next_run(desk: Desk) -> None:
    desk.run(DROPS, file=HOLDS)
    said, then = waiting(desk)
    assert said == "no known outcome: the connection broke"
    assert "--entry 1 --part 0 delivered|resend" in then
    resolve_delivery(desk.person(HOLDS), 1, 0, "resend", "looked")
    assert waiting(desk) == ("released: looked", "the next run delivers it")


def test_a_readdressed_entry_says_where_it_goes(desk: Desk) -> None:
    desk.run(FORBIDS)
    desk.arize.space = "another"
    readdress(desk.person(), 1, "the space was wrong")
    assert waiting(desk) == ("not sent yet; goes to another", "the next run delivers it")


def test_what_the_next_run_would_stop_at_is_told_beside_the_partitions(desk: Desk) -> None:
    desk.run()
    desk.kafka.produce(A0, b"good 1")
    desk.kafka.group[A0] = GroupOffset(partition=A0, offset=2, metadata="theirs")
    found = shown(desk)
    assert (found["problem"]["error"], len(found["partitions"])) == ("GroupMoved", 2)


def test_what_the_group_was_driven_past_does_not_say_that_the_next_run_delivers_it(desk: Desk) -> None:
    desk.run()
    for key in [key for key in desk.store.objects if "/deliveries/" in key]:
        del desk.store.objects[key]
    desk.kafka.ids["a"] = "another"
    found = shown(desk)
    assert (found["problem"]["error"], len(found["partitions"])) == ("GroupAhead", 2)
    assert "--entry 1 --part P delivered" in waiting(desk)[1]


@pytest.mark.parametrize("error", [SourceUnavailable, TopicMissing])
def test_what_waits_is_told_though_kafka_cannot_be_asked(desk: Desk, error: type[Exception]) -> None:
    desk.run(REFUSES)

    def gone(topics: Sequence[str]) -> Any:
        raise error("no topic, no broker")

    desk.kafka.snapshot = gone  # type: ignore[method-assign]
    found = shown(desk)
    assert (found["problem"]["error"], found["partitions"]) == (error.__name__, [])
    assert waiting(desk)[0] == "refused: bad column"
