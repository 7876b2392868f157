"""Match actuals with predictions by their id files: as Sluice does, or by a join of another kind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.digests import ACTUALS, NOW_S, PREDICTIONS, WINDOW, Scale
from benchmarks.jobs.order import Order, run_job
from sluice.ground_truth.coverage import Moment, coverage
from sluice.ground_truth.id_files import OF_ACTUALS, OF_PREDICTIONS, IdFiles
from sluice.ground_truth.ids import actual_ids, prediction_ids
from sluice.ground_truth.rows import actuals_of, predictions_of
from sluice.staging import Staging
from sluice.stores.directory import DirectoryStore

_KEY: Final = ("id_0", "id_1")
_BUCKETS: Final = 8
_DAY: Final = pl.col("event_time") // 86_400
_ONE: Final = (pl.col("id_0").cast(pl.UInt128) * 2**64 + pl.col("id_1").cast(pl.UInt128)).alias("id")


def match(order: Order) -> Mapping[str, Any]:
    scale = Scale(predictions=int(order.extra["predictions"]), actuals=int(order.extra["actuals"]))
    return {"joined": _WAYS[order.extra["way"]](Path(order.extra["store"]), scale)}


def _sluice(store: Path, scale: Scale) -> int:
    """All that a report says: every count of a day, delays, what leaves the window, places of what is unmatched."""
    with tempfile.TemporaryDirectory() as scratch:
        opened = DirectoryStore(store)
        guesses, truths = (
            IdFiles(opened, keys, Staging(opened, keys, Path(scratch))) for keys in (PREDICTIONS, ACTUALS)
        )
        found = coverage(
            predictions_of(guesses, scale.parts(PREDICTIONS)),
            actuals_of(truths, scale.parts(ACTUALS)),
            Moment(now_s=NOW_S),
        )
    if (found.total.delivered, found.actuals.sent) != (scale.predictions, scale.actuals):
        raise RuntimeError(f"not all rows were counted: {found.total.delivered}, {found.actuals.sent}")
    return found.total.joined


def _streaming_join(store: Path, scale: Scale) -> int:
    """polars' streaming engine, one semi-join of all files, and a count a day."""
    predictions = pl.scan_parquet(_files(store, scale, PREDICTIONS)).select(_ONE, "event_time")
    return _by_day(predictions.join(pl.scan_parquet(_files(store, scale, ACTUALS)).select(_ONE), on="id", how="semi"))


def _buckets(store: Path, scale: Scale) -> int:
    """The same for one eighth of all ids at a time."""
    predictions = pl.scan_parquet(_files(store, scale, PREDICTIONS)).select(*_KEY, "event_time")
    actuals = pl.scan_parquet(_files(store, scale, ACTUALS)).select(_KEY)
    mine = [pl.col("id_0") // (2**64 // _BUCKETS) == bucket for bucket in range(_BUCKETS)]
    return sum(_by_day(predictions.filter(is_in).join(actuals.filter(is_in), on=_KEY, how="semi")) for is_in in mine)


def _search(store: Path, scale: Scale) -> int:
    """All actuals sorted, and the predictions of one file at a time looked up among them, by halving."""
    actuals = pl.concat(pl.read_parquet(file, columns=list(_KEY)) for file in _files(store, scale, ACTUALS))
    actuals = actuals.sort("id_0").rechunk()
    found = 0
    for file in _files(store, scale, PREDICTIONS):
        rows = pl.read_parquet(file, columns=[*_KEY, "event_time"]).sort("id_0")
        at = actuals["id_0"].search_sorted(rows["id_0"]).clip(upper_bound=actuals.height - 1)
        is_in = (actuals["id_0"].gather(at) == rows["id_0"]) & (actuals["id_1"].gather(at) == rows["id_1"])
        found += _by_day(rows.filter(is_in).lazy())
    return found


def _made_of_predictions(_: Path, scale: Scale) -> int:
    return _made(scale, lambda rows: prediction_ids(rows.with_columns(version=pl.lit("2013.4"))))


def _made_of_actuals(_: Path, scale: Scale) -> int:
    return _made(scale, actual_ids)


def _made(scale: Scale, make: Callable[[pl.DataFrame], pl.DataFrame]) -> int:
    """Staged rows with a label, a score and three tags into the bytes of id files."""
    for number in range(scale.predictions // WINDOW):
        rows = pl.DataFrame({"offset": range(number * WINDOW, (number + 1) * WINDOW)}).with_columns(
            topic=pl.lit("flights"),
            partition=pl.lit(0, pl.Int32),
            prediction_id=pl.format("2013-01-01-UA-{}-EWR-IAH", "offset"),
            prediction_ts=NOW_S + pl.col("offset") / 20,
            actual_label=pl.lit("late"),
            actual_score=pl.col("offset") / 7,
            **{"tag/region": pl.lit("north"), "tag/gate": pl.col("offset") % 90, "tag/night": pl.lit(value=True)},
        )
        make(rows).write_parquet(BytesIO())
    return scale.joined


def _by_day(joined: pl.LazyFrame) -> int:
    return int(joined.group_by(_DAY).len().collect(engine="streaming")["len"].sum())


def _files(store: Path, scale: Scale, keys: Any) -> list[Path]:
    form = OF_ACTUALS if keys is ACTUALS else OF_PREDICTIONS
    return [store / keys.ids(part.staged.key, form) for part in scale.parts(keys)]


_WAYS: Final[dict[str, Callable[[Path, Scale], int]]] = {
    "sluice": _sluice,
    "streaming join": _streaming_join,
    "buckets": _buckets,
    "search": _search,
    "ids of predictions": _made_of_predictions,
    "ids of actuals": _made_of_actuals,
}


if __name__ == "__main__":
    run_job(match)
