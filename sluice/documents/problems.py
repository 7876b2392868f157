"""What pydantic found, in the words of who wrote the file: line, key, what is allowed, the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sluice.documents.strict import PATTERNS, Strict
from sluice.documents.yaml import Document, Place, Problem
from sluice.nearest import allowed_and_nearest, nearest

Model = type[BaseModel]

TODO: Final = "$TODO"  # what a draft leaves to a person; no path, name or type is written so
KEY_OF_MAPPING: Final = "[key]"


def problems_of(error: ValidationError, document: Document, model: Model) -> Iterator[Problem]:
    """Yield each problem that a model found in a document's data, with its line."""
    tags = (*_models_by_tag(), "<word>", KEY_OF_MAPPING)
    for found in error.errors(include_url=False):
        if found["type"] == "rules":
            for place, words in found["ctx"]["broken"]:
                yield Problem(document.line(place), place, words)
        else:
            place = tuple(step for step in found["loc"] if step not in tags)
            yield Problem(document.line(place), place, _words(found, document.scalar(place), model))


def left_to_do(document: Document, model: Model) -> Iterator[Problem]:
    """Yield a problem for each value that a draft left open, with what the model says belongs there."""
    for place in _places_of(TODO, document.data, (), set()):
        words = _description(model, place) or "See the comment beside it"
        yield Problem(document.line(place), place, f"to be filled in. {words}".rstrip(". "))


def written(place: Place) -> str:
    """Write a place as people do: `source.kafka.topics[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")


def _words(found: ErrorDetails, as_written: str | None, root: Model) -> str:
    if found["type"] in OF_KEYS:
        return OF_KEYS[found["type"]](found, root)
    return WORDS.get(found["type"], _as_pydantic_says)(found, as_written)


def _unknown_key(found: ErrorDetails, root: Model) -> str:
    key = str(found["loc"][-1])
    allowed = _keys(_model_at(root, found["loc"][:-1]))
    near = nearest(key, allowed)
    return "unknown key; " + (f"did you mean {near}? " if near else "") + f"Allowed: {', '.join(allowed)}"


def _missing(found: ErrorDetails, root: Model) -> str:
    return f"missing. {_description(root, found['loc'])}".rstrip(". ")


def _description(root: Model, place: tuple[int | str, ...]) -> str:
    """What the schema says of a key; empty where the key is none of the file's, but a name of a person's own."""
    fields = _model_at(root, place[:-1]).model_fields.items()
    return next((field.description or "" for name, field in fields if place[-1] in (name, field.alias)), "")


def _places_of(wanted: str, data: Any, place: Place, seen: set[int]) -> Iterator[Place]:
    if data == wanted:
        yield place
    if id(data) in seen or not isinstance(data, dict | list):
        return
    seen.add(id(data))  # what an alias repeats is looked at once
    for step, inner in data.items() if isinstance(data, dict) else enumerate(data):
        yield from _places_of(wanted, inner, (*place, step), seen)


def _keys_needed(found: ErrorDetails, root: Model) -> str:
    empty = "nothing is given; " if found["input"] is None else ""
    names = found["type"] == "dict_type"
    allowed = "names and their types" if names else ", ".join(_keys(_model_at(root, found["loc"])))
    return f"{empty}allowed: {allowed}"


def _text_needed(found: ErrorDetails, as_written: str | None) -> str:
    is_scalar = as_written is not None and found["input"] is not None
    return f'allowed: a text; in quotes it is one: "{as_written}"' if is_scalar else "allowed: a text"


def _choice(found: ErrorDetails, as_written: str | None) -> str:
    return allowed_and_nearest(as_written, re.findall(r"'([^']*)'", found["ctx"]["expected"]))


def _as_pydantic_says(found: ErrorDetails, _: str | None) -> str:
    return found["msg"].removeprefix("Value error, ")


def _pattern(found: ErrorDetails, _: str | None) -> str:
    pattern = found["ctx"]["pattern"]
    return f"allowed: {PATTERNS.get(pattern, f'a text that matches {pattern}')}"


def _plainly(words: str, bound: str = "") -> Callable[[ErrorDetails, str | None], str]:
    """Say these words, and the bound that pydantic knows by this name."""
    return lambda found, _: f"{words} {found['ctx'][bound]:,.10g}" if bound else words


OF_KEYS: Final[dict[str, Callable[[ErrorDetails, Model], str]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "model_type": _keys_needed,
    "dict_type": _keys_needed,
}
WORDS: Final[dict[str, Callable[[ErrorDetails, str | None], str]]] = {
    "string_type": _text_needed,
    "literal_error": _choice,
    "int_type": _plainly("allowed: a whole number"),
    "float_type": _plainly("allowed: a number"),
    "finite_number": _plainly("allowed: a finite number"),
    "tuple_type": _plainly("allowed: a list"),
    "greater_than": _plainly("allowed: more than", "gt"),
    "greater_than_equal": _plainly("allowed: at least", "ge"),
    "less_than_equal": _plainly("allowed: at most", "le"),
    "too_short": _plainly("allowed: number of entries at least", "min_length"),
    "string_too_short": _plainly("allowed: a text, its length at least", "min_length"),
    "string_too_long": _plainly("allowed: a text, its length at most", "max_length"),
    "string_pattern_mismatch": _pattern,
}


def _models_by_tag() -> dict[str, Model]:
    """The models that a choice of shapes names in brackets, which marks them in the place of a problem."""
    return {f"<{model.__name__}>": model for model in Strict.__subclasses__()}


def _keys(model: Model) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(root: Model, place: tuple[int | str, ...]) -> Model:
    """The model that reads the mapping at a place of pydantic's: keys, and the tags of alternatives."""
    model, tagged = root, _models_by_tag()
    for step in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if step in tagged:
            model = tagged[str(step)]
        elif step in fields:
            model = next(_models_in(fields[str(step)].annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[Model]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
