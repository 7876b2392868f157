"""Which actuals of a window are sent: none that says what was said before; what corrects it, as the file says."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from sluice.clock import Clock
from sluice.ground_truth.delivered import delivered_since
from sluice.ground_truth.id_files import IdFiles
from sluice.ground_truth.ids import own_columns
from sluice.ground_truth.received import Received, Unknown
from sluice.ground_truth.repeated import Sayings
from sluice.ledger import Ledger, masks
from sluice.ledger.deliveries import Deliveries
from sluice.ledger.entries import Derived, Sealed, StagedFile
from sluice.ledger.went import Sent
from sluice.mapping import PLACE
from sluice.offsets import Partition
from sluice.pipeline import Pipeline
from sluice.staging import Staging
from sluice.store import Store

Flags = npt.NDArray[np.bool_]
DAY_S: Final = 86_400
_NOT_NEW: Final = ("redeliver",)  # the same rows once more, which are known


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of the rows of a staged file.

    Attributes:
        repeated, corrected: row by row: it says what the last one of its id said, or something else.
        unsent: those that are not sent.
        places: topic, partition and offset of the rows.
        next_number: of the ledger; earlier entries were looked at.
    """

    repeated: Flags
    corrected: Flags
    unsent: Flags
    places: pl.DataFrame
    next_number: int

    @property
    def mask(self) -> str | None:
        """As an entry has it; None where all rows are sent."""
        return masks.encode(self.unsent) if self.unsent.any() else None

    def counted(self, which: Flags) -> Counter[Partition]:
        """Count rows by partition."""
        found = self.places.filter(pl.Series(which)).group_by("topic", "partition").len()
        return Counter({Partition(topic, number): count for topic, number, count in found.iter_rows()})

    def offsets(self, which: Flags) -> set[tuple[Partition, int]]:
        """Where rows are from."""
        rows = self.places.filter(pl.Series(which)).iter_rows()
        return {(Partition(topic, number), offset) for topic, number, offset in rows}


class Repeats:
    """What was said last of each id, to where a pipeline of actuals goes: by what is sealed, in the order of the log.

    It is read when it is asked first: the ids of so many days back, 24 bytes each. Two runs that seal at the same time
    may both send what says the same: a window and a slot of a backfill, or two slots.
    """

    def __init__(
        self, pipeline: Pipeline, *, store: Store, ledger: Ledger, staging: Staging, to: Sent, clock: Clock
    ) -> None:
        self._policies = pipeline.policies
        self._store = store
        self._ledger = ledger
        self._to = to
        self._clock = clock
        self._files = IdFiles(store, ledger.keys, staging)
        self._besides = own_columns(pipeline.columns())
        self._sayings: Sayings | None = None
        self._next = 0
        self._lock = threading.Lock()  # slots are sealed by several threads at once

    def decide(self, staged: StagedFile, *, is_slot: bool) -> Decided:
        """Say which rows of a file are sent, after what was sealed before it.

        Args:
            is_slot: of a claim: no number of the log tells others of it, so it is taken for sealed at once.
        """
        ids = self._files.actuals(staged, self._besides)
        if ids is None:
            raise LookupError(f"{staged.key} was staged a moment ago")
        with self._lock:
            sayings = self._known()
            rejects = self._policies.corrections == "reject"
            compared = sayings.compare(ids, to_first=rejects)
            unsent = compared.repeated | compared.corrected if rejects else compared.repeated
            if is_slot:
                sayings.take(ids, ~unsent)
        return Decided(
            repeated=compared.repeated,
            corrected=compared.corrected,
            unsent=unsent,
            places=ids.select(*PLACE),
            next_number=self._next,
        )

    def _known(self) -> Sayings:
        if self._sayings is None:
            self._sayings = Sayings(self._past())
            self._next = self._ledger.next_number
        for number in range(self._next, self._ledger.next_number):
            entry = self._ledger.entry(number)
            if isinstance(entry, Sealed) and (rows := self._rows(entry)) is not None:
                self._sayings.take(rows.ids, None if rows.is_sent is None else rows.is_sent.to_numpy())
        self._next = self._ledger.next_number
        return self._sayings

    def _past(self) -> Iterator[Received | Unknown]:
        """What was sent in the look-back, the oldest first, and behind that what is sealed and waits."""
        since_s = self._clock.epoch_s() - self._policies.join_window_days * DAY_S
        deliveries = Deliveries(self._store, self._ledger.keys)
        delivered = delivered_since(self._store, self._ledger, deliveries, self._to, since_s)
        there = {item.name for item in delivered}
        waiting = [item.entry for number, item in sorted(self._ledger.state.open.items()) if number not in there]
        for entry in (*(item.entry for item in reversed(delivered)), *waiting, *self._ledger.waiting_slots()):
            if (rows := self._rows(entry)) is not None:
                yield rows

    def _rows(self, entry: Sealed) -> Received | None:
        """The rows of an entry that are sent there; None where there are none, or nobody knows them any more."""
        goes_there = Sent.to(entry.destination).place == self._to.place
        again = isinstance(entry, Derived) and entry.purpose in _NOT_NEW
        if entry.staged is None or entry.held or not goes_there or again or not entry.parts:
            return None
        ids = self._files.actuals(entry.staged, self._besides, ("id_0", "id_1", "says"))
        if ids is None:
            return None
        is_sent = None if entry.unsent is None else pl.Series(~masks.decode(entry.unsent, entry.staged.rows))
        return Received(ids=ids, at_s=0, is_sent=is_sent)
