"""A pipeline as a backfill runs it: perhaps for another model or version, with so many windows at once."""

from __future__ import annotations

from dataclasses import replace

from sluice.aim import aimed_at
from sluice.backfill.request import Request
from sluice.pipeline import LoadedPipeline


def aimed(loaded: LoadedPipeline, request: Request, *, max_parallel: int) -> LoadedPipeline:
    """Return the pipeline with the model and the version that were asked for.

    Raises:
        WrongUse: they cannot be.
    """
    pipeline = aimed_at(loaded.pipeline, model=request.model, version=request.version)
    limits = pipeline.limits.model_copy(update={"parallel_windows": max_parallel})
    return replace(loaded, pipeline=pipeline.model_copy(update={"limits": limits}))
