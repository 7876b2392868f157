"""A pipeline: one reviewed file of YAML, as values; the file's notation, and every problem of it with its line."""

from sluice.pipeline.columns import FEATURE, TAG, Column
from sluice.pipeline.file import LoadedPipeline, find_pipeline, load_pipeline, parse_pipeline, pipeline_names
from sluice.pipeline.map import Map
from sluice.pipeline.model import Keep, Limits, Pipeline, WantedCoverage
from sluice.pipeline.places import ColumnType, Constant, FromRecord, FromValue, TimeUnit
from sluice.pipeline.when import When

__all__ = [
    "FEATURE",
    "TAG",
    "Column",
    "ColumnType",
    "Constant",
    "FromRecord",
    "FromValue",
    "Keep",
    "Limits",
    "LoadedPipeline",
    "Map",
    "Pipeline",
    "TimeUnit",
    "WantedCoverage",
    "When",
    "find_pipeline",
    "load_pipeline",
    "parse_pipeline",
    "pipeline_names",
]
