"""Reading pipeline files: every problem of a file at once, each with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sluice.documents.file import parse
from sluice.documents.yaml import Document
from sluice.errors import WrongPipelineFile
from sluice.nearest import nearest
from sluice.pipeline.model import Arize, Pipeline
from sluice.pipeline.predictions import AIM, FindAim
from sluice.pipeline.rules import least_ids_days
from sluice.pipeline.values import DAY_S

SUFFIX: Final = ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPipeline:
    """A pipeline with the file it was read from.

    Attributes:
        text: the file's bytes, as the store keeps them.
        sha256: of these bytes, in hex.
        predictions: of actuals, the pipeline of their predictions, if the file names it.
    """

    pipeline: Pipeline
    text: bytes
    sha256: str
    path: Path
    predictions: LoadedPipeline | None = None

    @property
    def waits_for(self) -> Pipeline | None:
        """Of actuals, the pipeline that has to be delivered before them; None: none."""
        waits = self.predictions is not None and self.pipeline.policies.wait_for is not None
        return self.predictions.pipeline if self.predictions is not None and waits else None


def load_pipeline(path: Path) -> LoadedPipeline:
    """Read a pipeline file, and of actuals that of their predictions, which is beside it.

    Raises:
        WrongPipelineFile: it cannot be read, or is wrong, with every problem; or it is called otherwise than its
            pipeline, which would let a copied file write into the ledger of the first.
    """
    found: list[LoadedPipeline] = []

    def find(name: str) -> Mapping[str, Any]:
        if name == path.stem:
            raise ValueError("names the file itself; allowed: the pipeline of the predictions")
        found.append(_predictions(name, path.parent))
        return aim_of(found[-1].pipeline.arize)

    loaded, document = _loaded(path, find)
    if not found:
        return loaded
    _check_hashes(loaded, document, found[0])
    _check_ids(loaded, document, found[0])
    return replace(loaded, predictions=found[0])


def _check_hashes(actuals: LoadedPipeline, document: Document, predictions: LoadedPipeline) -> None:
    """Check that the ids of both sides are hashed, or those of neither: a hash never equals what it is of."""
    other, mine = (_hashes_ids(loaded.pipeline) for loaded in (predictions, actuals))
    if other != mine:
        name = predictions.pipeline.name
        where = f"here, and not in {name}" if mine else f"in {name}, and not here"
        line = document.line(("hash",))
        raise WrongPipelineFile(
            f"{actuals.path}:{line}: hash: the prediction id is hashed {where}: no actual would find its prediction",
            "Hash the id in both files, or in neither",
        )


def _hashes_ids(pipeline: Pipeline) -> bool:
    return pipeline.map.prediction_id in pipeline.hash


def _check_ids(actuals: LoadedPipeline, document: Document, predictions: LoadedPipeline) -> None:
    """Check that predictions are known for as long as their actuals may come, which their own file cannot know."""
    kept_s, window = predictions.pipeline.keep.ids, actuals.pipeline.policies.join_window_days
    least = least_ids_days(actuals.pipeline, of_predictions=True)
    if kept_s is not None and kept_s < least * DAY_S:
        line = document.line(("policies", "join_window_days"))
        kept = f"{predictions.pipeline.name} keeps its ids for {kept_s / DAY_S:g} days"
        raise WrongPipelineFile(
            f"{actuals.path}:{line}: policies.join_window_days: {window}, and {kept}: they could not be matched",
            f"Let keep.ids in {predictions.path.name} be {least}d or more, or leave it out",
        )


def _loaded(path: Path, find: FindAim) -> tuple[LoadedPipeline, Document]:
    text = _read(path)
    pipeline, document = parse(text, str(path), Pipeline, WrongPipelineFile, find)
    if pipeline.name != path.stem:
        line = document.line(("name",))
        raise WrongPipelineFile(
            f"{path}:{line}: name: {pipeline.name}, but the file is called {path.name}; allowed: {path.stem}",
            "The name is that of the pipeline's ledger: name the file or the pipeline after the other",
        )
    loaded = LoadedPipeline(pipeline=pipeline, text=text, sha256=hashlib.sha256(text).hexdigest(), path=path)
    return loaded, document


def parse_pipeline(text: bytes, name: str, aim: Mapping[str, Any] | None = None) -> Pipeline:
    """Read the text of a pipeline file.

    Args:
        name: what the problems are told of: the file's name.
        aim: of actuals, what of `arize` is that of their predictions.

    Raises:
        WrongPipelineFile: the text is wrong, with every problem, one a line: `<name>:<line>: <key>: <words>`.
    """
    return parse(text, name, Pipeline, WrongPipelineFile, lambda _: aim or {})[0]


def aim_of(arize: Arize) -> dict[str, Any]:
    """What of a destination the actuals of a model have from its predictions."""
    return {word: getattr(arize, word) for word in AIM}


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


def _predictions(name: str, directory: Path) -> LoadedPipeline:
    """Load the pipeline that actuals name.

    Raises:
        ValueError: it is none of predictions, or cannot be loaded.
    """
    try:
        loaded, _ = _loaded(find_pipeline(name, directory), _of_actuals)
    except WrongPipelineFile as error:
        words = "; ".join(error.what.splitlines())
        raise ValueError(f"{words}. {error.next_step}" if error.next_step else words) from None
    if loaded.pipeline.kind != "predictions":
        raise ValueError(f"{name} is a pipeline of actuals; allowed: one of predictions")
    return loaded


def _of_actuals(_: str) -> Mapping[str, Any]:
    raise ValueError("this is a pipeline of actuals, and another one takes it for one of predictions")


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
