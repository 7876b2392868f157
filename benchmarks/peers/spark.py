"""Spark, one batch job: its own Kafka source, `from_json` with the schema, its own Parquet writer."""

from __future__ import annotations

import json
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import BooleanType, DataType, DoubleType, LongType, StringType, StructField, StructType

from benchmarks.events import columns, path
from benchmarks.jobs.order import Order, run_job

_TYPES: dict[str, DataType] = {"string": StringType(), "int": LongType(), "float": DoubleType(), "bool": BooleanType()}


def drain(order: Order) -> dict[str, float]:
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.jars", order.extra["jars"])
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    began = time.perf_counter()
    ends = {order.topic: {str(partition): end for partition, end in enumerate(order.ends)}}
    source = (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", order.servers)
        .option("subscribe", order.topic)
        .option("startingOffsets", "earliest")
        .option("endingOffsets", json.dumps(ends))
        .load()
    )
    event = source.select(f.from_json(f.col("value").cast("string"), schema()).alias("event"))
    flat = event.select(*(f.col(".".join(("event", *path(name)))).alias(name) for name in columns()))
    flat.write.mode("append").parquet(order.output)
    seconds = time.perf_counter() - began
    spark.stop()
    return {"seconds": seconds}


def schema() -> StructType:
    """The event's, nested."""
    below: dict[tuple[str, ...], list[StructField]] = {}
    for name, type_ in columns().items():
        *above, key = path(name)
        below.setdefault(tuple(above), []).append(StructField(key, _TYPES[type_]))
    nested = [StructField(above[0], StructType(fields)) for above, fields in below.items() if above]
    return StructType([*below[()], *nested])


if __name__ == "__main__":
    run_job(drain)
