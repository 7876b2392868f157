"""Decode what the SDK puts on the wire, and refuse it in Arize's words."""

from __future__ import annotations

import base64
import binascii
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.protobuf.message import DecodeError

_REPEATED = {"feature_column_names": "feature", "tag_column_names": "tag"}
_MAPPED = {"shap_values_column_names": "shap", "embedding_feature_column_names_map": "embedding"}
_PREDICTED = (
    "prediction_label",
    "prediction_score",
    "prediction_object",
    "prediction_semantic",
    "prediction_instance",
    "rank",
)
_ACTUAL = ("actual_",)


def _protobuf() -> Any:
    """Load the SDK's generated Schema message by its path: importing its package loads REST clients for seconds."""
    package = find_spec("arize")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the stand-in reads the wire with the package arize: install it")
    return runpy.run_path(str(Path(package.origin).parent / "_generated/protocol/rec/public_pb2.py"))["Schema"]


_Schema = _protobuf()


class Refused(Exception):
    """A call that Arize would answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What one call says about its rows.

    `columns` maps a name in Arize's words (``prediction_id``, ``feature/carrier``, ``tag/offset``, ``shap/carrier``,
    ``embedding/text/vector``) to the column of the Arrow table that holds it.
    """

    model: str
    version: str
    environment: str
    model_type: str
    batch_id: str
    rows: int
    columns: Mapping[str, str]


def refuse_strangers(headers: Mapping[str, str], *, api_key: str, space_id: str) -> None:
    """Check the key and the space; header names are lower case.

    Raises:
        Refused: 403 for the key or a foreign space, 400 for a missing space.
    """
    key = headers.get("authorization", "")
    if not key:
        raise Refused(403, "must provide authorization header")
    if len(key.split()) != 1:
        raise Refused(403, "unable to validate authorization header")
    if key != api_key:
        raise Refused(403, "invalid api-key")
    if not headers.get("arize-space-id"):
        raise Refused(400, "must provide arize-space-id header")
    if headers["arize-space-id"] != space_id:
        raise Refused(403, "api-key has no access to this space")


def decode(body: Path, *, number_of_rows: str | None) -> Upload:
    """Read the protobuf schema and every row of an Arrow stream.

    Raises:
        Refused: 400 for whatever does not add up.
    """
    table = read_table(body)
    schema = _protobuf_schema(table.schema.metadata or {})
    if number_of_rows != str(table.num_rows):
        raise Refused(400, f"number-of-rows is {number_of_rows}, the body holds {table.num_rows}")
    columns = columns_of(schema.arrow_schema)
    if absent := sorted(set(columns.values()) - set(table.column_names)):
        raise Refused(400, f"the schema names columns that the body does not hold: {', '.join(absent)}")
    constants = schema.constants
    if not constants.model_id:
        raise Refused(400, "the schema names no model")
    return Upload(
        model=constants.model_id,
        version=constants.model_version,
        environment=_Schema.Environment.Name(constants.environment).lower(),
        model_type=_Schema.ModelType.Name(constants.model_type).lower(),
        batch_id=constants.batch_id,
        rows=table.num_rows,
        columns=columns,
    )


def read_table(body: Path) -> Any:
    """Map a stored body into memory as a pyarrow Table, without copying it."""
    try:
        with pa.memory_map(str(body)) as source:
            return pa.ipc.open_stream(source).read_all()
    except (pa.ArrowException, OSError) as exc:
        raise Refused(400, f"unable to read the body as an Arrow stream: {exc}") from exc


def columns_of(arrow_schema: Any) -> dict[str, str]:
    """Name each column of an ``ArrowSchema`` message in Arize's words."""
    columns: dict[str, str] = {}
    for field, value in arrow_schema.ListFields():
        if field.name in _REPEATED:
            columns |= {f"{_REPEATED[field.name]}/{name}": name for name in value}
        elif field.name in _MAPPED:
            for key, mapped in value.items():
                columns |= _nested(f"{_MAPPED[field.name]}/{key}", mapped)
        else:
            columns |= _nested(field.name.removesuffix("_column_name").removesuffix("_column_names"), value)
    return columns


def kind_of(columns: Mapping[str, str]) -> str:
    """Say what a call holds by its columns: an actual carries the id of its prediction, and is no repetition of it."""
    kinds = [name for name, found in (("predictions", predicted(columns)), ("actuals", actual(columns))) if found]
    return "+".join(kinds) or "other"


def predicted(columns: Mapping[str, str]) -> list[str]:
    """List the table's columns that make a row a prediction."""
    return [column for name, column in columns.items() if name.startswith(_PREDICTED)]


def actual(columns: Mapping[str, str]) -> list[str]:
    """List the table's columns that make a row an actual."""
    return [column for name, column in columns.items() if name.startswith(_ACTUAL)]


def _nested(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {name: value}
    return {f"{name}/{field.name.removesuffix('_column_name')}": column for field, column in value.ListFields()}


def _protobuf_schema(metadata: Mapping[bytes, bytes]) -> Any:
    schema = _Schema()
    try:
        schema.ParseFromString(base64.b64decode(metadata[b"arize-schema"], validate=True))
    except (KeyError, binascii.Error, DecodeError) as exc:
        raise Refused(400, "unable to read arize-schema from the Arrow schema's metadata") from exc
    return schema
