"""Whether the rows of a file are those that its entry says: by partition and offset. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sluice.errors import LedgerDamaged
from sluice.ledger import masks
from sluice.ledger.entries import Derived, LedgerRange, Sealed, StagedFile
from sluice.mapping import PLACE


def check_contents(entry: Sealed, kind: str, file: StagedFile, frame: pl.DataFrame) -> Iterator[str]:
    """Say in words what is wrong with a file of an entry.

    Args:
        kind: `staged`, `rejected` or `raw`.
        frame: topic, partition and offset of its rows, in its order.
    """
    if frame.height != file.rows:
        yield f"its {kind} file has {frame.height:,} rows, not {file.rows:,}"
    if frame.n_unique() != frame.height:
        yield f"its {kind} file has an offset twice"
    sent = _masked(entry, frame, unsent=False) if kind == "staged" else frame
    found = 0
    for item in entry.ranges:
        found += _of_range(frame, item).height
        wanted = _wanted(entry, kind, item)
        if sent is not None and wanted is not None and (rows := _of_range(sent, item).height) != wanted:
            which = "" if sent is frame else " that are sent"
            yield f"its {kind} file has {rows:,} rows of {item.range}{which}, not {wanted:,}"
    if found != frame.height:
        yield f"its {kind} file has {frame.height - found:,} rows of other offsets"


def check_unsent(entry: Sealed, frame: pl.DataFrame, rejected: pl.DataFrame) -> Iterator[str]:
    """Say in words where the rows that are not sent are not those that the balance counts.

    Args:
        frame, rejected: topic, partition and offset of the rows of the staged and of the rejected file.
    """
    unsent = _masked(entry, frame, unsent=True)
    if unsent is None:
        return
    repeated = unsent.join(rejected, on=list(PLACE), how="anti")
    for item in entry.ranges:
        rows, wanted = _of_range(repeated, item).height, item.counted.balance.repeated
        if rows != wanted:
            yield f"{rows:,} rows of {item.range} are neither sent nor rejected, and {wanted:,} are repeated"


def _masked(entry: Sealed, frame: pl.DataFrame, *, unsent: bool) -> pl.DataFrame | None:
    """The rows of a staged file that are sent, or that are not; None where nobody can tell: the mask is of others."""
    if entry.unsent is None:
        return frame.clear() if unsent else frame
    try:
        bits = masks.decode(entry.unsent, frame.height)
    except LedgerDamaged:
        return None
    return frame.filter(pl.Series(bits if unsent else ~bits))


def _of_range(frame: pl.DataFrame, item: LedgerRange) -> pl.DataFrame:
    mine = frame.filter(topic=item.topic, partition=item.partition)
    return mine.filter(pl.col("offset").is_between(item.start, item.stop, closed="left"))


def _wanted(entry: Sealed, kind: str, item: LedgerRange) -> int | None:
    """How many rows of a range its file must have, of a staged one those that are sent; None: it does not say."""
    balance = item.counted.balance
    if kind == "raw":
        return balance.records
    if kind == "rejected":
        return balance.rejected
    is_part = isinstance(entry, Derived) and entry.is_once_more
    return None if is_part else balance.staged
