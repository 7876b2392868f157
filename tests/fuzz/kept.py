"""What is kept raw of a record: all of it, or all but what the pipeline file drops and hashes, found in another way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.pipeline import Pipeline
from sluice.records import Record
from tests.fuzz.judge import HASHED
from tests.fuzz.oracle import opinion


def check_kept(pipeline: Pipeline, row: Mapping[str, Any], record: Record) -> None:
    """Compare a row of a rejected or held file with its record.

    Raises:
        AssertionError: something is kept that may not be, or is not that should.
    """
    assert row["timestamp_ms"] == record.timestamp_ms
    kept = row["key"], row["value"], tuple((item["name"], item["value"]) for item in row["headers"])
    if pipeline.rejected.keep == "offsets":
        assert kept == (None, None, ())
    elif not pipeline.drop:
        assert kept == (record.key, record.value, record.headers)
    else:
        _check_private(kept, record)


def _check_private(kept: tuple[bytes | None, bytes | None, Any], record: Record) -> None:
    key, value, headers = kept
    assert (key is None) == (record.key is None)
    assert key is None or HASHED.fullmatch(key.decode())
    assert headers == tuple(pair for pair in record.headers if pair[0] != "secret")
    if record.value is None or value is None:
        assert record.value is value is None
    elif not value:
        held = opinion(record.value, {})
        assert held is None or held.words is not None or not held.sure, f"not kept: {record.value!r}"
    else:
        found, before = list(_leaves(_parsed(value), ())), _leaves(_parsed(record.value), ())
        assert {item for path, item in found if path == ("who", "mail")} <= {None}
        assert all(item is None or HASHED.fullmatch(str(item)) for path, item in found if path == ("id",))
        replaced = Counter({("who", "mail"): 9, ("id",): 9})  # each by one leaf, whatever it held
        assert Counter(path for path, _ in found) <= Counter(path for path, _ in before) + replaced


def _parsed(value: bytes) -> Any:
    return json.loads(value, object_pairs_hook=_Pairs, parse_int=str)


class _Pairs(list[Any]):
    """An object as its pairs."""


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every leaf; lists are passed through as if they were not there."""
    if isinstance(node, _Pairs):
        for key, value in node:
            yield from _leaves(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, path)
    else:
        yield path, node
