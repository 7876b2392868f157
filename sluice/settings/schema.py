"""The JSON Schema of an environment file: `python -m sluice.settings.schema > environment.schema.json`."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import GenerateJsonSchema

from sluice.settings.environment import Environment


def json_schema_text() -> str:
    """Return the schema as text: what it refuses, the loader refuses; rules between keys are the loader's alone."""
    schema = {"$schema": GenerateJsonSchema.schema_dialect, **Environment.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema_text())
