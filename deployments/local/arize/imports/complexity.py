"""What a document costs, as Arize's page on resource limitations counts it.

Each node and each field costs 1; below a connection that is asked for `first` nodes, each field of an edge costs as
many. Fields that are not below ``edges`` are asked for once. A document over the limit is refused before it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

LIMIT = 1_000


def cost(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
    """Count a valid document's cost with these variables."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    return sum(_cost(node, fragments, variables, 1) for node in _fields(operation.selection_set, fragments))


def _cost(
    node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any], times: int
) -> int:
    below = list(_fields(node.selection_set, fragments))
    first = _first(node, variables)
    if first is None:
        return times + sum(_cost(child, fragments, variables, times) for child in below)
    counted = ((child, times * first if child.name.value == "edges" else times) for child in below)
    return sum(_cost(child, fragments, variables, many) for child, many in counted)


def _first(node: FieldNode, variables: Mapping[str, Any]) -> int | None:
    for argument in node.arguments or ():
        if argument.name.value == "first":
            value = argument.value
            if isinstance(value, IntValueNode):
                return int(value.value)
            return variables.get(value.name.value) if isinstance(value, VariableNode) else None
    return None


def _fields(selected: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    for node in selected.selections if selected else ():
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(fragments[node.name.value].selection_set, fragments)
        else:
            yield from _fields(getattr(node, "selection_set", None), fragments)
