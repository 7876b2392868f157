"""Whether a pipeline file can be run, as far as the file alone tells."""

from __future__ import annotations

from sluice.decoding.projection import Projection
from sluice.pipeline import LoadedPipeline, find_pipeline, load_pipeline
from sluice.settings import Settings


def pipeline_called(name_or_path: str, settings: Settings) -> LoadedPipeline:
    """Load a pipeline by its name, or by the path of its file.

    Raises:
        WrongPipelineFile: there is none, or it is wrong.
    """
    loaded = load_pipeline(find_pipeline(name_or_path, settings.pipelines))
    Projection.of(loaded.pipeline.columns())
    return loaded
