"""The `map` of a pipeline file: Arize's words on the left, the event's paths on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sluice.documents.strict import Strict
from sluice.pipeline.notation import (
    NAMES_SCHEMA,
    NOT_NULL,
    DefaultVersion,
    Fixed,
    Name,
    OwnTime,
    Path,
    TextPlace,
    Version,
    Word,
)
from sluice.pipeline.places import ColumnType, TimeUnit


def _shape(given: Any) -> str:
    """The kind of a column spec; a tag names its model in brackets, which marks it in the place of a problem."""
    if isinstance(given, FixedValue) or (isinstance(given, Mapping) and "value" in given):
        return "<FixedValue>"
    return "<TypedPath>" if isinstance(given, Mapping | BaseModel) else "<word>"


def _time_shape(given: Any) -> str:
    return "<TimePath>" if isinstance(given, Mapping | BaseModel) else "<word>"


def _version_shape(given: Any) -> str:
    return "<VersionPath>" if isinstance(given, Mapping | BaseModel) else "<word>"


class TypedPath(Strict):
    """A column from a path of its own."""

    path: Path = Field(description="Where the value is in the event, from its root: dotted, or a list of keys.")
    type: ColumnType = Field(description="The column's type, the same in all windows.")


class FixedValue(Strict):
    """A column with the same value in each row."""

    value: Fixed = Field(description="The constant; its type is the column's.")


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


class LabelAndScore(Strict):
    """A prediction, or what came true: at least one of label and score."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [key], "properties": {key: NOT_NULL}} for key in ("label", "score")]}
    )

    label: Path | None = Field(
        default=None, description="Where the label is: text (binary_classification) or the number (regression)."
    )
    score: Path | None = Field(default=None, description="Where the score is: a number. For binary_classification.")

    @model_validator(mode="after")
    def _something(self) -> LabelAndScore:
        if self.label is None and self.score is None:
            raise ValueError("allowed: label, score, or both; nothing is given")
        return self


class Map(Strict):
    """Arize's words on the left, the event's paths on the right."""

    prediction_id: TextPlace = Field(
        description="The id that joins prediction and actual: a path, or $key or $headers.<name>. 1 to 512 characters."
    )
    timestamp: Annotated[
        Annotated[OwnTime, Tag("<word>")] | Annotated[TimePath, Tag("<TimePath>")],
        Discriminator(_time_shape),
    ] = Field(description="The time of the event: {path, unit}, or $timestamp for the Kafka record's own.")
    prediction: LabelAndScore | None = Field(default=None, description="What the model said. Predictions need it.")
    actual: LabelAndScore | None = Field(default=None, description="What came true. Actuals need it.")
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
