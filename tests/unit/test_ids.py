"""Ids of staged rows: digests that are the same everywhere, in files that are made once and outlive the staged one."""

from __future__ import annotations

import hashlib
import math
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import LedgerDamaged, StagedFileDamaged, StoreUnavailable
from sluice.ground_truth.delivered import DeliveredPart
from sluice.ground_truth.id_files import IdFiles
from sluice.ground_truth.ids import ACTUALS, PREDICTIONS, actual_ids, own_columns, prediction_ids
from sluice.ground_truth.received import Received, Unknown
from sluice.ground_truth.rows import actuals_of, predictions_of
from sluice.ledger import masks
from sluice.ledger.entries import StagedFile
from sluice.ledger.keys import Keys
from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import Column, FromRecord, FromValue
from sluice.staging import Staging
from tests.parts import MemoryStore, window
from tests.simulation import World

ENOUGH_S = 30.0
FIRST = OffsetRange(Partition("a", 0), 0, 4)
PLACES = {"topic": ["a"] * 4, "partition": pl.Series([0] * 4, dtype=pl.Int32), "offset": range(4)}
KNOWN = {"prediction_id": ["a", "2013-01-01 UA 1545", "été", "a"], "prediction_ts": [1.5, -0.5, 1.7e9, 0.0]}
SAID = {
    "actual_label": ["late", None, "", "late"],
    "actual_score": [1.0, 0.0, -0.0, math.nan],
    "tag/n": [1, None, -5, 2**62],
    "tag/b": [True, False, None, True],
}
TRUTHS = pl.DataFrame(PLACES | KNOWN | SAID)
GUESSES = pl.DataFrame(PLACES | KNOWN | {"version": ["2", "10", "2", "3"], "prediction_label": ["late"] * 4})


# ── digests


def test_digests_are_the_same_in_every_version_of_everything() -> None:
    ids = [(4610586821656760097, 2374771689185158410), (17773503072407800344, 4597534183881996946)]
    ids += [(3859172928975744904, 13242025455685800709), ids[0]]
    says = [7675940791650046592, 2542236570158988896, 2961034449268374476, 9088102438923886461]
    found = actual_ids(TRUTHS)
    assert found.select("id_0", "id_1").rows() == ids
    assert found["says"].to_list() == says
    assert prediction_ids(GUESSES).select("id_0", "id_1").rows() == ids


def test_digests_are_those_of_bytes_that_anybody_can_write_down() -> None:
    digest = hashlib.blake2b("été".encode(), digest_size=16, person=b"sluice id").digest()
    texts = "actual_label\0string\x004:lateactual_score\0float\x0019:4607182418800017408"
    texts += "tag/b\0bool\x001:1tag/n\0int\x001:1"
    says = hashlib.blake2b(texts.encode(), digest_size=8, person=b"sluice says").digest()
    found = actual_ids(TRUTHS)
    assert found.select("id_0", "id_1").row(2) == struct.unpack("<QQ", digest)
    assert found["says"][0] == struct.unpack("<Q", says)[0]


def test_a_row_has_its_place_its_time_its_part_and_no_value() -> None:
    guesses, truths = prediction_ids(GUESSES), actual_ids(TRUTHS)
    assert (guesses.schema, truths.schema) == (PREDICTIONS, ACTUALS)
    for found in (guesses, truths):
        assert found.select("topic", "partition", "offset").rows() == [("a", 0, offset) for offset in range(4)]
        assert found["event_time"].to_list() == [1, -1, 1_700_000_000, 0]
    assert guesses["version"].to_list() == [1, 0, 1, 2], "in the order of texts, as parts are"
    assert prediction_ids(GUESSES[:0]).schema == PREDICTIONS
    assert actual_ids(TRUTHS[:0]).schema == ACTUALS


def test_a_prediction_that_brings_its_truth_along_is_told_from_others() -> None:
    assert prediction_ids(GUESSES)["is_complete"].to_list() == [False] * 4
    labels = GUESSES.with_columns(actual_label=pl.Series(["late", None, "", None]))
    assert prediction_ids(labels)["is_complete"].to_list() == [True, False, True, False]
    both = labels.with_columns(actual_score=pl.Series([None, None, None, 0.0]))
    assert prediction_ids(both)["is_complete"].to_list() == [True, False, True, True]


texts = st.none() | st.text(st.sampled_from("a1:\0tag/b"), max_size=4)
saids = st.fixed_dictionaries(
    {
        "tag/a": texts,
        "tag/ab": texts,
        "tag/f": st.none() | st.sampled_from([0.0, -0.0, 1.0, 0.1, math.nan, math.inf]),
        "tag/i": st.none() | st.integers(-1, 1),
        "tag/o": st.none() | st.booleans(),
    }
)
TYPES = {"tag/a": pl.String, "tag/ab": pl.String, "tag/f": pl.Float64, "tag/i": pl.Int64, "tag/o": pl.Boolean}


@given(saids, saids)
def test_two_rows_say_the_same_exactly_if_all_that_they_say_is_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    places = {"topic": ["a"] * 2, "partition": [0, 1], "offset": [1, 2]}
    known = {"prediction_id": ["x", "y"], "prediction_ts": [1.0, 2.0]}
    said = {name: [one[name], other[name]] for name in one}
    types = {**TYPES, "partition": pl.Int32}
    first, second = actual_ids(pl.DataFrame(places | known | said, schema_overrides=types))["says"]
    assert (first == second) == (str(_plain(one)) == str(_plain(other)))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value + 0.0 if isinstance(value, float) else value for name, value in sorted(row.items())}


def test_neither_the_order_of_columns_nor_an_empty_one_says_anything_and_a_type_does() -> None:
    says = actual_ids(TRUTHS)["says"]
    empty = TRUTHS.with_columns(pl.lit(None, pl.String).alias("tag/new")).select(reversed([*TRUTHS.columns, "tag/new"]))
    assert actual_ids(empty)["says"].equals(says)
    typed = actual_ids(TRUTHS.with_columns(pl.col("tag/n").cast(pl.Float64)))["says"]
    assert (typed == says).to_list() == [False, True, False, False]


def test_where_a_record_was_says_nothing() -> None:
    columns = [
        Column(name="tag/at", origin=FromRecord("offset"), type="int"),
        Column(name="tag/when", origin=FromRecord("timestamp"), type="int"),
        Column(name="tag/key", origin=FromRecord("key"), type="string"),
        Column(name="tag/n", origin=FromValue(("n",)), type="int"),
    ]
    assert own_columns(columns) == {"tag/at", "tag/when"}
    placed = TRUTHS.with_columns(pl.col("offset").alias("tag/at"))
    assert actual_ids(placed, {"tag/at"})["says"].equals(actual_ids(TRUTHS)["says"])


# ── files


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(World())


class Desk:
    """A staging of its own on a shared store, as another run has it."""

    def __init__(self, store: MemoryStore, scratch: Path) -> None:
        scratch.mkdir()
        self.staging = Staging(store, Keys("flights"), scratch)
        self.files = IdFiles(store, Keys("flights"), self.staging)
        self.scratch = scratch

    def staged(self, frame: pl.DataFrame) -> StagedFile:
        file = self.staging.stage(frame, FIRST)
        assert file is not None
        return file


@pytest.fixture
def desk(store: MemoryStore, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path / "mine")


@pytest.fixture
def other(store: MemoryStore, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path / "other")


def id_keys(store: MemoryStore) -> list[str]:
    return sorted(key for key in store.objects if key.startswith("ids/"))


def test_two_files_of_the_same_rows_are_read_side_by_side(
    store: MemoryStore, desk: Desk, other: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As entries are that took the same rows to the same place, once by a replay."""
    whole, one_is_read, fetched, read = store.fetch, threading.Event(), threading.Barrier(2), pl.read_parquet
    first = other.staged(GUESSES)
    second = other.staging.stage_for(7, first)
    readers = [0, 1]

    def fetch(key: str, file: Path) -> bool:
        found = whole(key, file)
        fetched.wait(ENOUGH_S)
        return found

    def one_behind_the_other(file: Path) -> pl.DataFrame:
        if Path(file).exists() and readers.pop():
            assert one_is_read.wait(ENOUGH_S)
        return read(file)

    def ids_of(file: StagedFile) -> pl.DataFrame | None:
        try:
            return desk.files.predictions(file)
        finally:
            one_is_read.set()

    monkeypatch.setattr(store, "fetch", fetch)
    monkeypatch.setattr(pl, "read_parquet", one_behind_the_other)
    with ThreadPoolExecutor(2) as pool:
        found = [item["id_0"].to_list() for item in pool.map(ids_of, (first, second)) if item is not None]
    assert found == [prediction_ids(GUESSES)["id_0"].to_list()] * 2
    assert list(desk.scratch.iterdir()) == []


def test_an_id_file_is_named_by_its_staged_file_and_its_format(store: MemoryStore, desk: Desk) -> None:
    staged = desk.staged(GUESSES)
    desk.files.predictions(staged)
    name = staged.key.removeprefix("staged/").removesuffix(".parquet")
    assert id_keys(store) == [f"ids/{name}.predictions-1.parquet"]
    derived = desk.staging.stage_for(7, desk.staging.keep(TRUTHS))
    desk.files.actuals(derived)
    desk.files.actuals(derived, {"tag/b", "tag/n"})
    name = derived.key.removeprefix("staged/").removesuffix(".parquet")
    assert id_keys(store)[:2] == [f"ids/{name}.actuals-1-7821789c.parquet", f"ids/{name}.actuals-1.parquet"]


def test_ids_are_made_once_and_read_by_all_who_come_later(store: MemoryStore, desk: Desk, other: Desk) -> None:
    staged = desk.staged(GUESSES)
    made = desk.files.predictions(staged)
    assert made is not None
    assert made.equals(prediction_ids(GUESSES))
    assert staged.key in store.objects
    del store.objects[staged.key]  # what `keep` lets go of
    read = other.files.predictions(staged)
    assert read is not None
    assert read.equals(made)
    some = other.files.predictions(staged, ["id_0", "version"])
    assert some is not None
    assert some.equals(made.select("id_0", "version"))
    assert len([write for write in store.writes if write.key.startswith("ids/")]) == 1


def test_two_that_make_them_at_once_hold_the_same_and_the_first_one_stands(
    store: MemoryStore, desk: Desk, other: Desk
) -> None:
    world = store._world
    staged = desk.staged(GUESSES)
    both = [world.start(f"{n}", partial(each.files.predictions, staged)) for n, each in enumerate((desk, other))]
    while any(process.move() for process in both):
        pass
    one, another = (process.result for process in both)
    assert isinstance(one, pl.DataFrame)
    assert isinstance(another, pl.DataFrame)
    assert one.equals(another)
    assert len(id_keys(store)) == 1


def test_killed_at_any_step_the_next_one_makes_or_reads_them(store: MemoryStore, tmp_path: Path) -> None:
    staged = Desk(store, tmp_path / "first").staged(GUESSES)
    for steps in range(12):
        dying = Desk(store, tmp_path / f"dying {steps}")
        process = store._world.start(f"dying {steps}", partial(dying.files.predictions, staged))
        for _ in range(steps):
            process.move()
        process.kill()
        found = Desk(store, tmp_path / f"next {steps}").files.predictions(staged)
        assert found is not None
        assert found.equals(prediction_ids(GUESSES))
        for key in id_keys(store):
            del store.objects[key]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_store_that_fails_leaves_all_of_it_or_nothing(store: MemoryStore, desk: Desk, fault: Any) -> None:
    staged = desk.staged(GUESSES)
    store.faults[""] = fault
    with pytest.raises(StoreUnavailable):
        desk.files.predictions(staged)
    assert len(id_keys(store)) == (fault == "after")
    assert desk.files.predictions(staged) is not None


def test_where_both_files_are_gone_nobody_knows_the_ids(store: MemoryStore, desk: Desk, other: Desk) -> None:
    staged = desk.staged(GUESSES)
    store.delete(staged.key)
    assert other.files.predictions(staged) is None
    assert desk.files.predictions(staged) is not None, "of which it has a copy"


def test_a_staged_file_that_differs_is_not_taken_for_one_that_is_gone(
    store: MemoryStore, desk: Desk, other: Desk
) -> None:
    staged = desk.staged(GUESSES)
    store.objects[staged.key] = b"other bytes"
    with pytest.raises(StagedFileDamaged, match="differs"):
        other.files.predictions(staged)
    assert not id_keys(store)


@pytest.mark.parametrize("bytes_", [b"", b"no Parquet", b"PAR1 PAR1"])
def test_an_id_file_that_cannot_be_read_is_said(store: MemoryStore, desk: Desk, bytes_: bytes) -> None:
    staged = desk.staged(GUESSES)
    desk.files.predictions(staged)
    (key,) = id_keys(store)
    store.objects[key] = bytes_
    with pytest.raises(StagedFileDamaged, match=r"cannot be read\. Delete it"):
        desk.files.predictions(staged)
    store.delete(key)
    assert desk.files.predictions(staged) is not None


def test_an_id_file_of_another_staged_file_is_not_taken(store: MemoryStore, desk: Desk) -> None:
    one, another = desk.staged(GUESSES), desk.staged(GUESSES[:3])
    desk.files.predictions(one)
    (key,) = id_keys(store)
    desk.files.predictions(another)
    store.objects[key] = store.objects[next(item for item in id_keys(store) if item != key)]
    with pytest.raises(StagedFileDamaged, match="does not hold the ids"):
        desk.files.predictions(one)


def test_no_value_of_an_event_stands_in_an_id_file(store: MemoryStore, desk: Desk) -> None:
    rows = TRUTHS.with_columns(actual_label=pl.lit("secret one"), prediction_id=pl.lit("secret two"))
    desk.files.actuals(desk.staged(rows))
    (key,) = id_keys(store)
    stored = store.objects[key]
    assert "secret" not in key
    assert "secret" not in str(pl.read_parquet(BytesIO(stored)).to_dicts())
    assert b"secret" not in stored


def test_making_them_leaves_no_copy_behind_and_takes_none_away(desk: Desk, other: Desk) -> None:
    staged = desk.staged(GUESSES)
    other.files.predictions(staged)
    desk.files.predictions(staged)
    assert (len(list(other.scratch.iterdir())), len(list(desk.scratch.iterdir()))) == (0, 1)


# ── rows


def part(staged: StagedFile, rows: int, **fields: Any) -> DeliveredPart:
    found: dict[str, Any] = {"name": 1, "part": 0, "received_s": 9, "version": None, **fields}
    return DeliveredPart(entry=window("a[0] 0..4"), staged=staged, rows=rows, **found)


def test_each_part_has_the_rows_of_its_version(desk: Desk) -> None:
    staged = desk.staged(GUESSES)
    parts = [part(staged, rows, part=version, version=version) for version, rows in enumerate((1, 2, 1))]
    found = [item for item in predictions_of(desk.files, parts) if isinstance(item, Received)]
    ids = prediction_ids(GUESSES)["id_0"]
    assert [item.ids["id_0"].to_list() for item in found] == [[ids[1]], [ids[0], ids[2]], [ids[3]]]
    with pytest.raises(LedgerDamaged, match="Part 0 of entry 1 has 2 rows, and its file 1"):
        list(predictions_of(desk.files, [part(staged, 2, version=0)]))


def test_many_files_are_read_each_once_and_none_is_lost(store: MemoryStore, desk: Desk, other: Desk) -> None:
    files = [desk.staged(GUESSES.with_columns(prediction_id=pl.lit(f"{number}"))) for number in range(9)]
    store.delete(files[4].key)
    found = list(predictions_of(other.files, [part(file, 4, received_s=at) for at, file in enumerate(files)]))
    assert [item.at_s for item in found if isinstance(item, Received)] == [0, 1, 2, 3, 5, 6, 7, 8]
    assert [item for item in found if isinstance(item, Unknown)] == [Unknown(rows=4)]


def test_of_actuals_it_is_told_which_were_sent(desk: Desk) -> None:
    staged, unsent = desk.staged(TRUTHS), masks.encode([False, False, True, False])
    sent = part(staged, 3)
    sent = replace(sent, entry=sent.entry.model_copy(update={"unsent": unsent}))
    (found,) = actuals_of(desk.files, [sent], besides={"tag/n"})
    assert isinstance(found, Received)
    assert found.is_sent is not None
    assert found.is_sent.to_list() == [True, True, False, True]
    assert found.ids.equals(actual_ids(TRUTHS, {"tag/n"}))
    (whole,) = actuals_of(desk.files, [part(staged, 4)])
    assert isinstance(whole, Received)
    assert whole.is_sent is None
    with pytest.raises(ValueError, match="a mask of 3 rows"):
        Received(ids=found.ids, at_s=1, is_sent=found.is_sent[:3])
