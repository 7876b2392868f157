"""The rows of delivered parts, file by file, a few of which are read ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

import polars as pl

from sluice.errors import LedgerDamaged
from sluice.ground_truth.delivered import DeliveredPart
from sluice.ground_truth.id_files import IdFiles
from sluice.ground_truth.received import Received, Unknown
from sluice.ledger import masks

Parts = Sequence[DeliveredPart]
_AHEAD: Final = 4
_NEEDED: Final = ("id_0", "id_1", "event_time", "version", "is_complete")


def predictions_of(files: IdFiles, parts: Iterable[DeliveredPart]) -> Iterator[Received | Unknown]:
    """Yield the rows of delivered parts of predictions, each part by itself, in no order."""
    yield from _rows(parts, lambda part: files.predictions(part.staged, _NEEDED), lambda _: None)


def actuals_of(
    files: IdFiles, parts: Iterable[DeliveredPart], *, besides: Collection[str] = ()
) -> Iterator[Received | Unknown]:
    """Yield the rows of delivered parts of actuals.

    Args:
        besides: the columns that tell where or when a record was; see `ids.own_columns`.
    """
    yield from _rows(parts, lambda part: files.actuals(part.staged, besides), _is_sent)


def _is_sent(part: DeliveredPart) -> pl.Series | None:
    unsent = part.entry.unsent
    return None if unsent is None else pl.Series(~masks.decode(unsent, part.staged.rows))


def _rows(
    parts: Iterable[DeliveredPart],
    read: Callable[[DeliveredPart], pl.DataFrame | None],
    is_sent: Callable[[DeliveredPart], pl.Series | None],
) -> Iterator[Received | Unknown]:
    by_file: dict[tuple[str, str], list[DeliveredPart]] = {}
    for part in parts:
        by_file.setdefault((part.staged.key, part.entry.pipeline_sha256), []).append(part)
    for group, ids in _ahead(list(by_file.values()), lambda group: read(group[0])):
        for part in group:
            yield Unknown(rows=part.rows) if ids is None else _of_part(part, ids, is_sent(part))


def _of_part(part: DeliveredPart, ids: pl.DataFrame, is_sent: pl.Series | None) -> Received:
    mine = ids if part.version is None else ids.filter(pl.col("version") == part.version)
    rows = mine.height if is_sent is None else int(is_sent.sum())
    if rows != part.rows:
        raise LedgerDamaged(f"Part {part.part} of entry {part.name} has {part.rows} rows, and its file {rows}")
    return Received(ids=mine, at_s=part.received_s, is_sent=is_sent)


def _ahead(
    groups: Iterable[Parts], read: Callable[[Parts], pl.DataFrame | None]
) -> Iterator[tuple[Parts, pl.DataFrame | None]]:
    """Yield what is read of each group, in order, while the next few are read: no more than these are in memory."""
    left = iter(groups)
    with ThreadPoolExecutor(_AHEAD) as readers:
        begun: deque[tuple[Parts, Future[pl.DataFrame | None]]] = deque()
        while True:
            begun += [(group, readers.submit(read, group)) for group in islice(left, _AHEAD - len(begun))]
            if not begun:
                return
            group, reading = begun.popleft()
            yield group, reading.result()
