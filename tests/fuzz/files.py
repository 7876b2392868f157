"""A window in a file: what the coverage-guided fuzzer tries, what it found, and what is tried again in each test run.

The values stand one behind the other with the byte 1E between them (the separator of JSON text sequences). The first
may be the name of one of the pipelines (`pipelines.PIPELINES`); without it the window is `plain`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Final

from sluice.records import Record
from tests.fuzz.pipelines import PIPELINES
from tests.fuzz.proof import Proof
from tests.fuzz.values import good_record, value

SEPARATOR: Final = b"\x1e"
KEPT: Final = Path(__file__).parent / "corpus"
_MOST_BYTES: Final = 2_000


def window_of(data: bytes) -> tuple[str, list[bytes]]:
    """Return the name of the pipeline and the values of its window."""
    first, *rest = data.split(SEPARATOR)
    name = first.decode("latin-1")
    return (name, rest) if name in PIPELINES else ("plain", [first, *rest])


def prove(data: bytes, proofs: dict[str, Proof]) -> None:
    """Take the values as one window, a good record around each.

    Raises:
        AssertionError: a record has another fate than it must.
    """
    name, values = window_of(data)
    proofs[name].mapped(list(_among_good(values)))


def starts(number: int) -> Iterator[bytes]:
    """Yield small windows to start from, the same ones each time."""
    random = Random(0)
    while number:
        window = SEPARATOR.join([random.choice([*PIPELINES]).encode(), *(value(random) for _ in range(3))])
        if len(window) <= _MOST_BYTES:
            yield window
            number -= 1


def _among_good(values: Iterable[bytes]) -> Iterator[Record]:
    yield good_record()
    for found in values:
        yield good_record(value=found)
        yield good_record()
