"""Staged files: named by what is in them, checked when they come back, and hashed by their rows."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import StagedFileDamaged, StoreUnavailable
from sluice.ledger.keys import Keys
from sluice.offsets import OffsetRange, Partition
from sluice.records import Record, Rejected
from sluice.staging import Staging, content_hash
from tests.parts import MemoryStore
from tests.simulation import World

A0 = Partition("a", 0)
FIRST = OffsetRange(A0, 100, 104)
SCHEMA = pl.Schema({"text": pl.String(), "count": pl.Int64(), "share": pl.Float64(), "flag": pl.Boolean()})
FRAME = pl.DataFrame(
    [("a", 1, 0.5, True), (None, None, None, None), ("", -1, float("nan"), False)], schema=SCHEMA, orient="row"
)
rows = st.lists(
    st.tuples(
        st.none() | st.text(max_size=5),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(),
        st.none() | st.booleans(),
    ),
    max_size=6,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(World())


def staging(store: MemoryStore, scratch: Path) -> Staging:
    scratch.mkdir(exist_ok=True)
    return Staging(store, Keys("flights"), scratch)


# ── files


def test_a_staged_file_is_named_by_its_first_range_and_its_content(store: MemoryStore, tmp_path: Path) -> None:
    file = staging(store, tmp_path).stage(FRAME, FIRST)
    assert file is not None
    assert file.key == f"staged/flights/a/0/{100:020}-{file.sha256[:32]}.parquet"
    assert (file.rows, file.bytes) == (3, len(store.objects[file.key]))
    assert Keys("flights").file_start(file.key) == (A0, 100)


def test_a_file_of_one_entry_is_named_by_its_number(store: MemoryStore, tmp_path: Path) -> None:
    mine, keys = staging(store, tmp_path), Keys("flights")
    kept = mine.keep(FRAME)
    assert not store.objects
    files = [mine.stage_for(number, kept) for number in (7, 8)]
    assert [file.key for file in files] == [
        f"staged/flights/{number:012}-{kept.sha256[:32]}.parquet" for number in (7, 8)
    ]
    assert [keys.entry_of_file(file.key) for file in files] == [7, 8]
    assert {(file.rows, file.sha256, file.content) for file in files} == {(3, kept.sha256, content_hash(FRAME))}
    staged = mine.stage(FRAME, FIRST)
    assert staged is not None
    assert keys.entry_of_file(staged.key) is None


def test_the_same_rows_of_the_same_range_land_on_the_same_name(store: MemoryStore, tmp_path: Path) -> None:
    one = staging(store, tmp_path / "one").stage(FRAME, FIRST)
    assert staging(store, tmp_path / "other").stage(FRAME, FIRST) == one
    assert len(store.objects) == 1


def test_without_rows_there_is_no_file(store: MemoryStore, tmp_path: Path) -> None:
    assert staging(store, tmp_path).stage(FRAME.clear(), FIRST) is None
    assert staging(store, tmp_path).stage_rejected([], FIRST) is None
    assert not store.objects


def test_a_file_that_this_run_wrote_is_not_downloaded(store: MemoryStore, tmp_path: Path) -> None:
    mine = staging(store, tmp_path)
    file = mine.stage(FRAME, FIRST)
    assert file is not None
    store.objects.clear()
    assert pl.read_parquet(mine.local_copy(file)).equals(FRAME)


def test_a_file_of_another_run_is_downloaded_and_checked(store: MemoryStore, tmp_path: Path) -> None:
    file = staging(store, tmp_path / "dead").stage(FRAME, FIRST)
    assert file is not None
    assert pl.read_parquet(staging(store, tmp_path / "next").local_copy(file)).equals(FRAME)


def test_what_was_discarded_is_downloaded_again(store: MemoryStore, tmp_path: Path) -> None:
    mine = staging(store, tmp_path)
    file = mine.stage(FRAME, FIRST)
    assert file is not None
    mine.discard(file)
    mine.discard(file)
    assert list(tmp_path.iterdir()) == []
    assert mine.local_copy(file).exists()


@pytest.mark.parametrize("change", ["gone", "cut", "flipped"])
def test_a_staged_file_that_changed_is_never_sent(store: MemoryStore, tmp_path: Path, change: str) -> None:
    file = staging(store, tmp_path / "dead").stage(FRAME, FIRST)
    assert file is not None
    data = store.objects.pop(file.key)
    if change != "gone":
        store.objects[file.key] = data[:-1] if change == "cut" else data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(StagedFileDamaged, match=file.key):
        staging(store, tmp_path / "next").local_copy(file)


def test_a_store_that_kept_less_than_it_was_given_is_found_before_the_entry_is_sealed(
    store: MemoryStore, tmp_path: Path
) -> None:
    whole = store.put_once
    store.put_once = lambda key, data: whole(key, data[:-1])  # type: ignore[method-assign]
    with pytest.raises(StagedFileDamaged, match="not in the store as it was written"):
        staging(store, tmp_path).stage(FRAME, FIRST)


def test_a_file_that_was_swept_at_once_is_never_named_and_nothing_to_mend(store: MemoryStore, tmp_path: Path) -> None:
    class Swept(MemoryStore):
        def put_once(self, key: str, data: bytes) -> bytes:
            """Everything is gone by the time that it is looked at."""
            return data

    with pytest.raises(StoreUnavailable, match="is gone"):
        staging(Swept(World()), tmp_path).stage(FRAME, FIRST)


def test_raw_records_come_back_bit_by_bit(store: MemoryStore, tmp_path: Path) -> None:
    records = [
        Record(
            partition=A0,
            offset=100,
            timestamp_ms=5,
            key=b"k\0",
            value=b"\xff\x00",
            headers=(("h", b"\x80"), ("h", None)),
        ),
        Record(partition=A0, offset=101, timestamp_ms=None, key=None, value=None, headers=()),
        Record(partition=Partition("a", 1), offset=7, timestamp_ms=0, key=b"", value=b"", headers=(("", b""),)),
    ]
    mine = staging(store, tmp_path)
    assert mine.raw_records(mine.stage_raw(records, FIRST)) == {A0: records[:2], Partition("a", 1): records[2:]}


def test_rejected_records_are_kept_with_their_reasons(store: MemoryStore, tmp_path: Path) -> None:
    bad = Record(partition=A0, offset=100, timestamp_ms=5, key=b"k", value=b"{", headers=())
    mine = staging(store, tmp_path)
    file = mine.stage_rejected([Rejected(record=bad, reason="no JSON")], FIRST)
    assert file is not None
    assert file.key.startswith("rejected/flights/a/0/")
    frame = pl.read_parquet(mine.local_copy(file))
    assert (frame["value"].item(), frame["reason"].item(), file.content) == (b"{", "no JSON", None)


# ── the hash of rows


@given(rows, st.integers(0, 6), st.integers(0, 6))
def test_the_content_hash_does_not_depend_on_chunks_or_the_parquet_writer(
    some: list[tuple[object, ...]], one: int, other: int
) -> None:
    frame = pl.DataFrame(some, schema=SCHEMA, orient="row")
    low, high = sorted((one, other))
    chunked = pl.concat([frame[:low], frame[low:high], frame[high:]], rechunk=False)
    assert content_hash(chunked) == content_hash(frame)
    assert content_hash(pl.concat([frame, frame])[: frame.height]) == content_hash(frame)


@pytest.mark.parametrize(
    "how", [{"compression": "zstd"}, {"compression": "lz4", "row_group_size": 1}, {"use_pyarrow": True}]
)
def test_the_content_hash_outlives_a_trip_through_any_parquet_writer(tmp_path: Path, how: dict[str, Any]) -> None:
    FRAME.write_parquet(tmp_path / "x", **how)
    assert content_hash(pl.read_parquet(tmp_path / "x")) == content_hash(FRAME)


@given(rows, rows)
def test_other_rows_have_another_hash(some: list[tuple[object, ...]], others: list[tuple[object, ...]]) -> None:
    one, other = (pl.DataFrame(found, schema=SCHEMA, orient="row") for found in (some, others))
    assert (content_hash(one) == content_hash(other)) == _is_same(one, other)


def _is_same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether the rows are equal, where every NaN is the same one, and 0.0 and -0.0 are two values."""
    sign = pl.col("share").map_elements(lambda value: struct.pack("<d", value)[-1] >> 7, return_dtype=pl.Int64)
    signed = [frame.with_columns(pl.when(pl.col("share") == 0).then(sign).alias("sign")) for frame in (one, other)]
    return signed[0].equals(signed[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "bc"], ["ab", "c"]),
        ([None], [""]),
        ([None, ""], ["", None]),
        ([0], [None]),
        ([False], [None]),
        ([0.0], [None]),
        ([float("nan")], [None]),
        ([0.0], [-0.0]),
        ([1], [1.0]),
        ([1], [True]),
    ],
)
def test_values_that_are_easily_confused_are_told_apart(one: list[object], other: list[object]) -> None:
    assert content_hash(pl.DataFrame({"x": one})) != content_hash(pl.DataFrame({"x": other}))


def test_the_names_and_order_of_columns_count() -> None:
    x, y = pl.Series("x", [1]), pl.Series("y", [1])
    assert len({content_hash(pl.DataFrame(columns)) for columns in ([x, y], [y, x], [x], [y])}) == 4


def test_every_nan_is_the_same_one() -> None:
    nans = struct.unpack("<3d", bytes.fromhex("000000000000f87f010000000000f87f000000000000f8ff"))
    assert len({content_hash(pl.DataFrame({"x": [nan]})) for nan in nans}) == 1


def test_the_hash_is_the_documented_one() -> None:
    """Written out by hand, so that a hash in an old entry can be checked by anybody, for ever."""
    import hashlib

    by_hand = hashlib.sha256()
    for block in (
        b"text\0String\0", struct.pack("<q", 3), b"\1\0\1", struct.pack("<3q", 1, 0, 0), b"a",
        b"count\0Int64\0", struct.pack("<q", 3), b"\1\0\1", struct.pack("<3q", 1, 0, -1),
        b"share\0Float64\0", struct.pack("<q", 3), b"\1\0\1", struct.pack("<3d", 0.5, 0.0, float("nan")),
        b"flag\0Boolean\0", struct.pack("<q", 3), b"\1\0\1", b"\1\0\0",
    ):  # fmt: skip
        by_hand.update(block)
    assert content_hash(FRAME) == by_hand.hexdigest()
