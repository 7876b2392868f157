"""Read one Parquet file, batch by batch, into the Arrow stream that the store keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deployments.local.arize.imports.jobs import Job
from deployments.local.arize.imports.mapping import FileRefused, mapped
from deployments.local.arize.imports.rows import Rules

_BATCH_ROWS = 32_768
DRY_RUN_ROWS = 1_000


@dataclass(slots=True, kw_only=True)
class Read:
    """What a whole file held; versions counts the rows of each version, if the schema maps one."""

    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)


def read_file(path: Path, into: Path, job: Job, *, now_s: float, max_past_days: int) -> Read:
    """Check every row of a Parquet file and write the mapped columns as an Arrow stream; memory holds one batch.

    Raises:
        FileRefused: the file is no Parquet, has no rows, lacks a column, or holds a row that breaks a rule.
    """
    read = Read()
    with _opened(path) as file:
        rules = _rules(file, job, now_s=now_s, max_past_days=max_past_days)
        read.columns = dict(rules.columns)
        with into.open("wb") as sink:
            _write(_checked(file, rules), read, sink)
    return read


def try_file(path: Path, job: Job, *, now_s: float, max_past_days: int) -> None:
    """Check the first rows of a file, as a dry run does: later ones may still fail it.

    Raises:
        FileRefused: as `read_file`.
    """
    with _opened(path) as file:
        rules = _rules(file, job, now_s=now_s, max_past_days=max_past_days)
        next(_checked(file, rules, batch_rows=DRY_RUN_ROWS), None)


def _rules(file: Any, job: Job, *, now_s: float, max_past_days: int) -> Rules:
    if not file.metadata.num_rows:
        raise FileRefused("NO_ROWS", "the file holds no rows")
    columns = mapped(job.schema, job.model_type, file.schema_arrow)
    return Rules(columns=columns, now_s=now_s, max_past_days=max_past_days)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    # What pyarrow raises for a broken file depends on where it is broken.
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            yield file
    except (pa.ArrowException, OSError) as exc:
        raise FileRefused("NOT_PARQUET", f"unable to read the file as Parquet: {exc}") from exc


def _checked(file: Any, rules: Rules, *, batch_rows: int = _BATCH_ROWS) -> Iterator[Any]:
    first_row = 1
    for batch in file.iter_batches(batch_size=batch_rows, columns=list(set(rules.columns.values()))):
        yield rules.taken(batch, first_row=first_row)
        first_row += batch.num_rows


def _write(tables: Iterator[Any], read: Read, sink: Any) -> None:
    stream = None
    try:
        for table in tables:
            stream = stream or pa.ipc.new_stream(sink, table.schema)
            stream.write_table(table)
            read.rows += table.num_rows
            if "version" in read.columns:
                read.versions.update(version or "" for version in table[read.columns["version"]].to_pylist())
    finally:
        if stream is not None:
            with suppress(pa.ArrowException):
                stream.close()
