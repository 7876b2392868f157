"""The pipeline file by which Sluice reads a benchmark's topic: each field of the event but `meta`, typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from benchmarks.events import FEATURES, TAGS, columns

WINDOW = 100_000  # also what is left out of a file stands for


WayIn = Literal["sdk", "object_store"]


def write_pipeline(
    directory: Path, name: str, topic: str, limits: Mapping[str, Any], *, way: WayIn = "sdk", start: str = "earliest"
) -> Path:
    """Write the file of a pipeline, whose group and model have its name; return its path."""
    typed = columns()
    document = {
        "name": name,
        "kind": "predictions",
        "source": {"kafka": {"topics": [topic], "group": name, "start": start}},
        "map": {
            "prediction_id": "id",
            "timestamp": {"path": "scored_at", "unit": "ms"},
            "prediction": {"label": "prediction.label", "score": "prediction.score"},
            "features": {"from": "features", "columns": {feature: typed[feature] for feature in FEATURES}},
            "tags": {tag: {"path": f"tags.{tag}", "type": "string"} for tag in TAGS},
            "version": {"path": "model.version", "default": "none"},
        },
        "arize": {"model": name, "type": "binary_classification", "path": way},
        "limits": {"max_records": WINDOW, "parallel_windows": 1, **limits},
        # Nothing is held: how fast a window of bad records is, is one of the questions.
        "policies": {"max_rejected": {"share": "100%", "of_at_least": 1}},
    }
    path = directory / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path
