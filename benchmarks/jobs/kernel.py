"""The pure kernel of a window: decode, map, validate, hash and write 2,000 fixed records, so many times over."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

from benchmarks.events import Events
from benchmarks.pipeline import write_pipeline
from sluice.ledger.keys import Keys
from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import load_pipeline
from sluice.records import ReadRange, Record, RecordList
from sluice.staging import Staging
from sluice.stores.directory import DirectoryStore
from sluice.windows import map_window

RECORDS = 2_000
NOW_S = 1_800_000_000


def main(times: int) -> None:
    span = OffsetRange(Partition("kernel", 0), 0, RECORDS)
    events = Events(now_ms=NOW_S * 1000)
    values = [events.value(number) for number in range(RECORDS)]
    records = [
        Record(partition=span.partition, offset=offset, timestamp_ms=None, key=None, value=value, headers=())
        for offset, value in enumerate(values)
    ]
    with tempfile.TemporaryDirectory(prefix="sluice-") as directory:
        pipeline = load_pipeline(write_pipeline(Path(directory), "kernel", "kernel", {})).pipeline
        scratch = Path(directory) / "scratch"
        scratch.mkdir()
        staging = Staging(DirectoryStore(Path(directory) / "store"), Keys("kernel"), scratch)
        for _ in range(times):
            mapped = map_window(pipeline, [ReadRange(range=span, records=RecordList(records))], now_s=NOW_S)
            staged = staging.stage(mapped.frame, span)
            if staged is None or staged.rows != RECORDS:
                raise RuntimeError("not every record was staged")


if __name__ == "__main__":
    main(int(sys.argv[1]))
