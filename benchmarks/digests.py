"""Id files of millions of rows, made up: numbers that are mixed well stand in for digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

import numpy as np
import numpy.typing as npt
import polars as pl

from sluice.ground_truth import ids
from sluice.ground_truth.days import DAY_S
from sluice.ground_truth.delivered import DeliveredPart
from sluice.ground_truth.id_files import OF_ACTUALS, OF_PREDICTIONS, as_file
from sluice.ledger import entries
from sluice.ledger.keys import Keys
from sluice.stores import directory
from sluice.stores.directory import DirectoryStore

PREDICTIONS: Final = Keys("predictions")
ACTUALS: Final = Keys("actuals")
NOW_S: Final = 1_700_000_000
WINDOW: Final = 100_000
_SPAN_S: Final = 10 * DAY_S
_DELAY_S: Final = 2 * DAY_S
_UNKNOWN_ID: Final = 10**12
_DESTINATION: Final = entries.Destination(
    path="sdk", connection="c", space="s", model="m", type="regression", environment="production"
)
_ENTRY: Final = entries.Window(
    written_at="2023-11-14T22:13:20Z", run="benchmark", ranges=(), destination=_DESTINATION, pipeline_sha256="0" * 64
)
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """So many predictions over ten days, and the truths of every so many; one actual of twenty matches nothing."""

    predictions: int
    actuals: int

    @property
    def joined(self) -> int:
        return self.actuals - len(range(0, self.actuals, 20))

    def parts(self, keys: Keys) -> list[DeliveredPart]:
        """The windows as they were delivered."""
        is_actual = keys is ACTUALS
        count = -(-(self.actuals if is_actual else self.predictions) // WINDOW)
        return [
            DeliveredPart(
                name=number + 1,
                part=0,
                entry=_ENTRY,
                staged=_staged(keys, number),
                rows=WINDOW,
                received_s=NOW_S - _SPAN_S + _SPAN_S * (number + is_actual) // count + _DELAY_S * is_actual,
                version=None,
            )
            for number in range(count)
        ]


def write_ids(store: DirectoryStore, scale: Scale) -> None:
    """Put the id files of both sides into a store."""
    every = scale.predictions // scale.actuals
    with mock.patch.object(directory, "_flush"):  # only the disk is not waited for at each
        for number in range(scale.predictions // WINDOW):
            rows = np.arange(number * WINDOW, (number + 1) * WINDOW)
            frame = _frame(rows, rows, scale.predictions).with_columns(
                version=pl.lit(0, pl.UInt32), is_complete=pl.lit(value=False)
            )
            _put(store, PREDICTIONS, number, OF_PREDICTIONS, frame.select(ids.PREDICTIONS.names()))
        for number in range(scale.actuals // WINDOW):
            rows = np.arange(number * WINDOW, (number + 1) * WINDOW)
            truths = np.where(rows % 20, rows * every, rows + _UNKNOWN_ID)
            frame = _frame(rows, truths, scale.actuals).with_columns(says=pl.Series(_mixed(truths, 3)))
            _put(store, ACTUALS, number, OF_ACTUALS, frame.select(ids.ACTUALS.names()))


def _put(store: DirectoryStore, keys: Keys, number: int, form: str, frame: pl.DataFrame) -> None:
    staged = _staged(keys, number)
    store.put_once(keys.ids(staged.key, form), as_file(frame, f"{form} {staged.sha256}"))


def _staged(keys: Keys, number: int) -> entries.StagedFile:
    sha256 = f"{number:064x}"[::-1]
    return entries.StagedFile(key=keys.file("staged", number, sha256), rows=WINDOW, bytes=0, sha256=sha256)


def _frame(rows: Numbers, known_as: Numbers, count: int) -> pl.DataFrame:
    """Rows in the order of their offsets, whose events were at even distances."""
    return pl.DataFrame(
        {
            "topic": pl.repeat("flights", len(rows), eager=True),
            "partition": pl.repeat(0, len(rows), dtype=pl.Int32, eager=True),
            "offset": rows,
            "id_0": _mixed(known_as, 1),
            "id_1": _mixed(known_as, 2),
            "event_time": NOW_S - _SPAN_S + rows * _SPAN_S // count,
        }
    )


def _mixed(numbers: Numbers, salt: int) -> Numbers:
    """The finalizer of splitmix64: different numbers stay different, and no bit tells another one."""
    mixed = numbers.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
