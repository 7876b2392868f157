"""From the bytes of a file to the model that reads it: every problem at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sluice.documents.problems import left_to_do, problems_of, written
from sluice.documents.yaml import Document, Problem, UnreadableYaml, read_yaml
from sluice.errors import SluiceError

Model = TypeVar("Model", bound=BaseModel)


def parse(
    text: bytes, name: str, model: type[Model], wrong: type[SluiceError], context: Any = None
) -> tuple[Model, Document]:
    """Read the text of a file.

    Args:
        name: what the problems are told of: the file's name.
        wrong: the error where the text is wrong, with every problem, one a line: `<name>:<line>: <key>: <words>`.
        context: what the model's validators need beside the text.
    """
    document = _document(text, name, wrong)
    problems = [*document.problems, *left_to_do(document, model)]
    told = {problem.place for problem in problems}
    found: Model | None = None
    try:
        found = model.model_validate(document.data, context=context)
    except ValidationError as error:
        problems += [problem for problem in problems_of(error, document, model) if problem.place not in told]
    if found is None or problems:
        raise wrong(told_of(name, problems))
    return found, document


def told_of(name: str, problems: Iterable[Problem]) -> str:
    """Tell problems of a file, one a line, in the order of its lines."""
    return "\n".join(_line(name, problem) for problem in sorted(problems, key=lambda problem: problem.line))


def _document(text: bytes, name: str, wrong: type[SluiceError]) -> Document:
    try:
        return read_yaml(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise wrong(f"{name}:{line}: not UTF-8: byte {error.start + 1} of the file") from error
    except UnreadableYaml as error:
        raise wrong(told_of(name, [error.problem])) from error


def _line(name: str, problem: Problem) -> str:
    where = f"{name}:{problem.line}" if problem.line else name
    key = f"{written(problem.place)}: " if problem.place else ""
    return f"{where}: {key}{problem.words}"
