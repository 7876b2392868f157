"""The ids of staged rows, as digests: small enough to keep, and no value of an event is among them. Pure.

A digest is BLAKE2b of bytes that are fixed here, so it is the same in every process, on every machine and with every
version of a library; polars' own hashes are not. A change of what is digested, or of a column, is a new `FORMAT`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from sluice.pipeline import Column, FromRecord

FORMAT: Final = 1
PLACE: Final = {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}
IDS: Final = {"id_0": pl.UInt64(), "id_1": pl.UInt64(), "event_time": pl.Int64()}
PREDICTIONS: Final = pl.Schema({**PLACE, **IDS, "version": pl.UInt32(), "is_complete": pl.Boolean()})
ACTUALS: Final = pl.Schema({**PLACE, **IDS, "says": pl.UInt64()})

_NOT_SAID: Final = (*PLACE, "prediction_id", "prediction_ts")
_TRUTH: Final = ("actual_label", "actual_score")
_OF_IDS: Final = hashlib.blake2b(digest_size=16, person=b"sluice id")
_OF_ROWS: Final = hashlib.blake2b(digest_size=8, person=b"sluice says")


def prediction_ids(staged: pl.DataFrame) -> pl.DataFrame:
    """Return a row of `PREDICTIONS` for each row of a staged file of predictions, in its order.

    - id_0, id_1: the first and the second half of the 128-bit digest of the prediction id, little-endian;
    - event_time: whole seconds since 1970 UTC, rounded down;
    - version: the rank of the row's model version among those of the file, from 0: the number of its part, where each
      version is a part of its own;
    - is_complete: whether the row brings its truth along.
    """
    truth = [pl.col(name).is_not_null() for name in _TRUTH if name in staged.columns]
    is_complete = pl.any_horizontal(pl.lit(value=False), *truth)
    return _ids(staged, _version(staged), is_complete.alias("is_complete"))


def actual_ids(staged: pl.DataFrame, besides: Collection[str] = ()) -> pl.DataFrame:
    """Return a row of `ACTUALS` for each row of a staged file of actuals, in its order.

    The columns are those of `prediction_ids`, but for `says`: a 64-bit digest of what the row says, which is all that
    is mapped but its place, its id and its time. Two rows of one id say the same exactly if these are equal. A column
    without a value says nothing, as one that is not there; the order of columns means nothing; 1 and 1.0 differ.

    Args:
        besides: columns that tell where or when the record was, and so differ in two records that say the same; see
            `own_columns`.
    """
    said = sorted(set(staged.columns) - {*_NOT_SAID, *besides})
    nothing = pl.repeat("", staged.height, eager=True).alias("")
    texts = pl.DataFrame([nothing, *(_said(staged[name]) for name in said)])
    says = _digests(texts.select(pl.concat_str(pl.all(), ignore_nulls=True)).to_series(), _OF_ROWS)
    return _ids(staged, pl.Series("says", says[:, 0], pl.UInt64))


def own_columns(columns: Iterable[Column]) -> frozenset[str]:
    """Return the names of the columns that hold a record's own topic, partition, offset or timestamp."""
    own = ("topic", "partition", "offset", "timestamp")
    return frozenset(item.name for item in columns if isinstance(item.origin, FromRecord) and item.origin.field in own)


def id_digests(ids: pl.Series) -> npt.NDArray[np.uint64]:
    """Return the digests of prediction ids, two numbers a row: of their UTF-8, of an integer's decimal digits."""
    return _digests(ids.cast(pl.String), _OF_IDS)


def _ids(staged: pl.DataFrame, *others: pl.Series | pl.Expr) -> pl.DataFrame:
    digests = id_digests(staged["prediction_id"])
    return staged.select(
        *PLACE,
        pl.Series("id_0", digests[:, 0], pl.UInt64),
        pl.Series("id_1", digests[:, 1], pl.UInt64),
        pl.col("prediction_ts").floor().cast(pl.Int64).alias("event_time"),
        *others,
    )


def _version(staged: pl.DataFrame) -> pl.Series:
    if "version" not in staged.columns:
        return pl.Series("version", np.zeros(staged.height), pl.UInt32)
    return (staged["version"].rank("dense") - 1).cast(pl.UInt32).alias("version")


def _said(column: pl.Series) -> pl.Series:
    """Write what a column says as `name\\0type\\0length:text`, so that no two rows are written alike; null as null."""
    type_, text = _text(column)
    head = pl.lit(f"{column.name}\0{type_}\0")
    whole = pl.concat_str(head, pl.col("text").str.len_bytes().cast(pl.String), pl.lit(":"), pl.col("text"))
    return pl.DataFrame({"text": text}).select(whole.alias(column.name)).to_series()


def _text(column: pl.Series) -> tuple[str, pl.Series]:
    match column.dtype:
        case pl.String:
            return "string", column
        case pl.Boolean:
            return "bool", column.cast(pl.Int64).cast(pl.String)
        case pl.Float64:
            # The bits, for how a number is written is a library's matter; 0.0 and -0.0 say the same, as all NaN do.
            plain = column.fill_null(0.0).to_numpy() + 0.0
            plain[np.isnan(plain)] = np.nan
            bits = pl.Series(plain.view(np.int64)).cast(pl.String)
            return "float", bits.set(column.is_null(), None)
    return "int", column.cast(pl.Int64).cast(pl.String)


def _digests(texts: pl.Series, empty: hashlib.blake2b) -> npt.NDArray[np.uint64]:
    """Return a row for each text, with as many numbers of 64 bits as the digest has."""

    def digest(text: bytes) -> bytes:
        taken = empty.copy()  # cheaper than a new one
        taken.update(text)
        return taken.digest()

    whole = b"".join(map(digest, texts.cast(pl.Binary).to_list()))
    return np.frombuffer(whole, "<u8").astype(np.uint64).reshape(-1, empty.digest_size // 8)
