"""Two pipelines on the stand-ins of `tests.parts`: flights, and the arrivals that are their ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sluice.pipeline import LoadedPipeline, parse_pipeline
from tests.desk import Desk
from tests.parts import MemoryKafka

_FLIGHTS = """
name: flights
kind: predictions
source: {kafka: {topics: [flights], group: sluice-flights}}
map: {prediction_id: id, timestamp: {path: at, unit: s}, prediction: {label: label}, version: "1"}
arize: {model: delay, type: binary_classification}
limits: {max_records: 4, parallel_windows: 1}
"""
_ARRIVALS = """
name: arrivals
kind: actuals
predictions: flights
source: {kafka: {topics: [arrivals], group: sluice-arrivals}}
map: {prediction_id: id, timestamp: {path: at, unit: s}, actual: {label: label}, tags: {gate: string}}
limits: {max_records: 4, parallel_windows: 1}
"""


def flights_file(**changed: Any) -> LoadedPipeline:
    return _loaded(_FLIGHTS, changed, None)


def arrivals_file(**changed: Any) -> LoadedPipeline:
    """Of actuals of `flights_file`."""
    return _loaded(_ARRIVALS, changed, flights_file())


def event(number: int | str, label: str = "late", *, at_s: int = 1_700_000_000, **fields: Any) -> bytes:
    """A prediction, or an actual."""
    return json.dumps({"id": str(number), "at": at_s, "label": label, "gate": "A1", **fields}).encode()


class Pair:
    """Both pipelines with one store, each with a Kafka of its own."""

    def __init__(self, scratch: Path) -> None:
        self.flights = Desk(scratch / "flights")
        self.flights.kafka = MemoryKafka({"flights": 2})
        self.arrivals = Desk(scratch / "arrivals")
        self.arrivals.kafka = MemoryKafka({"arrivals": 2})
        self.arrivals.world = self.flights.world
        self.arrivals.store = self.flights.store
        self.arrivals.arize = self.flights.arize
        self.arrivals.predictions = lambda: self.flights.kafka


def _loaded(text: str, changed: Mapping[str, Any], predictions: LoadedPipeline | None) -> LoadedPipeline:
    file = yaml.safe_load(text)
    merged = {**file, **{key: {**file.get(key, {}), **value} for key, value in changed.items()}}
    data = yaml.safe_dump(merged, sort_keys=False).encode()
    aim = {"connection": "default", "model": "delay", "type": "binary_classification", "environment": "production"}
    pipeline = parse_pipeline(data, "file", aim)
    sha256, path = hashlib.sha256(data).hexdigest(), Path(f"{pipeline.name}.yaml")
    return LoadedPipeline(pipeline=pipeline, text=data, sha256=sha256, path=path, predictions=predictions)
