"""The columns of a staged file: their names, types, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sluice.pipeline.map import FixedValue, LabelAndScore, Map, TypedPath, VersionPath
from sluice.pipeline.places import (
    TYPES,
    ColumnType,
    Constant,
    FromRecord,
    FromValue,
    Origin,
    TimeUnit,
    parse_record,
    parse_text_place,
)

FEATURE: Final = "feature/"
TAG: Final = "tag/"
What = Literal["prediction", "actual"]
_TYPE_OF: Final[dict[str, ColumnType]] = {type_: type_ for type_ in TYPES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the staged file.

    Attributes:
        required: a record without a value for it is rejected.
        default: fills in a missing value; None where a missing value stays missing.
        unit: how the event writes a time that is staged as epoch seconds; None for all that is no time.
    """

    name: str
    origin: Origin
    type: ColumnType
    required: bool = False
    default: str | None = None
    unit: TimeUnit | None = None


def identity_columns(map_: Map) -> Iterator[Column]:
    """Yield what every row is known by: id, time, and version where the map has one."""
    yield Column(name="prediction_id", origin=map_.prediction_id, type="string", required=True)
    yield _time(map_)
    if map_.version is not None:
        yield _version(map_.version)


def outcome_columns(what: What, outcome: LabelAndScore | None, *, is_text: bool, is_needed: bool) -> Iterator[Column]:
    """Yield label and score, as far as they are mapped.

    Args:
        is_text: the label is text; it is a number otherwise.
        is_needed: a row needs one of them: where only one is mapped, it is required.
    """
    places = {"label": outcome.label, "score": outcome.score} if outcome else {}
    given = {name: path for name, path in places.items() if path is not None}
    for name, path in given.items():
        type_: ColumnType = "string" if name == "label" and is_text else "float"
        yield Column(name=f"{what}_{name}", origin=path, type=type_, required=is_needed and len(given) == 1)


def feature_columns(map_: Map) -> Iterator[Column]:
    if map_.features is not None:
        below = map_.features.from_
        yield from _specified(FEATURE, map_.features.columns, below.path if below else ())


def tag_columns(map_: Map) -> Iterator[Column]:
    yield from _specified(TAG, map_.tags, ())


def _time(map_: Map) -> Column:
    given = map_.timestamp
    if isinstance(given, str):
        return Column(name="prediction_ts", origin=FromRecord("timestamp"), type="float", required=True, unit="ms")
    return Column(name="prediction_ts", origin=given.path, type="float", required=True, unit=given.unit)


def _version(given: str | VersionPath) -> Column:
    default = None
    origin: Origin
    if isinstance(given, VersionPath):
        origin, default = given.path, given.default
    else:
        origin = parse_text_place(given) if given.startswith("$") else Constant(given)
    required = default is None and not isinstance(origin, Constant)
    return Column(name="version", origin=origin, type="string", required=required, default=default)


def _specified(
    prefix: str, specs: Mapping[str, str | TypedPath | FixedValue], below: tuple[str, ...]
) -> Iterator[Column]:
    for name, spec in specs.items():
        origin, type_ = _origin_and_type(name, spec, below)
        yield Column(name=prefix + name, origin=origin, type=type_)


def _origin_and_type(
    name: str, spec: str | TypedPath | FixedValue, below: tuple[str, ...]
) -> tuple[Origin, ColumnType]:
    if isinstance(spec, TypedPath):
        return spec.path, spec.type
    if isinstance(spec, FixedValue):
        constant = Constant(spec.value)
        return constant, constant.type
    if spec.startswith("$"):
        own = parse_record(spec)
        return own, own.type
    return FromValue((*below, name)), _TYPE_OF[spec]
