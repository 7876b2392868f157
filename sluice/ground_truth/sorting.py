"""Collects the rows of actuals as columns no wider than needed, and sorts them by id."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice.ground_truth.received import Received, Unknown
from sluice.offsets import Partition

Array = npt.NDArray[Any]
LAST_S: Final = 2**32 - 1  # the last time that is told from others: in 2106


class Rows:
    """Rows, column by column.

    Attributes:
        unknown: rows whose ids nobody knows any more.
        partitions: the number of each partition, in the column of that name.
    """

    _TYPES: Final = {
        "id_0": np.uint64,
        "id_1": np.uint64,
        "says": np.uint64,
        "event_time": np.uint32,
        "at_s": np.uint32,
        "partition": np.uint16,
        "offset": np.int64,
        "is_sent": np.bool_,
    }

    def __init__(self) -> None:
        self.unknown = 0
        self.partitions: dict[Partition, int] = {}
        self._columns: dict[str, list[Array]] = {name: [] for name in self._TYPES}

    def add(self, item: Received | Unknown) -> None:
        if isinstance(item, Unknown):
            self.unknown += item.rows
            return
        ids, count = item.ids, item.ids.height
        event_time = np.clip(ids["event_time"].to_numpy(), 0, LAST_S).astype(np.uint32)
        is_sent = np.ones(count, np.bool_) if item.is_sent is None else item.is_sent.to_numpy()
        made = {
            "event_time": event_time,
            "at_s": np.full(count, item.at_s, np.uint32),
            "partition": self._numbered(item),
            "is_sent": is_sent,
        }
        for name, column in self._columns.items():
            column.append(made[name] if name in made else ids[name].to_numpy())

    def sorted_columns(self) -> dict[str, Array]:
        """Return all rows by id; of one id the sent ones first, by when they were received. Nothing is left here."""
        columns: dict[str, Array] = {
            name: np.concatenate([*self._columns.pop(name), np.empty(0, type_)]).astype(type_, copy=False)
            for name, type_ in self._TYPES.items()
        }
        order = _order(columns)
        for name in columns:
            columns[name] = columns[name][order]  # one at a time: the unsorted one goes
        return columns

    def _numbered(self, item: Received) -> Array:
        """Return the number of each row's partition; an entry has few."""
        places = item.ids.select("topic", "partition")
        numbers = np.empty(item.ids.height, np.uint16)
        for topic, partition in places.unique().iter_rows():
            number = self.partitions.setdefault(Partition(topic, partition), len(self.partitions))
            numbers[((places["topic"] == topic) & (places["partition"] == partition)).to_numpy()] = number
        return numbers


def _order(columns: dict[str, Array]) -> Array:
    id_0 = columns["id_0"]
    order = np.argsort(id_0)
    ordered = id_0[order]
    same = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same)) if len(order) else np.empty(0, np.int64)
    rows = order[tied]
    is_unsent = ~columns["is_sent"][rows]
    by = (columns["event_time"][rows], columns["at_s"][rows], is_unsent, columns["id_1"][rows], id_0[rows])
    order[tied] = rows[np.lexsort(by)]
    return order
