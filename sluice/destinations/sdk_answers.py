"""What became of a send: accepted, refused (proven not accepted), or unknown.

No free text of the SDK gets into an outcome, for it may quote values: only names of exception classes, error codes,
column names and statuses, and of a 4xx those of Arize's words that `arize_words` knows to be none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sluice.answers import Answer
from sluice.destinations.arize_words import without_values

# Request timeout, too early, too many requests: Arize did not take the rows, and may take them later.
_LATER = (408, 425, 429)


class NotSent(Exception):
    """Why nothing was sent: a reason free of values.

    retry: whether the same send may be accepted later.
    """

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.retry = retry


def refused(reason: str, status: int | None = None, *, retry: bool = False) -> Answer:
    return Answer(kind="refused", status=status, reason=reason, retry=retry)


def unknown(reason: str, status: int | None = None) -> Answer:
    return Answer(kind="unknown", status=status, reason=reason)


def answer_of(error: Exception, *, begun: bool, columns: Sequence[str] = ()) -> Answer:
    """Translate what the SDK's call, or what comes before it, raised.

    Args:
        begun: whether a byte of the rows was handed to the socket. If none was, the exception's kind does not matter.
        columns: the names that may be told.
    """
    if isinstance(status := getattr(error, "status_code", None), int):
        return _answer_of_status(status, str(getattr(error, "message", "")), columns)
    if begun:
        return unknown(f"no answer after the rows began to go out ({class_names(error)})")
    if isinstance(error, NotSent):
        return refused(str(error), retry=error.retry)
    if isinstance(problems := getattr(error, "errors", None), list):
        told = dict.fromkeys(_problem(problem, columns) for problem in problems)
        return refused(f"the SDK refused the rows: {'; '.join(told)}")
    return refused(f"nothing was sent ({class_names(error)})", retry=_may_pass(error))


def class_names(error: BaseException) -> str:
    """Name the classes of an error and of what it wraps: `ConnectTimeout, MaxRetryError, ConnectTimeoutError`."""
    return ", ".join(dict.fromkeys(type(link).__name__ for link in _chain(error)))


def _answer_of_status(status: int, message: str, columns: Sequence[str]) -> Answer:
    if status >= 500 or status == 303:  # "see other" may follow a POST that was carried out
        return unknown(f"HTTP {status}", status)
    words = without_values(message, columns) if status >= 400 else "a redirect, which is not followed"
    return refused(f"HTTP {status}: {words}" if words else f"HTTP {status}", status, retry=status in _LATER)


def _problem(problem: object, columns: Sequence[str]) -> str:
    """Give the SDK's code, and of all that its error holds only what is the name of a column."""
    code = repr(problem) if re.fullmatch(r"\w{1,80}", repr(problem)) else type(problem).__name__
    held = getattr(problem, "__dict__", {}).values()
    told = {item for value in held for item in (value if isinstance(value, list | tuple | set) else [value])}
    named = [name for name in columns if name in told]
    return f"{code} ({', '.join(named)})" if named else code


def _may_pass(error: Exception) -> bool:
    import requests  # the parent imports this module and never needs it

    if isinstance(error, requests.RequestException):
        return isinstance(error, requests.ConnectionError | requests.Timeout)
    return isinstance(error, OSError | MemoryError)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        wrapped = (getattr(error, "reason", None), *error.args, error.__cause__)
        error = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)
