"""Find what a job's schema says in the columns of one Parquet file, and refuse types that Arize does not take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from deployments.local.arize.imports.jobs import Refusal

_NAMED = {
    "predictionId": "prediction_id",
    "timestamp": "timestamp",
    "version": "version",
    "batchId": "batch_id",
    "changeTimestamp": "change_timestamp",
    "predictionLabel": "prediction_label",
    "predictionScore": "prediction_score",
    "actualLabel": "actual_label",
    "actualScore": "actual_score",
    "predictionScores": "prediction_scores",
    "actualScores": "actual_scores",
    "thresholdScores": "multi_class_threshold_scores",
    "predictionGroupId": "prediction_group_id",
    "rank": "rank",
    "relevanceScore": "actual_score",
    "relevanceLabel": "actual_label",
}
_PREFIXED = {"features": "feature", "tags": "tag", "shapValues": "shap"}
_LISTED = {"featuresList": "feature", "tagsList": "tag"}
_EMBEDDED = {"vectorCol": "vector", "rawDataCol": "data", "linkToDataCol": "link_to_data"}
_INTEGERS = {pa.int8(), pa.int16(), pa.int32(), pa.int64()}
_FLOATS = {pa.float32(), pa.float64()}
_SCORES = ("prediction_score", "actual_score")


class FileRefused(Exception):
    """A file that Arize fails whole."""

    def __init__(self, code: str, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, row=row)


def mapped(schema: Mapping[str, Any], model_type: str, file: Any) -> dict[str, str]:
    """Map the Arrow schema of a file: each name in Arize's words (as `wire.Upload` has them) to its column.

    A regression's scores go where the SDK puts them: into the labels.

    Raises:
        FileRefused: a column is missing, is there twice, or is of a type that is not taken.
    """
    columns = dict(_columns(schema, file.names))
    if twice := sorted({name for name in file.names if file.names.count(name) > 1}):
        raise FileRefused("DUPLICATE_COLUMN", f"columns are there twice: {', '.join(twice)}")
    if missing := sorted(set(columns.values()) - set(file.names)):
        raise FileRefused("MISSING_COLUMN", f"the file has no column {', '.join(missing)}")
    if model_type == "numeric":
        columns = {_as_label(name, columns): column for name, column in columns.items()}
    for name, column in columns.items():
        _check(name, column, file.field(column).type, model_type)
    return columns


def _columns(schema: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, name in _NAMED.items():
        if word in schema:
            yield name, schema[word]
    for embedding in schema.get("embeddingFeatures", ()):
        for word, part in _EMBEDDED.items():
            if word in embedding:
                yield f"embedding/{embedding['featureName']}/{part}", embedding[word]
    excluded = set(schema.get("exclude", ()))
    for word, kind in _LISTED.items():
        yield from ((f"{kind}/{column}", column) for column in schema.get(word, ()) if column not in excluded)
    for word, kind in _PREFIXED.items():
        if word in schema:
            prefix = schema[word]
            found = (column for column in names if column.startswith(prefix) and column not in excluded)
            yield from ((f"{kind}/{column.removeprefix(prefix)}", column) for column in found)
    if not {"features", "featuresList"} & schema.keys():
        yield from _unreserved(schema, names, excluded)


def _unreserved(schema: Mapping[str, Any], names: Sequence[str], excluded: set[str]) -> Iterator[tuple[str, str]]:
    """Every column that the schema says nothing of is a feature, if it says nothing of features."""
    embeddings = schema.get("embeddingFeatures", ())
    reserved = excluded | set(schema.get("tagsList", ())) | {schema[word] for word in _NAMED if word in schema}
    reserved |= {embedding[word] for embedding in embeddings for word in _EMBEDDED if word in embedding}
    prefixes = tuple(schema[word] for word in _PREFIXED if word in schema)
    yield from ((f"feature/{name}", name) for name in names if name not in reserved and not name.startswith(prefixes))


def _as_label(name: str, columns: Mapping[str, str]) -> str:
    label = name.replace("score", "label")
    return label if name in _SCORES and label not in columns else name


def _check(name: str, column: str, kind: Any, model_type: str) -> None:
    taken, words = _taken(name, model_type)
    if not taken(_plain(kind)):
        raise FileRefused("INVALID_TYPE", f"column {column}: a {name.partition('/')[0]} is {words}, not {kind}")
    _, _, given = name.partition("/")
    if name.startswith(("feature/", "tag/")) and (not given or given.endswith("_shap")):
        raise FileRefused("INVALID_NAME", f"column {column}: a feature or tag needs a name that does not end in _shap")


def _taken(name: str, model_type: str) -> tuple[Callable[[Any], bool], str]:
    """Say which types a column may have, and in words."""
    if model_type == "numeric" and name in ("prediction_label", "actual_label"):
        return _is_number, "a number"
    return next((taken, words) for pattern, taken, words in _TAKEN if fnmatchcase(name, pattern))


def _plain(kind: Any) -> Any:
    """A dictionary is only a way to write a column: Parquet holds its values."""
    return kind.value_type if kinds.is_dictionary(kind) else kind


def _is_text(kind: Any) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _is_list(kind: Any) -> bool:
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _is_scalar(kind: Any) -> bool:
    return _is_text(kind) or kind in _INTEGERS | _FLOATS or kinds.is_boolean(kind)


def _is_integer(kind: Any) -> bool:
    return kind in _INTEGERS


def _is_number(kind: Any) -> bool:
    return kind in _INTEGERS | _FLOATS


def _is_feature(kind: Any) -> bool:
    return _is_scalar(kind) or (_is_list(kind) and _is_text(kind.value_type))


# The first pattern that a name in Arize's words meets says what its column may be, and how that is called.
_TAKEN: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("feature/*", _is_feature, "a string, a number, a bool or a list of strings"),
    ("tag/*", _is_feature, "a string, a number, a bool or a list of strings"),
    ("shap/*", _is_number, "a number"),
    ("embedding/*/vector", lambda kind: _is_list(kind) and kind.value_type in _FLOATS, "a list of floats"),
    ("embedding/*", _is_text, "a string"),
    ("prediction_*id", lambda kind: _is_text(kind) or _is_integer(kind), "a string or an integer"),
    ("*timestamp", lambda kind: _is_text(kind) or _is_number(kind), "seconds, or a string as RFC 3339 says"),
    ("rank", _is_integer, "an integer"),
    ("*_scores", lambda kind: _is_list(kind) and kinds.is_struct(kind.value_type), "a list of class_name and score"),
    ("*_score", _is_number, "a number"),
    ("*_label", _is_scalar, "a string, a number or a bool"),
    ("*", _is_text, "a string"),
)
