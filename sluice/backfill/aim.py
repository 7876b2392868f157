"""A pipeline as a backfill runs it: perhaps for another model or version, with so many windows at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sluice.backfill.request import Request
from sluice.errors import WrongUse
from sluice.pipeline import LoadedPipeline


def aimed(loaded: LoadedPipeline, request: Request, *, max_parallel: int) -> LoadedPipeline:
    """Return the pipeline with the model and the version that were asked for.

    Raises:
        WrongUse: they cannot be.
    """
    pipeline = loaded.pipeline
    changed: dict[str, Any] = {"limits": pipeline.limits.model_copy(update={"parallel_windows": max_parallel})}
    if request.model is not None:
        _check("model", request.model)
        changed["arize"] = pipeline.arize.model_copy(update={"model": request.model})
    if request.version is not None:
        _check("version", request.version)
        if pipeline.kind == "actuals":
            raise WrongUse("Actuals are joined whatever the version: there is none to set", "Leave the version out")
        changed["map"] = pipeline.map.model_copy(update={"version": request.version})
    return replace(loaded, pipeline=pipeline.model_copy(update=changed))


def _check(what: str, text: str) -> None:
    if not text.strip() or text.startswith("$"):
        raise WrongUse(f"{text!r} is no {what}", f"Name the {what} itself; it does not begin with $")
