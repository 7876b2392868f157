"""The `map` of a pipeline file: Arize's words on the left, the event's paths on the right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from sluice.nearest import allowed_and_nearest
from sluice.pipeline_places import (
    HEADER,
    MAX_NAME,
    NAME_PATTERN,
    RECORD_FIELDS,
    RESERVED,
    TYPES,
    ColumnType,
    FromRecord,
    FromValue,
    TimeUnit,
    check_name,
    parse_path,
    parse_record,
    parse_text_place,
)

PATH_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": r"^[^.$][^.]*(\.[^.]+)*$"},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}
HEADER_PATTERN: Final = r"^\$headers\.(.|\n)+$"
OWN_TEXT: Final = [{"const": "$key"}, {"type": "string", "pattern": HEADER_PATTERN}]
TEXT_PLACE_SCHEMA: Final = {"anyOf": [*PATH_SCHEMA["anyOf"], *OWN_TEXT]}
VERSION_SCHEMA: Final = {"anyOf": [{"type": "string", "pattern": r"^(?!\$)(.|\n)*\S"}, *OWN_TEXT]}
NAMES_SCHEMA: Final[JsonDict] = {
    "propertyNames": {
        "minLength": 1,
        "maxLength": MAX_NAME,
        "allOf": [{"pattern": NAME_PATTERN}, {"not": {"pattern": "_shap$"}}, {"not": {"enum": [*RESERVED]}}],
    }
}
NOT_NULL: Final[JsonDict] = {"not": {"type": "null"}}
WORD_SCHEMA: Final = {"anyOf": [{"enum": [*TYPES, *RECORD_FIELDS]}, {"type": "string", "pattern": HEADER_PATTERN}]}


class Strict(BaseModel):
    """The base of all parts of a pipeline file: nothing can be changed, added or coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _check_word(word: Any) -> Any:
    if isinstance(word, str) and word.startswith("$"):
        parse_record(word)
    elif word not in TYPES:
        raise ValueError(
            allowed_and_nearest(word, [*TYPES, *RECORD_FIELDS, f"{HEADER}<name>", "{path: …, type: …}", "{value: …}"])
        )
    return word


def _check_version(version: str) -> str:
    if version.startswith("$"):
        parse_text_place(version)
    return _check_default(version)


def _check_default(version: str) -> str:
    if not version.strip():
        raise ValueError("a version needs a character")
    return version


def _check_time_place(given: Any) -> Any:
    if given != "$timestamp":
        raise ValueError("allowed: {path: …, unit: …}, or $timestamp for the record's own")
    return given


def _check_constant(value: Any) -> Any:
    if isinstance(value, str | bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise ValueError("allowed: a text, a finite number (an int of 64 bits), true or false")


def _shape(given: Any) -> str:
    """The kind of a column spec; a tag names its model in brackets, which marks it in the place of a problem."""
    if isinstance(given, FixedValue) or (isinstance(given, Mapping) and "value" in given):
        return "<FixedValue>"
    return "<TypedPath>" if isinstance(given, Mapping | BaseModel) else "<word>"


def _time_shape(given: Any) -> str:
    return "<TimePath>" if isinstance(given, Mapping | BaseModel) else "<word>"


def _version_shape(given: Any) -> str:
    return "<VersionPath>" if isinstance(given, Mapping | BaseModel) else "<word>"


Path = Annotated[FromValue, PlainValidator(parse_path), WithJsonSchema(PATH_SCHEMA)]
TextPlace = Annotated[FromValue | FromRecord, PlainValidator(parse_text_place), WithJsonSchema(TEXT_PLACE_SCHEMA)]
Word = Annotated[str, BeforeValidator(_check_word), WithJsonSchema(WORD_SCHEMA)]
Version = Annotated[str, AfterValidator(_check_version), WithJsonSchema(VERSION_SCHEMA)]
DefaultVersion = Annotated[str, AfterValidator(_check_default), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Name = Annotated[str, AfterValidator(check_name)]


class TypedPath(Strict):
    """A column from a path of its own."""

    path: Path = Field(description="Where the value is in the event, from its root: dotted, or a list of keys.")
    type: ColumnType = Field(description="The column's type, the same in all windows.")


class FixedValue(Strict):
    """A column with the same value in each row."""

    value: Annotated[
        str | int | float | bool,
        PlainValidator(_check_constant),
        WithJsonSchema({"type": ["string", "number", "boolean"]}),
    ] = Field(description="The constant; its type is the column's.")


Spec = Annotated[
    Annotated[Word, Tag("<word>")]
    | Annotated[TypedPath, Tag("<TypedPath>")]
    | Annotated[FixedValue, Tag("<FixedValue>")],
    Discriminator(_shape),
]


class Features(Strict):
    """The model's inputs."""

    from_: Path | None = Field(
        default=None,
        alias="from",
        description="The object that holds the features: where a column given as a type alone is looked up. "
        "Left out: the event's root.",
    )
    columns: Annotated[dict[Name, Spec], Field(min_length=1)] = Field(
        json_schema_extra=NAMES_SCHEMA,
        description="Name of each feature: a type (string, int, float, bool) of the field of that name below `from`; "
        "{path, type}, from the event's root; {value}; or the record's own $topic, $partition, $offset, $key, "
        "$timestamp (milliseconds), $headers.<name>.",
    )


class TimePath(Strict):
    """A time in the event."""

    path: Path = Field(description="Where the time is in the event.")
    unit: TimeUnit = Field(
        description="How the event writes it: seconds (s), milliseconds (ms), microseconds (us) or nanoseconds (ns) "
        "since 1970 UTC, or text by RFC 3339 (rfc3339)."
    )


class VersionPath(Strict):
    """A version in the event."""

    path: TextPlace = Field(description="Where the version is in the event, or $key or $headers.<name>.")
    default: DefaultVersion | None = Field(
        default=None, description="Fills in a missing version. Without it, an event without a version is rejected."
    )


class Outcome(Strict):
    """A prediction, or what came true: at least one of label and score."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [key], "properties": {key: NOT_NULL}} for key in ("label", "score")]}
    )

    label: Path | None = Field(
        default=None, description="Where the label is: text (binary_classification) or the number (regression)."
    )
    score: Path | None = Field(default=None, description="Where the score is: a number. For binary_classification.")

    @model_validator(mode="after")
    def _something(self) -> Outcome:
        if self.label is None and self.score is None:
            raise ValueError("allowed: label, score, or both; nothing is given")
        return self


class Map(Strict):
    """Arize's words on the left, the event's paths on the right."""

    prediction_id: TextPlace = Field(
        description="The id that joins prediction and actual: a path, or $key or $headers.<name>. 1 to 512 characters."
    )
    timestamp: Annotated[
        Annotated[str, BeforeValidator(_check_time_place), WithJsonSchema({"const": "$timestamp"}), Tag("<word>")]
        | Annotated[TimePath, Tag("<TimePath>")],
        Discriminator(_time_shape),
    ] = Field(description="The time of the event: {path, unit}, or $timestamp for the Kafka record's own.")
    prediction: Outcome | None = Field(default=None, description="What the model said. Predictions need it.")
    actual: Outcome | None = Field(default=None, description="What came true. Actuals need it.")
    features: Features | None = Field(default=None, description="The model's inputs.")
    tags: dict[Name, Spec] = Field(
        json_schema_extra=NAMES_SCHEMA,
        default_factory=dict,
        description="What is known beside the inputs, by name: like the columns of features, a type alone being "
        "looked up at the event's root.",
    )
    version: (
        Annotated[
            Annotated[Version, Tag("<word>")] | Annotated[VersionPath, Tag("<VersionPath>")],
            Discriminator(_version_shape),
        ]
        | None
    ) = Field(
        default=None,
        description='The model\'s version: a constant (quote it: "2013.4"), {path, default}, or $key or '
        "$headers.<name>. Predictions need it; actuals are joined whatever the version.",
    )
