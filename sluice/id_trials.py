"""Whether the ids of actuals can meet those of their predictions: the last records of both topics are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sluice.errors import NothingMatches
from sluice.last_records import preview_last
from sluice.pipeline import FromValue, LoadedPipeline, Pipeline
from sluice.settings import Settings
from sluice.words import counted

RECORDS: Final = 100  # of each side
_SHAPES: Final[Mapping[str, str]] = {
    "digits": r"\d+",
    "UUIDs": r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}",
    "keyed hashes": r"hmac:.*",
    "other text": r".*",
}
_SAME: Final = "Map the field that holds the prediction's id, as the same text on both sides"


class NothingToCompare(Exception):
    """A side has no record, or none with an id: what is told says which."""


def compare_ids(actuals: LoadedPipeline, settings: Settings) -> str:
    """Say that the last actuals and the last predictions have ids that can be equal.

    Raises:
        NothingMatches: on one side they are no text, or no record would be sent; or no shape of text is on both.
        NothingToCompare: see there.
        SluiceError: Kafka cannot be looked at.
    """
    if actuals.predictions is None:
        raise NothingToCompare(f"{actuals.pipeline.name} does not name its `predictions`")
    pipelines = (actuals.predictions.pipeline, actuals.pipeline)
    sides = {pipeline.name: preview_last(pipeline, settings, RECORDS) for pipeline in pipelines}
    for pipeline in pipelines:
        _require_text(pipeline, sides[pipeline.name])
    shapes = {name: shapes_of(row["prediction_id"] for row in found["rows"]) for name, found in sides.items()}
    told = "; ".join(f"{name}: {', '.join(found)}" for name, found in shapes.items())
    one, other = shapes.values()
    if not {*one} & {*other}:
        raise NothingMatches(f"No id of the one side looks like one of the other ({told})", _SAME)
    return f"text on both sides ({told})"


def shapes_of(ids: Iterable[str]) -> list[str]:
    """Name what ids look like, and show none of them."""
    found = {next(name for name, shape in _SHAPES.items() if re.fullmatch(shape, id_, re.DOTALL)) for id_ in ids}
    return [name for name in _SHAPES if name in found]


def _require_text(pipeline: Pipeline, found: Mapping[str, Any]) -> None:
    """Check that no more records lack an id than a window may reject."""
    broken = [item for item in found["reasons"] if _is_of_the_id(item["reason"], pipeline)]
    count = sum(item["count"] for item in broken)
    if count > found["max_rejected"] * found["records"]:
        first = max(broken, key=lambda item: int(item["count"]))
        raise NothingMatches(
            f"{pipeline.name}: {count:,} of {counted(found['records'], 'record')} have no id that can be sent "
            f"({first['reason']}; such as {first['at'][0]})",
            f"An id is text, and Sluice makes none of a number. {_SAME}",
        )
    if found["reasons"] and not found["rows"]:
        first = found["reasons"][0]
        raise NothingMatches(
            f"{pipeline.name}: none of {counted(found['records'], 'record')} would be sent "
            f"({first['reason']}; such as {first['at'][0]})",
            "Mend the mapping: sluice preview FILE shows what becomes of each record",
        )
    if not found["rows"]:
        raise NothingToCompare(f"{pipeline.name}: {', '.join(found['topics'])} holds no record that would be sent")


def _is_of_the_id(reason: str, pipeline: Pipeline) -> bool:
    """Reasons begin with Arize's word for a column, or with the path of its field."""
    origin = pipeline.map.prediction_id
    words = ["prediction_id", ".".join(origin.path)] if isinstance(origin, FromValue) else ["prediction_id"]
    return any(reason.startswith(f"{word}: ") for word in words)
