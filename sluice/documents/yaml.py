"""YAML as data with line numbers: nothing is constructed, and what two YAML readers take differently is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Place = tuple[str | int, ...]

NULLS: Final = ("", "~", "null", "Null", "NULL")
BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INT: Final = re.compile(r"[-+]?(0|[1-9][0-9_]{0,99})|0x[0-9a-fA-F]{1,99}")
FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
# YAML 1.1 and 1.2 read these differently: words for true and false, base 60, octal and binary numbers.
AMBIGUOUS: Final = re.compile(
    r"(?i:yes|no|on|off|y|n)|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[0-9_]+|[-+]?0o[0-7_]+|[-+]?0b[01_]+"
)
PLAIN_TAGS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place: the keys that lead to it, outermost first, and its line, from 1; 0: of no line."""

    line: int
    place: Place
    words: str


class UnreadableYaml(Exception):
    """The text is no YAML document; the only argument is the `Problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(slots=True)
class Document:
    """A YAML document: its data, and where each part of it stands.

    Attributes:
        data: mappings, lists, texts, numbers, true, false and None; the keys of mappings are texts.
        problems: duplicate keys, ambiguous scalars and the like; the data is complete in spite of them.
    """

    root: yaml.Node
    data: Any = None
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of the key, or of the nearest one above it."""
        return self._find(place)[0]

    def scalar(self, place: Place) -> str | None:
        """The text of a scalar as it is written; None where there is none."""
        node = self._find(place)[1]
        return node.value if isinstance(node, yaml.ScalarNode) else None

    def _find(self, place: Place) -> tuple[int, yaml.Node | None]:
        node: yaml.Node | None = self.root
        line = self.root.start_mark.line + 1
        for step in place:
            found = _child(node, step)
            if found is None:
                return line, None
            line, node = found
        return line, node


def read_yaml(text: str) -> Document:
    """Read one YAML document.

    Raises:
        UnreadableYaml: the syntax is wrong, or there is more than one document, or none.
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise UnreadableYaml(_syntax(error)) from error
    except yaml.reader.ReaderError as error:
        words = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise UnreadableYaml(Problem(text.count("\n", 0, error.position) + 1, (), words)) from error
    except RecursionError as error:
        raise UnreadableYaml(Problem(0, (), "nested too deeply")) from error
    if root is None:
        raise UnreadableYaml(Problem(1, (), "the file is empty"))
    document = Document(root)
    document.data = _Conversion(document.problems).convert(root, ())
    return document


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    words = ", ".join(part for part in (error.context, error.problem) if part)
    if mark is None:
        return Problem(0, (), f"not YAML: {words}")
    return Problem(mark.line + 1, (), f"not YAML: {words}, column {mark.column + 1}")


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark.line + 1, item
    return None


class _Conversion:
    """Nodes to data. An alias is the same node again: it is converted once, and may not hold itself."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def convert(self, node: yaml.Node, place: Place) -> Any:
        if id(node) in self._open:
            self._report(node, place, "an alias may not hold itself")
            return None
        if id(node) not in self._done:
            self._open.add(id(node))
            self._done[id(node)] = self._data(node, place)
            self._open.remove(id(node))
        return self._done[id(node)]

    def _data(self, node: yaml.Node, place: Place) -> Any:
        if node.tag not in PLAIN_TAGS:
            self._report(node, place, f"tags are not read: leave {node.tag} out")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*place, number)) for number, item in enumerate(node.value)]
        raise TypeError(f"no such node: {type(node)}")

    def _mapping(self, node: yaml.MappingNode, place: Place) -> Mapping[str, Any]:
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._report(key, place, "a key must be a text")
            elif key.value in data:
                words = f"{key.value} is there twice: lines {lines[key.value]} and {key.start_mark.line + 1}"
                self._report(key, place, words)
            else:
                lines[key.value] = key.start_mark.line + 1
                data[key.value] = self.convert(value, (*place, key.value))
        return data

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        text: str = node.value
        if node.style is not None:
            return text
        if AMBIGUOUS.fullmatch(text):
            self._report(node, place, f'YAML readers take {text} differently: write "{text}", {_plainer(text)}')
            return text
        return _plain(text)

    def _report(self, node: yaml.Node, place: Place, words: str) -> None:
        self._problems.append(Problem(node.start_mark.line + 1, place, words))


def _plainer(text: str) -> str:
    return "or true or false" if text.isalpha() else "or a decimal number"


def _plain(text: str) -> Any:
    if text in NULLS:
        return None
    if text in BOOLS:
        return BOOLS[text]
    if INT.fullmatch(text):
        return int(text.replace("_", ""), 0)
    if FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=[in])", "", text.replace("_", "").lower()))
    return text
