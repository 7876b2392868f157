"""Actuals that wait for their predictions: up to which moment these are known to be delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.connections import Source
from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries
from sluice.offsets import Bounds, OffsetRange
from sluice.pipeline import Pipeline
from sluice.store import Store
from sluice.unfinished import settle

_LOOK = 1_000  # offsets: of a transaction's marker and aborted records there are fewer, mostly


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The pipeline of some actuals' predictions, as far as it can be looked at: nothing of it is changed.

    Attributes:
        source: opens Kafka, by its connection; no group of it is joined or moved.
    """

    pipeline: Pipeline
    source: Callable[[], Source]
    store: Store

    def delivered_until_s(self, now_s: float) -> float | None:
        """Return the moment, in epoch seconds, up to which all predictions are delivered; None where none ever was.

        It is now where nothing is left to deliver; otherwise that of the first record that is not delivered, by Kafka's
        timestamps, in whichever partition that is the earliest. A window that is held waits, and so does the moment.

        Args:
            now_s: the clock; read before anything is asked here.
        """
        ledger = Ledger(self.store, self.pipeline.name).load()
        if not ledger.exists:
            return None
        settle(ledger, Deliveries(self.store, ledger.keys))
        kafka, source = self.pipeline.source.kafka, self.source()
        bounds = {
            partition: item
            for partition, item in source.snapshot(kafka.topics).items()
            if kafka.partitions == "all" or partition.number in kafka.partitions
        }
        known = ledger.state.committable([item for item in bounds if item.topic in ledger.state.topics])
        moments = [
            moment
            for partition, item in bounds.items()
            if (moment := _first_left_s(source, item, known[partition].offset if partition in known else 0)) is not None
        ]
        return min([now_s, *moments])


def _first_left_s(source: Source, bounds: Bounds, position: int) -> float | None:
    """The time of the first record that is not delivered; None where there is none."""
    at = max(position, bounds.earliest)
    while at < bounds.end:
        (read,) = source.read([OffsetRange(bounds.partition, at, min(at + _LOOK, bounds.end))], {})
        times = [time for time in read.records.timestamps_ms() if time is not None]
        if times:
            return times[0] / 1000
        at = read.range.stop
    return None
