"""Which records of a topic are the pipeline's, where it holds others too."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from sluice.documents.strict import Strict
from sluice.pipeline.notation import TextPlace
from sluice.pipeline.places import ColumnType, Constant

Wanted = str | int | bool
_SCALARS = [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]


def parse_wanted(given: Any) -> tuple[Wanted, ...]:
    """Read one value, or a list of several of one type.

    Raises:
        ValueError: anything else, with what is allowed.
    """
    wanted = tuple(given) if isinstance(given, list | tuple) else (given,)
    types = {type(item) for item in wanted}
    if len(types) != 1 or not types <= {str, int, bool}:
        raise ValueError("allowed: a text, a whole number, true or false, or a list of such values of one type")
    return tuple(dict.fromkeys(wanted))


class When(Strict):
    """What tells a record of the pipeline from another one on the same topic. All others are counted as filtered."""

    field: TextPlace = Field(description="What is looked at: a path into the event, $key or $headers.<name>.")
    equals: Annotated[
        tuple[Wanted, ...],
        PlainValidator(parse_wanted),
        WithJsonSchema({"anyOf": [*_SCALARS, {"type": "array", "minItems": 1, "items": {"anyOf": _SCALARS}}]}),
    ] = Field(description="The value of the pipeline's records, or a list of values, of which one must be there.")

    @property
    def type(self) -> ColumnType:
        return Constant(self.equals[0]).type
