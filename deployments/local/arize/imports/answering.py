"""Answer ``POST /graphql``: the key, the document, a fault or none, the limits, the operation. In that order.

The status is 200 whatever GraphQL itself has to say, as such servers answer; 400 is for what is no request of GraphQL's
at all. No document says how Arize refuses a key or tells of a limit: 401, and 429 with Retry-After, are assumed, and so
are all bodies but GraphQL's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_operation_ast,
    get_variable_values,
    parse,
    validate,
    value_from_ast_untyped,
)

from deployments.local.arize.exchange import Exchange
from deployments.local.arize.faults import Script
from deployments.local.arize.imports.complexity import LIMIT, cost
from deployments.local.arize.imports.faults import GraphqlFault
from deployments.local.arize.imports.limits import RateLimit
from deployments.local.arize.imports.resolvers import Resolvers
from deployments.local.arize.imports.settings import ImportSettings

SCHEMA = build_schema(Path(__file__).with_name("schema.graphql").read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. operations are the names by which a fault may choose it."""

    document: DocumentNode | None
    operation: OperationDefinitionNode | None
    variables: Mapping[str, Any]
    name: str | None
    errors: list[GraphQLError]
    operations: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        return self.operation.operation.value if self.operation else "query"


class GraphqlServer:
    """Answers requests; which settings hold is asked each time."""

    def __init__(
        self,
        resolvers: Resolvers,
        script: Script[GraphqlFault],
        *,
        developer_key: str,
        settings: Callable[[], ImportSettings],
        clock: Callable[[], float],
    ) -> None:
        self._resolvers = resolvers
        self._script = script
        self._key = developer_key
        self._settings = settings
        self._limit = RateLimit(clock)

    def answer(self, exchange: Exchange, sent: bytes) -> None:
        if exchange.headers.get("x-api-key") != self._key:
            _refuse(exchange, 401, "invalid or missing x-api-key")
            return
        try:
            request = read_request(sent)
        except ValueError as exc:
            _refuse(exchange, 400, str(exc))
            return
        fault, released = self._script.pick(lambda fault: fault.matches(request.operations))
        match fault:
            case None:
                self._carry_out(request, exchange)
            case GraphqlFault(kind="slow"):
                late = self._result(request)
                exchange.wait(released, at_most_s=fault.seconds)
                exchange.answer_json(late)
            case _:
                result = self._result(request) if fault.carried_out else None
                if fault.kind == "hang":
                    exchange.wait(released)
                _fail(exchange, fault, result)

    def _carry_out(self, request: Request, exchange: Exchange) -> None:
        settings = self._settings()
        limits = {"query": settings.queries_per_minute, "mutation": settings.mutations_per_minute}
        wait_s = self._limit.wait_s(self._key, request.kind, limits.get(request.kind, 0))
        if wait_s:
            words = f"over the limit of {limits[request.kind]} {request.kind} operations a minute"
            _refuse(exchange, 429, words, retry_after_s=math.ceil(wait_s))
            return
        exchange.answer_json(self._result(request))

    def _result(self, request: Request) -> dict[str, Any]:
        if request.errors or request.document is None or request.operation is None:
            return {"errors": [error.formatted for error in request.errors]}
        values = get_variable_values(SCHEMA, request.operation.variable_definitions or (), dict(request.variables))
        if isinstance(values, list):
            return {"errors": [error.formatted for error in values]}
        if (points := cost(request.document, request.operation, values.coerced)) > LIMIT:
            return {"errors": [{"message": f"the complexity is {points}, and the limit {LIMIT}"}]}
        result = execute_sync(
            SCHEMA,
            request.document,
            root_value=self._resolvers,
            variable_values=dict(request.variables),
            operation_name=request.name,
        )
        return dict(ExecutionResult(result.data, result.errors).formatted)


def read_request(sent: bytes) -> Request:
    """Parse and validate what was posted; what is wrong with the document is among its errors.

    Raises:
        ValueError: it is no request at all.
    """
    told = json.loads(sent)
    if not isinstance(told, dict) or not isinstance(told.get("query"), str):
        raise ValueError("the body must be JSON with a query")
    name, variables = told.get("operationName"), told.get("variables")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict) or not isinstance(name, str | None):
        raise ValueError("variables must be an object, and operationName a string")
    try:
        document = parse(told["query"])
    except GraphQLError as exc:
        return Request(document=None, operation=None, variables=variables, name=name, errors=[exc])
    operation = get_operation_ast(document, name)
    errors = validate(SCHEMA, document)
    if operation is None and not errors:
        errors = [GraphQLError("which operation? give operationName")]
    names = _names(operation, variables) if operation else set[str]()
    return Request(
        document=document, operation=operation, variables=variables, name=name, errors=errors, operations=names
    )


def _names(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> set[str]:
    names = {operation.operation.value}
    for node in operation.selection_set.selections:
        if isinstance(node, FieldNode):
            arguments = {
                item.name.value: value_from_ast_untyped(item.value, dict(variables)) for item in node.arguments or ()
            }
            told = arguments.get("input")
            is_dry = isinstance(told, dict) and bool(told.get("dryRun"))
            names.add("dryRun" if is_dry else node.name.value)
    return names


def _fail(exchange: Exchange, fault: GraphqlFault, result: dict[str, Any] | None) -> None:
    if fault.kind == "status":
        _refuse(exchange, fault.status, fault.message, retry_after_s=fault.retry_after_s)
    elif fault.kind == "error":
        extensions = {"extensions": {"code": fault.code}} if fault.code else {}
        exchange.answer_json({"data": None, "errors": [{"message": fault.message, **extensions}]})
    elif fault.kind == "hang" and result is not None:
        exchange.answer_json(result)
    else:
        exchange.leave()


def _refuse(exchange: Exchange, status: int, message: str, *, retry_after_s: float | None = None) -> None:
    body = json.dumps({"errors": [{"message": message}]})
    exchange.answer(status, body, kind="application/json", retry_after_s=retry_after_s)
