"""Arize's GraphQL, asked within its limits. It has no document of its own: they stand in `documents/`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from typing import Any, Final

import httpx
from pydantic import SecretStr

from sluice.clock import Clock, SystemClock
from sluice.destinations.arize_words import without_values
from sluice.errors import DestinationRefused, DestinationUnavailable
from sluice.importing.jobs import Refused, Unanswered
from sluice.settings import ArizeConnection

APP_URL: Final = "https://app.arize.com"
QUERIES_A_MINUTE: Final = 100
MUTATIONS_A_MINUTE: Final = 300
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 5
_LONGEST_PAUSE_S: Final = 60.0
_MINUTE_S: Final = 60.0
_NOT_HEARD: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LATER: Final = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS)


class NotFound(Exception):
    """There is nothing of the id that was asked for."""


class Graphql:
    """A client of one Arize space; one for each run.

    Args:
        url: of the endpoint.
        key: a developer key, which is another one than the key of the SDK.
        told: names that may stand in an error: of columns, the model, the bucket.
    """

    def __init__(
        self,
        url: str,
        key: SecretStr,
        clock: Clock,
        *,
        told: frozenset[str] = frozenset(),
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._url = url
        self._clock = clock
        self._words = told
        self._queries = Limiter(QUERIES_A_MINUTE, clock)
        self._mutations = Limiter(MUTATIONS_A_MINUTE, clock)
        headers = {"x-api-key": key.get_secret_value()}
        self._client = httpx.Client(headers=headers, timeout=timeout_s, follow_redirects=False)

    def __repr__(self) -> str:
        return f"Graphql({self._url!r})"

    def close(self) -> None:
        self._client.close()

    def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask, and again where that may help, for a query changes nothing.

        Raises:
            DestinationUnavailable: there is no answer.
            DestinationRefused: the key is not taken, or the question is refused.
            NotFound: there is nothing of that id.
        """
        return self._told(self._heard(document, variables, self._queries, is_repeatable=True))

    def mutate(self, document: str, **variables: Any) -> dict[str, Any]:
        """Change something, once. It is said again only where the first was surely not heard.

        Raises:
            Unanswered: it may have been carried out.
            DestinationUnavailable, DestinationRefused, Refused: it was not.
        """
        return self._data(self._heard(document, variables, self._mutations, is_repeatable=False))

    def _heard(
        self, document: str, variables: dict[str, Any], limiter: Limiter, *, is_repeatable: bool
    ) -> httpx.Response:
        """Say it until it is heard. What is not repeatable is said again only if it surely was not heard before."""
        why, pause_s = "", 0.0
        for attempt in range(_TRIES):
            self._clock.wait(pause_s)
            limiter.wait()
            pause_s = 2.0**attempt
            try:
                answer = self._post(document, variables)
            except httpx.TransportError as error:
                why = type(error).__name__
                if not is_repeatable and not isinstance(error, _NOT_HEARD):
                    raise Unanswered(why) from None
                continue
            if answer.is_server_error and not is_repeatable:
                raise Unanswered(f"HTTP {answer.status_code}")
            if not _may_pass(answer):
                return answer
            why, pause_s = f"HTTP {answer.status_code}", _pause_of(answer, pause_s)
        raise DestinationUnavailable(f"Arize's GraphQL does not answer at {self._url} ({why})", "The next run goes on")

    def _told(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            return self._data(answer)
        except Refused as no:
            if "not found" in no.words.lower():
                raise NotFound(no.words) from None
            raise DestinationRefused(
                f"Arize's GraphQL refuses a question: {no.words}", "Is the developer key one of this space?"
            ) from None

    def _post(self, document: str, variables: dict[str, Any]) -> httpx.Response:
        return self._client.post(self._url, json={"query": _document(document), "variables": variables})

    def _data(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise DestinationRefused(
                f"Arize refuses the developer key (HTTP {answer.status_code})",
                "Fix ARIZE_DEVELOPER_KEY; it is another key than ARIZE_API_KEY",
            )
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict) or not (found.get("errors") or isinstance(found.get("data"), dict)):
            raise DestinationRefused(
                f"{self._url} does not answer as Arize's GraphQL does (HTTP {answer.status_code})", "Fix ARIZE_APP_URL"
            )
        if found.get("errors"):
            words = (str(error.get("message", "")) for error in found["errors"] if isinstance(error, dict))
            raise Refused(
                "; ".join(dict.fromkeys(without_values(text, self._words) for text in words)) or "no reason given"
            )
        data: dict[str, Any] = found["data"]
        return data


@contextmanager
def opened_graphql(arize: ArizeConnection, told: frozenset[str]) -> Iterator[Graphql]:
    """A client by the developer key of a connection, which has one."""
    key = arize.developer_key or SecretStr("")
    with closing(Graphql(f"{arize.app_url or APP_URL}/graphql", key, SystemClock(), told=told)) as graphql:
        yield graphql


class Limiter:
    """Lets so many pass in any minute; whoever comes too early waits."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._passed: deque[float] = deque(maxlen=most)
        self._clock = clock

    def wait(self) -> None:
        if len(self._passed) == self._passed.maxlen:
            self._clock.wait(max(self._passed[0] + _MINUTE_S - self._clock.elapsed_s(), 0.0))
        self._passed.append(self._clock.elapsed_s())


def next_page(page: dict[str, Any]) -> str | None:
    """The cursor behind which the next page of a listing begins; None on the last one."""
    info = page.get("pageInfo") or {}
    return info.get("endCursor") if info.get("hasNextPage") else None


def _document(name: str) -> str:
    return files(__package__).joinpath("documents", f"{name}.graphql").read_text(encoding="utf-8")


def _may_pass(answer: httpx.Response) -> bool:
    return answer.is_server_error or answer.status_code in _LATER


def _pause_of(answer: httpx.Response, otherwise_s: float) -> float:
    """How long to wait: what the server says in seconds, within reason."""
    said = answer.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_PAUSE_S) if re.fullmatch(r"\d{1,9}(\.\d+)?", said) else otherwise_s
