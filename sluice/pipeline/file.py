"""Reading pipeline files: every problem of a file at once, each with its line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluice.documents.file import parse
from sluice.errors import WrongPipelineFile
from sluice.nearest import nearest
from sluice.pipeline.model import Pipeline

SUFFIX: Final = ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPipeline:
    """A pipeline with the file it was read from.

    Attributes:
        text: the file's bytes, as the store keeps them.
        sha256: of these bytes, in hex.
    """

    pipeline: Pipeline
    text: bytes
    sha256: str
    path: Path


def load_pipeline(path: Path) -> LoadedPipeline:
    """Read a pipeline file.

    Raises:
        WrongPipelineFile: it cannot be read, or is wrong, with every problem; or it is called otherwise than its
            pipeline, which would let a copied file write into the ledger of the first.
    """
    text = _read(path)
    pipeline, document = parse(text, str(path), Pipeline, WrongPipelineFile)
    if pipeline.name != path.stem:
        line = document.line(("name",))
        raise WrongPipelineFile(
            f"{path}:{line}: name: {pipeline.name}, but the file is called {path.name}; allowed: {path.stem}",
            "The name is that of the pipeline's ledger: name the file or the pipeline after the other",
        )
    return LoadedPipeline(pipeline=pipeline, text=text, sha256=hashlib.sha256(text).hexdigest(), path=path)


def parse_pipeline(text: bytes, name: str) -> Pipeline:
    """Read the text of a pipeline file.

    Args:
        name: what the problems are told of: the file's name.

    Raises:
        WrongPipelineFile: the text is wrong, with every problem, one a line: `<name>:<line>: <key>: <words>`.
    """
    return parse(text, name, Pipeline, WrongPipelineFile)[0]


def pipeline_names(directory: Path) -> list[str]:
    """Return the names of the pipelines in a directory, sorted: `flights` for `flights.yaml`."""
    return sorted(path.stem for path in directory.glob(f"*{SUFFIX}"))


def find_pipeline(name_or_path: str, directory: Path) -> Path:
    """Return the path of a pipeline's file.

    Args:
        name_or_path: `flights` for `flights.yaml` in the directory; with a slash or a suffix, the path itself.

    Raises:
        WrongPipelineFile: there is no such file, with the nearest name.
    """
    is_path = "/" in name_or_path or name_or_path.endswith((SUFFIX, ".yml"))
    path = Path(name_or_path) if is_path else directory / f"{name_or_path}{SUFFIX}"
    if not path.is_file():
        raise _no_such(path)
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _no_such(path) from error
    except OSError as error:
        raise WrongPipelineFile(f"{path}: {error.strerror or error}") from error


def _no_such(path: Path) -> WrongPipelineFile:
    names = pipeline_names(path.parent)
    near = nearest(path.stem, names)
    beside = f"In {path.parent}: {', '.join(names)}" if names else f"No pipeline file is in {path.parent}"
    return WrongPipelineFile(f"no pipeline file {path}" + (f"; did you mean {near}?" if near else ""), beside)
