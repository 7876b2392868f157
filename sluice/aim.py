"""A pipeline whose rows go elsewhere than its file says: to another model or version, or by another path."""

from __future__ import annotations

from typing import Any, Literal

from sluice.errors import WrongUse
from sluice.pipeline import Pipeline


def aimed_at(
    pipeline: Pipeline,
    *,
    model: str | None = None,
    version: str | None = None,
    path: Literal["sdk", "object_store"] | None = None,
) -> Pipeline:
    """Return the pipeline with what is given changed.

    Raises:
        WrongUse: it cannot be.
    """
    changed: dict[str, Any] = {}
    if model is not None:
        _check_name("model", model)
        changed["model"] = model
    if path is not None:
        changed["path"] = path
    found = pipeline.model_copy(update={"arize": pipeline.arize.model_copy(update=changed)})
    if version is None:
        return found
    check_version(pipeline, version)
    return found.model_copy(update={"map": found.map.model_copy(update={"version": version})})


def check_version(pipeline: Pipeline, version: str) -> None:
    """Check that all rows of a pipeline can have this version.

    Raises:
        WrongUse: they cannot.
    """
    _check_name("version", version)
    if pipeline.kind == "actuals":
        raise WrongUse("Actuals are joined whatever the version: there is none to set", "Leave the version out")


def _check_name(what: str, text: str) -> None:
    if not text.strip() or text.startswith("$"):
        raise WrongUse(f"{text!r} is no {what}", f"Name the {what} itself; it does not begin with $")
