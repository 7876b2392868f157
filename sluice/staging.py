"""Stage a window: Parquet files under names that are a function of their ranges and content."""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from sluice.errors import StagedFileDamaged, StoreUnavailable
from sluice.ledger import masks
from sluice.ledger.entries import Sealed, StagedFile
from sluice.ledger.keys import FileName, Keys
from sluice.offsets import Partition
from sluice.records import Record, Rejected
from sluice.store import Store, sha256_of

_HEADERS = pl.List(pl.Struct({"name": pl.String, "value": pl.Binary}))
RAW_SCHEMA = pl.Schema(
    {
        "topic": pl.String(),
        "partition": pl.Int32(),
        "offset": pl.Int64(),
        "timestamp_ms": pl.Int64(),
        "key": pl.Binary(),
        "value": pl.Binary(),
        "headers": _HEADERS,
        "reason": pl.String(),
    }
)


class Staging:
    """Writes and reads the staged files of one pipeline, by way of a scratch directory of this run's own."""

    def __init__(self, store: Store, keys: Keys, scratch: Path) -> None:
        self._store = store
        self._keys = keys
        self.scratch = scratch

    def stage(self, frame: pl.DataFrame, at: FileName) -> StagedFile | None:
        """Stage the rows that go out; None where there are none.

        Args:
            at: what the file is called after; see `Keys.file`.
        """
        return self._put("staged", frame, at, content=content_hash(frame)) if frame.height else None

    def stage_rejected(self, rejected: Sequence[Rejected], at: FileName) -> StagedFile | None:
        """Stage the rejected records, raw, with their reasons; None where there are none."""
        rows = raw_frame((item.record, item.reason) for item in rejected)
        return self._put("rejected", rows, at) if rows.height else None

    def stage_raw(self, records: Iterable[Record], at: FileName) -> StagedFile:
        """Stage every record of a held window, raw."""
        return self._put("held", raw_frame((record, None) for record in records), at)

    def keep(self, frame: pl.DataFrame) -> StagedFile:
        """Write rows to a local file alone; it has no key yet."""
        file, sha256 = self._written(frame)
        return _described(file, sha256, frame.height, key="", content=content_hash(frame))

    def stage_for(self, number: int, file: StagedFile) -> StagedFile:
        """Put a local file under a name that the entry of this number alone may name, if it comes to be.

        A file that is called after its range may be swept as long as no entry names it, once the ledger stands behind
        it; one that is called after an entry only behind that.
        """
        staged = file.model_copy(update={"key": self._keys.file("staged", number, file.sha256)})
        self._store_file(staged, self.local_copy(file))
        return staged

    def local_copy(self, file: StagedFile) -> Path:
        """Return a local file with the bytes of a staged one, downloaded unless this run wrote it.

        Raises:
            StagedFileDamaged: it is gone, or differs from its entry.
        """
        local = self._local(file)
        if not local.exists():
            self._fetched(file).rename(local)
        return local

    def frame(self, file: StagedFile) -> pl.DataFrame:
        """Read the rows of a staged file. A local copy that is there stays, and one that is not is not made.

        Raises:
            StagedFileDamaged: it is gone, or differs from its entry.
        """
        with suppress(FileNotFoundError):  # a copy is discarded when its entry is delivered: at any moment
            return pl.read_parquet(self._local(file))
        mine = self._fetched(file)
        try:
            return pl.read_parquet(mine)
        finally:
            mine.unlink()

    def outgoing(self, entry: Sealed) -> Path:
        """Return a local file with the rows of an entry that go out: those that are not masked.

        Raises:
            StagedFileDamaged: the staged file is gone, or differs from its entry.
        """
        if entry.staged is None:
            raise LookupError("this entry has no staged file")
        whole = self.local_copy(entry.staged)
        if entry.unsent is None:
            return whole
        which = hashlib.sha256(entry.unsent.encode()).hexdigest()
        sent = self.scratch / f"{entry.staged.sha256}-{which}.parquet"
        if not sent.exists():
            unfinished = self.scratch / uuid.uuid4().hex
            mask = pl.Series(~masks.decode(entry.unsent, entry.staged.rows))
            _write(pl.read_parquet(whole).filter(mask), unfinished)
            unfinished.rename(sent)
        return sent

    def is_there(self, file: StagedFile) -> bool:
        """Whether the store has it; not whether it is as its entry says."""
        return self._store.stat(file.key) is not None

    def check_there(self, file: StagedFile) -> None:
        """Check that the store has it.

        Raises:
            StagedFileDamaged: it is gone.
        """
        if not self.is_there(file):
            raise _gone(file)

    def discard(self, file: StagedFile) -> None:
        """Drop the local copy, and those of its rows that go out; the store's stays."""
        for copy in self.scratch.glob(f"{file.sha256}*.parquet"):
            copy.unlink(missing_ok=True)

    def raw_records(self, file: StagedFile) -> dict[Partition, list[Record]]:
        """Read raw records back, by partition, in offset order."""
        frame = pl.read_parquet(self.local_copy(file))
        found: dict[Partition, list[Record]] = {}
        for row in frame.iter_rows(named=True):
            partition = Partition(row["topic"], row["partition"])
            headers = tuple((item["name"], item["value"]) for item in row["headers"])
            found.setdefault(partition, []).append(
                Record(
                    partition=partition,
                    offset=row["offset"],
                    timestamp_ms=row["timestamp_ms"],
                    key=row["key"],
                    value=row["value"],
                    headers=headers,
                )
            )
        return found

    def _local(self, file: StagedFile) -> Path:
        return self.scratch / f"{file.sha256}.parquet"

    def _fetched(self, file: StagedFile) -> Path:
        """Download it to a name that nobody else has."""
        fetched = self.scratch / uuid.uuid4().hex
        if not self._store.fetch(file.key, fetched):
            raise _gone(file)
        if sha256_of(fetched) != file.sha256:
            raise StagedFileDamaged(f"{file.key} differs from its entry in the ledger", "Bring back its first version")
        return fetched

    def _put(self, kind: str, frame: pl.DataFrame, at: FileName, content: str | None = None) -> StagedFile:
        file, sha256 = self._written(frame)
        staged = _described(file, sha256, frame.height, key=self._keys.file(kind, at, sha256), content=content)
        self._store_file(staged, file)
        return staged

    def _written(self, frame: pl.DataFrame) -> tuple[Path, str]:
        """Write a local file and return it with its sha256, after which it is called."""
        unfinished = self.scratch / uuid.uuid4().hex
        _write(frame, unfinished)
        sha256 = sha256_of(unfinished)
        return unfinished.rename(self.scratch / f"{sha256}.parquet"), sha256

    def _store_file(self, staged: StagedFile, file: Path) -> None:
        self._store.put_file_once(staged.key, file, staged.sha256)
        if self._store.has_file(staged.key, file, staged.sha256):
            return
        if self._store.stat(staged.key) is None:
            # A sweep takes the file of a window that others decided before this run woke up. It may never be sealed.
            raise StoreUnavailable(f"{staged.key} was written and is gone")
        raise StagedFileDamaged(
            f"{staged.key} is not in the store as it was written", "Look at the store; then run again"
        )


def _write(frame: pl.DataFrame, file: Path) -> None:
    frame.write_parquet(file, compression="zstd", compression_level=1)


def _gone(file: StagedFile) -> StagedFileDamaged:
    return StagedFileDamaged(
        f"{file.key} is gone from the store",
        "Bring it back from a backup or a version; what `keep` let go of is gone for good",
    )


def _described(file: Path, sha256: str, rows: int, *, key: str, content: str | None) -> StagedFile:
    return StagedFile(key=key, rows=rows, bytes=file.stat().st_size, sha256=sha256, content=content)


def raw_frame(records: Iterable[tuple[Record, str | None]]) -> pl.DataFrame:
    rows = [
        (
            record.partition.topic,
            record.partition.number,
            record.offset,
            record.timestamp_ms,
            record.key,
            record.value,
            [{"name": name, "value": value} for name, value in record.headers],
            reason,
        )
        for record, reason in records
    ]
    return pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")


def content_hash(frame: pl.DataFrame) -> str:
    """Hash the rows themselves: the same rows give the same hash whatever wrote or chunked them.

    sha256 over, for each column in order: its name and type as `name\\0type\\0`, the number of rows as 8 bytes, a byte
    a row that is 1 where the row has a value, and the values: integers and floats as 8 bytes little-endian (a null as
    0, each NaN as the same one), booleans as a byte, strings as their lengths in bytes (8 bytes each) and then their
    UTF-8.
    """
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        digest.update(f"{column.name}\0{column.dtype}\0".encode() + struct.pack("<q", len(column)))
        digest.update(column.is_not_null().cast(pl.UInt8).to_numpy().tobytes())
        for values in _canonical(column):
            digest.update(values)
    return digest.hexdigest()


def _canonical(column: pl.Series) -> Iterable[bytes | memoryview]:
    if column.dtype == pl.String:
        text = column.fill_null("")
        yield text.str.len_bytes().cast(pl.Int64).to_numpy().astype("<i8").tobytes()
        yield _joined(text)
    elif column.dtype.is_float():
        yield column.fill_null(0.0).fill_nan(float("nan")).to_numpy().astype("<f8").tobytes()
    elif column.dtype == pl.Boolean:
        yield column.fill_null(value=False).cast(pl.UInt8).to_numpy().tobytes()
    else:
        yield column.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes()


def _joined(text: pl.Series) -> memoryview:
    """Return the bytes of all texts, one behind the other, as Arrow's older layout has them: none becomes an object."""
    array = text.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = memoryview(offsets).cast("q")[array.offset : array.offset + len(array) + 1]
    return memoryview(data or b"")[bounds[0] : bounds[-1]]
