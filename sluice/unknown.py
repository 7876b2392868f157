"""Fields of events that a pipeline file does not know: noticed in a sample of each window, with the line to add.

Only names that look like names are told, and only those that a good share of the sample has: keys may be data, too, as
in a map by users.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sluice.choosing import choose
from sluice.drafting.maps import told_keys
from sluice.pipeline import ColumnType, FromValue, Pipeline
from sluice.records import ReadRange, Record, RecordList
from sluice.report import UnknownField

Path = tuple[str, ...]
SAMPLE: Final = 50
MOST_TOLD: Final = 20
MOST_BYTES: Final = 4 << 20
DEEPEST: Final = 8
_SHARE: Final = 0.1
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def unknown_fields(pipeline: Pipeline, read: Sequence[ReadRange]) -> tuple[UnknownField, ...]:
    """Return the fields of a sample of a window's events that the file does not know, the commonest first."""
    documents = list(_documents(choose(pipeline.when, _sample(read)).values))
    known = _known(pipeline)
    seen: Counter[tuple[Path, ColumnType]] = Counter()
    for path, type_, count in _leaves(documents, (), known):
        seen[path, type_] = count
    enough = max(1.0, _SHARE * len(documents))
    types: dict[Path, ColumnType] = {}
    for (path, type_), count in seen.most_common():
        if count >= enough:
            types.setdefault(path, type_)
    told = list(types.items())[:MOST_TOLD]
    return tuple(
        UnknownField(path=".".join(path), type=type_, line=_line(pipeline, path, type_)) for path, type_ in told
    )


def _sample(read: Sequence[ReadRange]) -> RecordList:
    every = sum(len(item.records) for item in read)
    step = max(1, -(-every // SAMPLE))
    taken: list[Record] = []
    weight = 0
    for record in (item.records.record(at) for item in read for at in range(0, len(item.records), step)):
        weight += len(record.value or b"")
        if weight > MOST_BYTES:
            break
        taken.append(record)
    return RecordList(taken)


def _documents(values: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for value in values:
        try:
            document = json.loads(value.decode())
        except (ValueError, RecursionError):
            continue  # rejected, and told as that
        if isinstance(document, dict):
            yield document


def _known(pipeline: Pipeline) -> set[Path]:
    looked_at = [pipeline.when.field] if pipeline.when else []
    origins = (*(column.origin for column in pipeline.columns()), *pipeline.drop, *pipeline.hash, *looked_at)
    return {origin.path for origin in origins if isinstance(origin, FromValue)}


def _leaves(objects: Sequence[dict[str, Any]], above: Path, known: set[Path]) -> Iterator[tuple[Path, ColumnType, int]]:
    """Yield path, type and count of what all objects at a path hold."""
    for key in told_keys(objects, above):
        path = (*above, key)
        if path in known or not _NAME.fullmatch(key):
            continue
        values = [item[key] for item in objects if key in item]
        types = Counter(type_ for value in values if (type_ := _type_of(value)))
        yield from ((path, type_, count) for type_, count in types.items())
        inner = [value for value in values if isinstance(value, dict)]
        if inner and len(path) < DEEPEST:
            yield from _leaves(inner, path, known)


def _type_of(value: Any) -> ColumnType | None:
    """Return the type of a value that could be mapped; None of a list, and of null, which says nothing."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float"
    return "string" if isinstance(value, str) else None


def _line(pipeline: Pipeline, path: Path, type_: ColumnType) -> str:
    features = pipeline.map.features
    below = features.from_.path if features and features.from_ else ()
    if features and path[:-1] == below:
        return f"map.features.columns: {path[-1]}: {type_}"
    if len(path) == 1:
        return f"map.tags: {path[0]}: {type_}"
    return f"map.tags: {path[-1]}: {{path: {'.'.join(path)}, type: {type_}}}"
