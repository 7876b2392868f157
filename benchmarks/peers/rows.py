"""Events to flat rows, for the peers that handle one record at a time; and rows to Parquet. No import of Sluice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.events import FEATURES, TAGS, columns

FILE_ROWS = 100_000
_TYPES = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def flat(event: Mapping[str, Any]) -> dict[str, Any]:
    features, tags = event["features"], event["tags"]
    return {
        "id": event["id"],
        "scored_at": event["scored_at"],
        **event["prediction"],
        **{name: features[name] for name in FEATURES},
        **{name: tags[name] for name in TAGS},
    }


def write(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    schema = pa.schema([(name, _TYPES[type_]) for name, type_ in columns().items()])
    pq.write_table(pa.Table.from_pylist(rows, schema), file, compression="zstd")
