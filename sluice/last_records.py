"""From a pipeline and settings to what a run would make of its last records: on Kafka alone, and the hash key."""

from __future__ import annotations

from typing import Any

from sluice.clock import SystemClock
from sluice.opening import opened_tap
from sluice.pipeline import Pipeline
from sluice.preview import preview
from sluice.redaction import Redaction
from sluice.settings import Settings


def preview_last(pipeline: Pipeline, settings: Settings, count: int) -> dict[str, Any]:
    """Preview the last records of a pipeline; see `preview`."""
    kafka, hashes = pipeline.source.kafka, bool(pipeline.hash)
    with opened_tap(settings, kafka.connection, group=kafka.group, hash_key=hashes) as tap:
        key = settings.hash_key().get_secret_value() if hashes else ""
        return preview(pipeline, tap, Redaction.of(pipeline, key), SystemClock(), count)
