"""daft: `read_kafka`, its JSON deserialization with the schema, its own Parquet writer."""

from __future__ import annotations

import daft
from daft import DataType, col

from benchmarks.events import columns, path
from benchmarks.jobs.order import Order, run_job

_TYPES = {
    "string": DataType.string(),
    "int": DataType.int64(),
    "float": DataType.float64(),
    "bool": DataType.bool(),
}


def drain(order: Order) -> None:
    ends = dict(enumerate(order.ends))
    # Whole partitions: behind the last full chunk of each it waits out its timeout, which is 10 s.
    frame = daft.read_kafka(order.servers, order.topic, end=ends, chunk_size=max(order.ends))
    event = col("value").cast(DataType.string()).deserialize("json", schema())
    frame = frame.select(event.alias("event"))
    frame = frame.select(*(_at(path(name)).alias(name) for name in columns()))
    frame.write_parquet(order.output, compression="zstd")


def _at(keys: tuple[str, ...]) -> daft.Expression:
    found = col("event")
    for key in keys:
        found = found.get(key)
    return found


def schema() -> DataType:
    """The event's, nested."""
    below: dict[tuple[str, ...], dict[str, DataType]] = {}
    for name, type_ in columns().items():
        *above, key = path(name)
        below.setdefault(tuple(above), {})[key] = _TYPES[type_]
    nested = {above[0]: DataType.struct(fields) for above, fields in below.items() if above}
    return DataType.struct({**below[()], **nested})


if __name__ == "__main__":
    run_job(drain)
