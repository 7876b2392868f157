"""How the words of a `map` are written: paths, the record's own fields, names, versions, constants."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from sluice.nearest import allowed_and_nearest
from sluice.pipeline.places import (
    HEADER,
    MAX_NAME,
    NAME_PATTERN,
    RECORD_FIELDS,
    RESERVED,
    TYPES,
    FromRecord,
    FromValue,
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


Path = Annotated[FromValue, PlainValidator(parse_path), WithJsonSchema(PATH_SCHEMA)]
TextPlace = Annotated[FromValue | FromRecord, PlainValidator(parse_text_place), WithJsonSchema(TEXT_PLACE_SCHEMA)]
Word = Annotated[str, BeforeValidator(_check_word), WithJsonSchema(WORD_SCHEMA)]
Version = Annotated[str, AfterValidator(_check_version), WithJsonSchema(VERSION_SCHEMA)]
DefaultVersion = Annotated[str, AfterValidator(_check_default), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Name = Annotated[str, AfterValidator(check_name)]
Fixed = Annotated[
    str | int | float | bool,
    PlainValidator(_check_constant),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
OwnTime = Annotated[str, BeforeValidator(_check_time_place), WithJsonSchema({"const": "$timestamp"})]
