"""The values of a pipeline file that have a notation of their own: `128 MiB`, `10%`, `100_000`, points in time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

UNITS: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
MAX_SIZE: Final = 10**9  # Arize imports no file of 1 GB or more
SIZE: Final = r"^([0-9][0-9_]*(?:\.[0-9]+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)$"
SHARE: Final = r"^([0-9]+(?:\.[0-9]+)?) ?%$"
DAYS: Final = r"^([1-9][0-9]{0,4})d$"
DAY_S: Final = 86_400
STARTS: Final = ("earliest", "latest", "group")
PARTITIONS_SCHEMA: Final = {
    "anyOf": [
        {"const": "all"},
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
            "minItems": 1,
            "uniqueItems": True,
        },
    ]
}
# YAML 1.2, which editors read, takes 100_000 for text; the file's reader takes it for a number.
UNDERSCORED: Final = {"type": "string", "pattern": "^[0-9][0-9_]*$"}


def parse_size(given: Any) -> int:
    """Read `128 MiB`, `1 GB` or a number of bytes.

    Raises:
        ValueError: anything else, with what is allowed.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    match = re.fullmatch(SIZE, given) if isinstance(given, str) else None
    if match is None:
        raise ValueError(f"allowed: a number of bytes, or a number and one of {', '.join(UNITS)} (128 MiB)")
    return int(float(match[1].replace("_", "")) * UNITS[match[2]])


def parse_days(given: Any) -> float:
    """Read `90d` as seconds.

    Raises:
        ValueError: anything else, with what is allowed.
    """
    match = re.fullmatch(DAYS, given) if isinstance(given, str) else None
    if match is None:
        raise ValueError("allowed: a number of days (90d), at least one")
    return float(match[1]) * DAY_S


def parse_share(given: Any) -> float:
    """Read `10%` or `0.1`.

    Raises:
        ValueError: anything else, or more than all.
    """
    match = re.fullmatch(SHARE, given) if isinstance(given, str) else None
    if match:
        share = float(match[1]) / 100
    elif isinstance(given, int | float) and not isinstance(given, bool):
        share = float(given)
    else:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("allowed: 0% to 100%, or a number from 0 to 1")
    return share


def parse_start(given: Any) -> str | datetime:
    """Read `earliest`, `latest`, `group`, or a point in time with its zone.

    Raises:
        ValueError: anything else; a time without a zone is another instant on each machine.
    """
    if given in STARTS:
        return str(given)
    time = _time(given)
    if time is None:
        raise ValueError(f"allowed: {', '.join(STARTS)}, or a point in time with its zone (2026-01-31T00:00:00Z)")
    if time.tzinfo is None:
        raise ValueError(f"{given} has no time zone: write {time.isoformat()}Z for UTC, or the zone's offset")
    return time


def parse_partitions(given: Any) -> Any:
    """Read `all`, or a list of the numbers of partitions.

    Raises:
        ValueError: anything else, or a number twice.
    """
    if given == "all":
        return given
    if not isinstance(given, list | tuple) or not given or not all(_is_partition(number) for number in given):
        raise ValueError("allowed: all, or a list of partition numbers ([0, 1])")
    return check_distinct(tuple(given))


def check_topic(topic: str) -> str:
    """Return the topic.

    Raises:
        ValueError: Kafka takes no such topic.
    """
    if topic in (".", ".."):
        raise ValueError(f"{topic} is no topic")
    return topic


def check_distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values.

    Raises:
        ValueError: one is there twice.
    """
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"each once; more than once: {', '.join(map(str, twice))}")
    return values


def _is_partition(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31


def _time(given: Any) -> datetime | None:
    if isinstance(given, datetime):
        return given
    try:
        return datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return None


Size = Annotated[
    int,
    Field(ge=1, le=MAX_SIZE),
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE},
                {"type": "string", "pattern": SIZE},
                UNDERSCORED,
            ]
        }
    ),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": SHARE}]}),
]
Days = Annotated[float, PlainValidator(parse_days), WithJsonSchema({"type": "string", "pattern": DAYS})]
