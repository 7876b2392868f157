"""Actuals go where their predictions went: what of `arize` the file of the predictions says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import PydanticCustomError

AIM: Final = ("connection", "model", "type", "environment")
# Of a pipeline's name: these words of its `arize`. It raises ValueError, in words, where there is none of that name.
FindAim = Callable[[str], Mapping[str, Any]]
Broken = tuple[tuple[str, ...], str]


def aimed_as_predictions(given: Mapping[str, Any], find: FindAim | None) -> Mapping[str, Any]:
    """Return the data of a pipeline file with the words of `arize` that are its predictions'.

    Args:
        find: finds them; None: nobody can.

    Raises:
        PydanticCustomError: there are none, or the file has its own.
    """
    named, own = given.get("predictions"), given.get("arize", {})
    if not isinstance(named, str) or not isinstance(own, dict):
        return given
    twice = "is that of the pipeline {}, which `predictions` names: leave it out"
    broken: list[Broken] = [(("arize", word), twice.format(named)) for word in AIM if word in own]
    try:
        found = find(named) if find else {}
    except ValueError as error:
        found, broken = {}, [(("predictions",), str(error))]
    if broken:
        raise PydanticCustomError("rules", "{words}", {"broken": broken, "words": "; ".join(w for _, w in broken)})
    return {**given, "arize": {**found, **own}}
