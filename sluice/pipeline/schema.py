"""The JSON Schema of a pipeline file, for editors: `python -m sluice.pipeline.schema > pipeline.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sluice.pipeline.model import Pipeline
from sluice.pipeline.notation import NOT_NULL
from sluice.pipeline.predictions import AIM
from sluice.pipeline.values import UNDERSCORED


def _map_needs(*keys: str) -> dict[str, Any]:
    return {"properties": {"map": {"required": [*keys], "properties": dict.fromkeys(keys, NOT_NULL)}}}


RULES: Final = [
    {
        "if": {"properties": {"kind": {"const": "predictions"}}},
        "then": _map_needs("prediction", "version"),
        "else": _map_needs("actual"),
    },
    {
        "if": {"required": ["predictions"], "properties": {"predictions": NOT_NULL}},
        "then": {"properties": {"arize": {"properties": dict.fromkeys(AIM, False)}}},
        "else": {"required": ["arize"], "properties": {"arize": {"required": ["model", "type"]}}},
    },
]


class _ForEditors(GenerateJsonSchema):
    """Editors read YAML 1.2, where 100_000 is a text."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), UNDERSCORED]}


def json_schema() -> dict[str, Any]:
    """Return the schema: what it refuses, the loader refuses; rules between keys are the loader's alone."""
    schema = Pipeline.model_json_schema(by_alias=True, schema_generator=_ForEditors)
    schema["required"].remove("arize")  # the file of the predictions may say all of it
    schema["$defs"]["Arize"]["required"] = []
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "allOf": RULES}


def json_schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema_text())
