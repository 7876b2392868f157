"""Prove a pipeline from outside: what was produced, staged, held by Arize and committed must be the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from deployments.local.stack import Stack
from sluice.checking import pipeline_called
from sluice.group import group_offsets
from sluice.ledger import Ledger, entries
from sluice.offsets import Balance, Bounds, Partition, total
from sluice.pipeline import Pipeline
from sluice.settings import Settings
from sluice.sources.kafka import KafkaSource
from sluice.store import Store
from sluice.stores.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The counts that must agree.

    Attributes:
        produced: good records that were committed to the topic.
        staged: rows in the staged files, counted in the files.
        arrived: rows that the stand-in holds for the model; `twice` of them are repeats of an id.
        balance: of all entries together.
        group, ledger: the offsets of each partition, next to read.
    """

    produced: int
    staged: int
    arrived: int
    twice: int
    balance: Balance
    group: dict[Partition, int]
    ledger: dict[Partition, int]
    ends: dict[Partition, int]

    @property
    def holds(self) -> bool:
        return (
            self.produced == self.staged == self.arrived and not self.twice and self.group == self.ledger == self.ends
        )

    def lines(self) -> list[str]:
        offsets = " ".join(str(offset) for offset in self.ledger.values())
        chain = f"group {_equal(self.group, self.ledger)} ledger {_equal(self.ledger, self.ends)} end of the topic"
        rows = (
            f"{self.produced:,} produced {_equal(self.produced, self.staged)} {self.staged:,} staged "
            f"{_equal(self.staged, self.arrived)} {self.arrived:,} held by Arize"
        )
        return [
            f"balance    {self.balance.arithmetic()}",
            f"rows       {rows}; seen twice {self.twice:,}",
            f"offsets    {chain}: {offsets}",
            "proved" if self.holds else "NOT PROVED",
        ]


def group_of(stack: Stack, pipeline: str) -> dict[Partition, int]:
    """Ask Kafka where the pipeline's group stands."""
    loaded = pipeline_called(pipeline, Settings.from_environment(os.environ)).pipeline
    with _source(stack, loaded) as source:
        committed = source.committed(list(source.snapshot(loaded.source.kafka.topics)))
    return {partition: at.offset for partition, at in sorted(committed.items())}


def _bounds(stack: Stack, pipeline: Pipeline) -> dict[Partition, Bounds]:
    with _source(stack, pipeline) as source:
        return source.snapshot(pipeline.source.kafka.topics)


def _source(stack: Stack, pipeline: Pipeline) -> KafkaSource:
    return KafkaSource({"bootstrap.servers": stack.kafka.bootstrap_servers}, group=pipeline.source.kafka.group)


def _equal(one: object, other: object) -> str:
    return "=" if one == other else "≠"


def prove(stack: Stack, pipeline: str) -> Proof:
    """Count everything anew from Kafka, the store and the stand-in."""
    settings = Settings.from_environment(os.environ | stack.environment())
    loaded, store = pipeline_called(pipeline, settings), open_store(settings.store())
    ledger = Ledger(store, pipeline).load()
    sealed = [
        entry
        for number in range(1, ledger.state.next_number)
        if isinstance(entry := ledger.entry(number), entries.Window)
    ]
    partitions = sorted(ledger.state.positions)
    committed = group_of(stack, pipeline)
    bounds = _bounds(stack, loaded.pipeline)
    ours = (loaded.pipeline.arize.model, loaded.pipeline.kind)
    models = [item for item in stack.arize.summary()["models"] if (item["model"], item["kind"]) == ours]
    ledger.settle(list(ledger.state.open))
    return Proof(
        produced=stack.produced.total("good"),
        staged=_staged_rows(store, sealed),
        arrived=sum(item["rows"] for item in models),
        twice=sum(item["excess_rows"] for item in models),
        balance=total(entry.balance for entry in sealed),
        group=committed,
        ledger={item.partition: item.offset for item in group_offsets(ledger.state, partitions)},
        ends={key: item.end for key, item in sorted(bounds.items())},
    )


def _staged_rows(store: Store, sealed: Sequence[entries.Sealed]) -> int:
    with TemporaryDirectory() as scratch:
        local, rows = Path(scratch) / "staged.parquet", 0
        for entry in sealed:
            if entry.staged is not None and store.fetch(entry.staged.key, local):
                rows += pl.scan_parquet(local).select(pl.len()).collect().item()
    return rows
