"""What a model received since a moment: all of it, at the cost of what lies in the look-back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.errors import NothingToResolve
from sluice.ground_truth.delivered import DeliveredPart, delivered_since
from sluice.ground_truth.ids import prediction_ids
from sluice.ground_truth.lookback import sealed_since
from sluice.ledger import entries
from sluice.ledger.names import SlotName
from sluice.ledger.went import Sent
from sluice.refiling import resolve_file
from sluice.resolution import readdress, resolve_delivery, resolve_window
from tests import parts
from tests.desk import A0, Desk
from tests.parts import DROPS, REFUSES, TAKES_AND_DROPS, MemoryArize, Said, pipeline_file

LATE = pipeline_file(start="latest")  # its ledger begins behind what is there
LAX = pipeline_file(start="latest", share="100%")
FILES = pipeline_file(path="object_store")
DELAY = Sent(space="space", model="delay", environment="production")
DAY_S = 86_400
GOOD, BAD = b"good 1", b"bad 1"
Arrivals = Counter[tuple[int, tuple[tuple[str, int, int], ...]]]


class Witness(MemoryArize):
    """Keeps when and where rows arrived."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__()
        self.seen: list[tuple[Sent, int, tuple[tuple[str, int, int], ...]]] = []
        self._now_s = now_s

    def send(self, file: Path, to: entries.Destination, part: entries.Part, timeout_s: float) -> Said:
        before = len(self.arrived)
        said = super().send(file, to, part, timeout_s)
        for _, places in self.arrived[before:]:
            self.seen.append((Sent.to(to), int(self._now_s()), tuple(places)))
        return said

    def since(self, to: Sent, since_s: float) -> Arrivals:
        return Counter((at_s, places) for where, at_s, places in self.seen if where == to and at_s >= since_s)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    monkeypatch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 3)


def began(scratch: Path) -> Desk:
    """Ten records in a[0], and a ledger that begins behind them."""
    desk = Desk(scratch)
    desk.arize = Witness(lambda: desk.world.now_s)
    desk.kafka.produce(A0, *[GOOD, b"good 2"] * 5)
    desk.run(file=LATE)
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return began(tmp_path)


def found(desk: Desk, days: float, to: Sent = DELAY) -> tuple[DeliveredPart, ...]:
    run = desk.person(LATE)
    return delivered_since(desk.store, run.ledger, run.deliveries, to, desk.world.now_s - days * DAY_S)


def names(desk: Desk, days: float) -> list[str]:
    return [f"{item.name}.{item.part}" for item in found(desk, days)]


def arrivals(desk: Desk, parts: tuple[DeliveredPart, ...]) -> Arrivals:
    """What the parts say to have arrived, when, row by row."""
    return Counter((item.received_s, tuple(places(desk, item))) for item in parts)


def places(desk: Desk, item: DeliveredPart) -> list[tuple[str, int, int]]:
    rows = pl.read_parquet(BytesIO(desk.store.objects[item.staged.key]))
    ids = prediction_ids(rows.with_columns(prediction_id=pl.lit(""), prediction_ts=pl.lit(0.0)))
    mine = ids if item.version is None else ids.filter(version=item.version)
    assert mine.height == item.rows
    return mine.select("topic", "partition", "offset").rows()


def pass_days(desk: Desk, days: float) -> None:
    desk.world.now_s += days * DAY_S


def ingest(desk: Desk, *says: Said, values: tuple[bytes, ...] = (GOOD,), days: float = 0) -> None:
    desk.kafka.produce(A0, *values)
    desk.run(*says, file=LATE)
    pass_days(desk, days)


# ── whatever happens to a ledger


def _resolve(verdict: Any) -> Callable[[Desk], object]:
    def resolve(desk: Desk) -> None:
        run = desk.person(LAX)
        held = [item.number for item in run.ledger.state.held]
        held += [name for name in run.ledger.slots_waiting if run.ledger.sealed(name).held]  # type: ignore[misc]
        for name in held:
            resolve_window(run, name, verdict, "tried")

    return resolve


def _each_open(word: Callable[[Any, int], object]) -> Callable[[Desk], object]:
    def say(desk: Desk) -> None:
        run = desk.person(LATE)
        for number in [number for number, item in run.ledger.state.open.items() if not item.entry.held]:
            with suppress(NothingToResolve):
                word(run, number)

    return say


def _elsewhere(desk: Desk) -> None:
    desk.arize.space = "another" if desk.arize.space == "space" else "space"


def _replay(**asked: Any) -> Callable[[Desk], object]:
    def again(desk: Desk) -> None:
        last = max((item.name for item in found(desk, 1000) if isinstance(item.name, int)), default=1)
        desk.replay(file=LATE, entries=[last], reason=f"at {desk.world.now_s}", **asked)

    return again


ACTIONS: dict[str, Callable[[Desk], object]] = {
    "ingest": lambda desk: ingest(desk, values=(GOOD, b"good 2", GOOD, GOOD, GOOD)),
    "ingest, refused": lambda desk: ingest(desk, REFUSES, values=(GOOD, b"good 2")),
    "ingest, unknown": lambda desk: ingest(desk, DROPS, DROPS, DROPS),
    "ingest, held": lambda desk: ingest(desk, values=(BAD, BAD, GOOD)),
    "backfill": lambda desk: desk.backfill(file=LATE),
    "backfill, refused": lambda desk: desk.backfill(REFUSES, file=LATE),
    "backfill again, refused": lambda desk: desk.backfill(REFUSES, file=LATE, again="why"),
    "replay there": _replay(count_twice=True),
    "replay elsewhere": _replay(model="another"),
    "deliver": _resolve("deliver"),
    "redo": _resolve("redo"),
    "drop": _resolve("drop"),
    "drop a part": _each_open(lambda run, number: resolve_delivery(run, number, 0, "drop", "of no use")),
    "to another space": _elsewhere,
    "readdress": _each_open(lambda run, number: readdress(run, number, "moved")),
    "a day": lambda desk: pass_days(desk, 0.9),
    "days": lambda desk: pass_days(desk, 3.1),
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=16))
def test_all_that_arrived_since_a_moment_is_found_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    desk = began(tmp_path_factory.mktemp("desk"))
    for action in actions:
        ACTIONS[action](desk)
    assert isinstance(desk.arize, Witness)
    for to in (DELAY, Sent(space="another", model="delay", environment="production")):
        for days in (0.5, 1.5, 4, 9, 1000):
            delivered = found(desk, days, to)
            assert arrivals(desk, delivered) == desk.arize.since(to, desk.world.now_s - days * DAY_S)
            times = [item.received_s for item in delivered]
            assert times == sorted(times, reverse=True)


# ── what lies in a look-back although its number does not say so


def history(desk: Desk, windows: int = 8, days: float = 20) -> None:
    """Deliver windows and write checkpoints, and let them grow old."""
    for _ in range(windows):
        ingest(desk)
    pass_days(desk, days)


def test_a_slot_of_an_old_claim_is_found_when_it_is_sealed_long_after(desk: Desk) -> None:
    desk.backfill(REFUSES, file=LATE)  # seals the first window of the claim, and leaves the others
    history(desk)
    assert names(desk, 7) == []
    desk.backfill(file=LATE)
    assert sorted(names(desk, 7)) == ["1/0.0", "1/0.1", "1/1.0", "1/1.1", "1/2.0", "1/2.1"]
    history(desk, days=6)
    assert len(names(desk, 7)) == 6 + 8
    pass_days(desk, 8)
    assert names(desk, 7) == []


def test_a_slot_that_waited_for_weeks_was_received_when_it_was_delivered(desk: Desk) -> None:
    desk.backfill(*[REFUSES] * 3, file=LATE, stop_at_failure=False)
    history(desk)
    assert names(desk, 7) == []
    desk.backfill(file=LATE)
    assert {item.name for item in found(desk, 7)} == {SlotName(1, slot) for slot in range(3)}


def test_an_entry_that_waited_for_weeks_was_received_when_it_was_delivered(desk: Desk) -> None:
    for _ in range(2):
        ingest(desk)
    ingest(desk, REFUSES)
    desk.run(REFUSES, file=LATE)  # writes a checkpoint in which it waits
    pass_days(desk, 20)
    assert sealed_since(desk.store, desk.person(LATE).ledger, desk.world.now_s).keys() == {3}
    desk.run(file=LATE)
    assert names(desk, 1) == ["3.0"]


def test_a_look_back_costs_as_much_as_lies_in_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.ledger.log.CHECKPOINT_EVERY", 5)
    read: list[str] = []

    def reads(key: str) -> bytes | None:
        read.append(key)
        return desk.store.objects.get(key)

    costs: list[int] = []
    for _ in range(3):
        history(desk, windows=20)
        desk.backfill(file=LATE, again=f"at {desk.world.now_s}")
        history(desk, windows=10)
        for _ in range(5):
            ingest(desk)
        run = desk.person(LATE)
        with monkeypatch.context() as patch:
            patch.setattr(desk.store, "read", reads)
            assert len(delivered_since(desk.store, run.ledger, run.deliveries, DELAY, desk.world.now_s - DAY_S)) == 5
        costs.append(len(read) - sum(costs))
    assert max(costs) <= min(costs) + 5, "an entry and an outcome each, and what is before the next checkpoint"


def test_where_no_checkpoint_is_old_enough_all_is_looked_at(desk: Desk) -> None:
    history(desk)
    ingest(desk)
    desk.store._modified = dict.fromkeys(desk.store._modified, desk.store.now_s())  # as in a copy of a bucket
    assert len(sealed_since(desk.store, desk.person(LATE).ledger, desk.world.now_s)) == 9
    assert names(desk, 1) == ["9.0"]


# ── what was delivered where, and when


def test_a_part_that_a_person_let_go_of_was_not_delivered_and_the_other_was(desk: Desk) -> None:
    ingest(desk, REFUSES, values=(GOOD, b"good 2"))
    resolve_delivery(desk.person(LATE), 1, 0, "drop", "of no use")
    desk.run(file=LATE)
    (part,) = found(desk, 1)
    assert (part.part, part.version, places(desk, part)) == (1, 1, [("a", 0, 11)])


def test_what_a_person_says_was_delivered_was_received_when_it_was_sent(desk: Desk) -> None:
    careful = pipeline_file(start="latest", on_ambiguous="hold")
    desk.kafka.produce(A0, GOOD)
    desk.run(TAKES_AND_DROPS, file=careful)
    sent_s = int(desk.world.now_s)
    pass_days(desk, 5)
    resolve_delivery(desk.person(careful), 1, 0, "delivered", "seen in Arize")
    assert [item.received_s for item in found(desk, 6)] == [sent_s]
    assert found(desk, 4) == ()


def test_what_a_person_sent_to_another_space_is_there(desk: Desk) -> None:
    ingest(desk, REFUSES)
    desk.arize.space = "another"
    readdress(desk.person(LATE), 1, "moved")
    desk.run(file=LATE)
    assert found(desk, 1) == ()
    assert len(found(desk, 1, Sent(space="another", model="delay", environment="production"))) == 1


def test_a_file_was_received_when_it_was_in_its_place(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.imports.is_looking = False
    desk.kafka.produce(A0, GOOD, b"good 2")
    placed_s = int(desk.world.now_s)
    desk.run(file=FILES)  # which waits for Arize for a while
    assert found(desk, 1) == (), "Arize has not said yet that it took it"
    pass_days(desk, 3)
    desk.imports.is_looking = True
    desk.run(file=FILES)
    (part,) = found(desk, 4)
    assert (part.received_s, part.version, part.rows) == (placed_s, None, 2)


def test_of_a_file_that_goes_out_once_more_only_the_second_one_counts(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.imports.verdicts.append("failed")
    desk.kafka.produce(A0, GOOD)
    desk.run(file=FILES)
    resolve_file(desk.person(FILES), 1, "redeliver", "mended there")
    desk.run(file=FILES)
    desk.run(file=FILES)
    assert [item.name for item in found(desk, 1)] == [2]


def test_a_ledger_that_was_not_begun_has_delivered_nothing(tmp_path: Path) -> None:
    run = Desk(tmp_path).open()
    assert delivered_since(run.store, run.ledger.load(), run.deliveries, DELAY, 0) == ()


def test_slots_are_named_by_their_claim(desk: Desk) -> None:
    desk.backfill(file=LATE)
    assert {item.name for item in found(desk, 1)} == {SlotName(1, 0), SlotName(1, 1), SlotName(1, 2)}
