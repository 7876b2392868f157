"""A draft of a pipeline file from a sample of a topic's events: the newest, and of its history the oldest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sluice.clock import Clock
from sluice.documents.problems import left_to_do, written
from sluice.documents.yaml import read_yaml
from sluice.drafting import Documents, Wanted, draft, learn, text_of
from sluice.errors import NothingToLearn, TopicMissing
from sluice.offsets import Bounds, OffsetRange, Partition
from sluice.pipeline import Pipeline
from sluice.records import Record
from sluice.sampling import MAX_SECONDS, Sampler, Tap


def pipeline_name(topic: str) -> str:
    """Return a pipeline's name for a topic: `flights-predictions` for `flights.predictions`."""
    return re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:63].strip("-") or "pipeline"


def first_draft(wanted: Wanted, tap: Tap, clock: Clock, *, count: int) -> dict[str, Any]:
    """Learn a pipeline file from a topic's events. Nothing is kept, and no value of an event is told.

    Args:
        count: how many records to look at, shared by the partitions.

    Raises:
        NothingToLearn: there is no event that a file could be learnt from.
        TopicMissing, TopicNotAllowed, SourceRefused, SourceUnavailable: see there.
    """
    topic = wanted.topic
    bounds = _bounds(tap, topic)
    records, is_cut = _sample(tap, clock, bounds, count)
    documents = Documents.of(record.value for record in records)
    if not documents.objects:
        raise _nothing(topic, documents, is_cut=is_cut)
    guess = draft(learn(documents.objects), kind=wanted.kind, topic=topic, keys=[record.key for record in records])
    seen = _seen(documents, len(bounds), is_cut=is_cut)
    text = text_of(guess, wanted, seen=seen)
    return {
        "state": "done",
        "topic": topic,
        "pipeline": wanted.name,
        "kind": guess.kind,
        "seen": seen,
        "open": [written(problem.place) for problem in left_to_do(read_yaml(text), Pipeline)],
        "text": text,
    }


def _bounds(tap: Tap, topic: str) -> Mapping[Partition, Bounds]:
    try:
        return tap.snapshot([topic])
    except TopicMissing as missing:
        raise TopicMissing(missing.what, "Name a topic that is there; is it the right cluster?") from missing


def _sample(tap: Tap, clock: Clock, bounds: Mapping[Partition, Bounds], count: int) -> tuple[Sequence[Record], bool]:
    """Take half from the newest end of each partition, and half from the oldest end of what is left."""
    sampler = Sampler(tap, clock)
    spans = [OffsetRange(item.partition, item.earliest, item.end) for item in bounds.values()]
    newest = sampler.take(spans, (count + 1) // 2, "newest")
    starts = {span.partition: span.stop for span in spans}
    for item in newest.read:
        starts[item.range.partition] = min(starts[item.range.partition], item.range.start)
    older = [OffsetRange(span.partition, span.start, starts[span.partition]) for span in spans]
    oldest = sampler.take(older, count - len(newest.records), "oldest")
    return [*oldest.records, *newest.records], newest.is_cut or oldest.is_cut


def _seen(documents: Documents, partitions: int, *, is_cut: bool) -> str:
    others = [f"{documents.tombstones:,} tombstones"] if documents.tombstones else []
    others += [f"{count:,} {reason}" for reason, count in sorted(documents.faults.items())]
    besides = f" (besides: {', '.join(others)})" if others else ""
    cut = "; a limit of bytes or time ended the sample early" if is_cut else ""
    return f"{_counted(len(documents.objects), 'event')} of {_counted(partitions, 'partition')}{besides}{cut}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _nothing(topic: str, documents: Documents, *, is_cut: bool) -> NothingToLearn:
    if not documents.total and is_cut:
        return NothingToLearn(
            f"{topic}: no record came within the {MAX_SECONDS:g} s of a sample",
            "Draft again; if that is so each time, its last records are aborted or compacted: draft from another topic",
        )
    if not documents.total:
        return NothingToLearn(
            f"{topic} holds no record that can be read now", "Draft again when there are events on it"
        )
    if not documents.faults:
        return NothingToLearn(
            f"{topic}: all {documents.total:,} records that were looked at are tombstones",
            "Look at more of them (-n), or draft again when there are events on it",
        )
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in sorted(documents.faults.items()))
    return NothingToLearn(
        f"{topic}: none of {documents.total:,} records holds a JSON object: {reasons}",
        "This version reads JSON objects only; is it the right topic?",
    )
