"""Where the values of columns come from, and how a pipeline file writes it: `meta.host`, `$partition`, constants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from sluice.nearest import allowed_and_nearest

ColumnType = Literal["string", "int", "float", "bool"]
TimeUnit = Literal["s", "ms", "us", "ns", "rfc3339"]
RecordField = Literal["topic", "partition", "offset", "key", "timestamp", "header"]

TYPES: Final[tuple[ColumnType, ...]] = ("string", "int", "float", "bool")
MAX_NAME: Final = 256
NAME_PATTERN: Final = r"^(?!\s)[^\x00-\x1f\x7f]+(?<!\s)$"
# What Arize calls its own columns: a feature of such a name would collide with them in one frame.
RESERVED: Final = (
    "prediction_id",
    "prediction_ts",
    "prediction_label",
    "prediction_score",
    "actual_label",
    "actual_score",
)
HEADER: Final = "$headers."
RECORD_FIELDS: Final[dict[str, tuple[RecordField, ColumnType]]] = {
    "$topic": ("topic", "string"),
    "$partition": ("partition", "int"),
    "$offset": ("offset", "int"),
    "$key": ("key", "string"),
    "$timestamp": ("timestamp", "int"),
}


@dataclass(frozen=True, slots=True)
class FromValue:
    """A field of the decoded value: the keys that lead to it, outermost first."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FromRecord:
    """The record's own: `header` is the header's name where the field is a header; `timestamp` is in milliseconds."""

    field: RecordField
    header: str | None = None

    @property
    def type(self) -> ColumnType:
        return "string" if self.field == "header" else RECORD_FIELDS[f"${self.field}"][1]


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value in each row."""

    value: str | int | float | bool

    @property
    def type(self) -> ColumnType:
        names: dict[type, ColumnType] = {bool: "bool", int: "int", float: "float", str: "string"}
        return names[type(self.value)]


Origin = FromValue | FromRecord | Constant


def parse_path(given: Any) -> FromValue:
    """Read `a.b`, or `[a, b]` for keys that hold dots.

    Raises:
        ValueError: anything else, with what is allowed.
    """
    if isinstance(given, FromValue):
        return given
    keys = given.split(".") if isinstance(given, str) else given
    if isinstance(given, str) and given.startswith("$"):
        raise ValueError(f'a path into the event is needed here; for a key that starts with $, write ["{given}"]')
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise ValueError("allowed: a dotted path (meta.host), or a list of keys ([meta, host.name])")
    return FromValue(tuple(keys))


def parse_record(given: str) -> FromRecord:
    """Read `$partition`, `$headers.trace-id` and the like.

    Raises:
        ValueError: no field of a record, with what is allowed and the nearest.
    """
    if given.startswith(HEADER) and len(given) > len(HEADER):
        return FromRecord("header", given.removeprefix(HEADER))
    if given in RECORD_FIELDS:
        return FromRecord(RECORD_FIELDS[given][0])
    raise ValueError(allowed_and_nearest(given, [*RECORD_FIELDS, f"{HEADER}<name>"]))


def parse_text_place(given: Any) -> FromValue | FromRecord:
    """Read a path, `$key` or `$headers.<name>`: the places that hold text.

    Raises:
        ValueError: anything else, with what is allowed.
    """
    if not isinstance(given, str) or not given.startswith("$"):
        return given if isinstance(given, FromRecord) else parse_path(given)
    place = parse_record(given)
    if place.field not in ("key", "header"):
        raise ValueError("allowed of the record's own here: $key, $headers.<name>")
    return place


def check_name(name: str) -> str:
    """Return the name of a feature or tag.

    Raises:
        ValueError: Arize, or its SDK, would refuse the name.
    """
    if not re.search(NAME_PATTERN, name):
        raise ValueError("a name needs a character, no control character, and no space at either end")
    if len(name) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} characters, this one has {len(name)}")
    if name.endswith("_shap"):
        raise ValueError("a name that ends in _shap is refused by Arize: it marks SHAP values")
    if name in RESERVED:
        raise ValueError(f"{name} is the name of a column of Arize's own: choose another, with {{path: …, type: …}}")
    return name
