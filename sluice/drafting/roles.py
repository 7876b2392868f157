"""Which field is the id, which the time, which the version of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sluice.drafting.fields import Field
from sluice.drafting.looks import looks_like
from sluice.drafting.names import path_words, vocabulary, words
from sluice.drafting.outcome import Kind
from sluice.validation import MAX_ID_LENGTH

IDS: Final = ("prediction_id", "predictionId", "id")
_ID: Final = vocabulary("id uuid guid")
_TIME: Final = vocabulary("time timestamp ts at date datetime when epoch millis ms created occurred")
_TIMES: Final = ("timestamp", "ts", "time", "at", "event_time", "eventTime", "event_timestamp", "occurred_at")
_TIME_OF: Final[dict[Kind, frozenset[str]]] = {
    "predictions": vocabulary("scored predicted prediction scoring inference"),
    "actuals": vocabulary("actual observed labeled labelled outcome resolved"),
}
_NOT_THE_MODELS: Final = vocabulary("schema api app event format sdk client protocol")


def best_id(fields: Iterable[Field]) -> Field | None:
    """Return the text that tells events apart and is called an id."""
    return _best(fields, _is_id, _id_rank)


def best_time(fields: Iterable[Field], kind: Kind) -> Field | None:
    """Return the time of the prediction, or of what came true."""
    return _best(fields, is_time, lambda field: _time_rank(kind, field))


def unread_time(fields: Iterable[Field], kind: Kind) -> Field | None:
    """Return the text that would be the time, if it said of which zone it is, or were a number."""
    return _best(fields, lambda field: field.is_dated and _is_called_time(field), lambda field: _time_rank(kind, field))


def best_version(fields: Iterable[Field]) -> Field | None:
    """Return the text that is the model's version."""
    return _best(fields, _is_version, _version_rank)


def is_time(field: Field) -> bool:
    """Whether a field holds times: of numbers, only one that is called so."""
    return field.unit == "rfc3339" or (field.unit is not None and _is_called_time(field))


def _is_called_time(field: Field) -> bool:
    return bool(_TIME.intersection(words(field.path[-1])))


def is_called_id(field: Field) -> bool:
    return bool(_ID.intersection(words(field.path[-1])[-1:]))


def are_ids(keys: Sequence[bytes | None]) -> bool:
    """Whether the keys of records would do as ids: all there, text, no two alike, and nobody's address."""
    texts = {text for key in keys if key and len(key) <= MAX_ID_LENGTH and (text := _text(key))}
    return len(keys) > 1 and len(texts) == len(keys) and looks_like([*texts]) is None


def _best(
    fields: Iterable[Field], is_one: Callable[[Field], bool], rank: Callable[[Field], tuple[int, ...]]
) -> Field | None:
    found = [field for field in fields if field.is_common and is_one(field)]
    return min(found, key=lambda field: (not field.is_usual, *rank(field), len(field.path)), default=None)


def _is_id(field: Field) -> bool:
    is_told_apart = field.distinct * 2 > field.values
    return field.type == "string" and is_called_id(field) and is_told_apart and field.longest <= MAX_ID_LENGTH


def _id_rank(field: Field) -> tuple[int, ...]:
    is_unique = field.distinct == field.types["string"]
    return (not is_unique, _place(field.path[-1], IDS))


def _time_rank(kind: Kind, field: Field) -> tuple[int, ...]:
    return (not _TIME_OF[kind].intersection(path_words(field.path)), _place(field.path[-1], _TIMES))


def _is_version(field: Field) -> bool:
    last = words(field.path[-1])
    return field.type == "string" and "version" in last and not _NOT_THE_MODELS.intersection(path_words(field.path))


def _version_rank(field: Field) -> tuple[int, ...]:
    return ("model" not in path_words(field.path),)


def _place(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)


def _text(key: bytes) -> str:
    """Return the key as text; empty where it is none, or somebody's address."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() and "@" not in text else ""
