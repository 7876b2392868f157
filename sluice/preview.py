"""What a run would make of the last records of a pipeline's topics: looked at, and nothing written or moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sluice.clock import Clock
from sluice.offsets import Balance, OffsetRange, total
from sluice.pipeline import Pipeline
from sluice.records import Rejected
from sluice.redaction import Redaction
from sluice.sampling import Sample, Sampler, Tap
from sluice.unknown import unknown_fields
from sluice.windows import MappedWindow, kept_window

FEW: Final = 5  # offsets that are named of each reason


def preview(pipeline: Pipeline, tap: Tap, redaction: Redaction, clock: Clock, count: int) -> dict[str, Any]:
    """Take the last records of the pipeline's partitions the way of a run, up to where a run would stage them.

    Args:
        count: how many records, shared by the partitions.

    Returns:
        What became of them. `rows` are values of events, as they would be staged: hashed where the file says so.

    Raises:
        TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
    """
    kafka = pipeline.source.kafka
    chosen = None if kafka.partitions == "all" else kafka.partitions
    bounds = tap.snapshot(kafka.topics, chosen)
    spans = [OffsetRange(item.partition, item.earliest, item.end) for item in bounds.values()]
    sample = Sampler(tap, clock).take(spans, count, "newest")
    mapped = kept_window(pipeline, sample.read, redaction, now_s=clock.epoch_s())
    unknown = unknown_fields(pipeline, sample.read)
    return {
        "state": "done",
        "pipeline": pipeline.name,
        "topics": list(kafka.topics),
        "partitions": len(bounds),
        **_counts(sample, mapped),
        "columns": {column.name: column.type for column in pipeline.columns()},
        "rows": mapped.frame.to_dicts(),
        "reasons": _reasons(mapped.rejected),
        "max_rejected": pipeline.policies.max_rejected.share,
        "unknown_fields": [{"path": item.path, "type": item.type, "line": item.line} for item in unknown],
    }


def _counts(sample: Sample, mapped: MappedWindow) -> dict[str, Any]:
    balance: Balance = total(item.balance for item in mapped.counted)
    return {
        "ranges": [str(item.range) for item in sample.read],
        "is_cut": sample.is_cut,
        "records": balance.total - balance.invisible,
        "mapped": balance.staged,
        "rejected": balance.rejected,
        "filtered": balance.filtered,
        "tombstones": balance.tombstones,
    }


def _reasons(rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    """Group what is rejected by reason, the commonest first, each with the places of a few."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for item in rejected:
        places[item.reason].append(f"{item.record.partition} {item.record.offset}")
    by_count = sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
    return [{"reason": reason, "count": len(found), "at": found[:FEW]} for reason, found in by_count]
