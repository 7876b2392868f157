"""Compare what became of a record with what the oracle holds of it, where that is a matter of JSON and of types.

What a row must be besides (an id that is not empty, a time that is not too old) the rules of validation say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sluice.pipeline import Column, FromRecord, FromValue, Pipeline
from sluice.records import Record
from tests.fuzz.oracle import Leaves, Opinion, opinion

Fate = str  # a row as text, "filtered", "tombstone", or why it was rejected
_OF_DECODING: Final = re.compile(
    r"empty value|not UTF-8|not JSON|not an object|not JSON, or of another type|a number is out of range"
    r"|.*: (?:expected (?:string|int|float|bool|object)|out of range|given twice)"
)
HASHED: Final = re.compile(r"hmac:[0-9a-f]{64}")


class Judge:
    """Knows what one pipeline file makes of a value."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def check(self, record: Record, fate: Fate, row: Mapping[str, Any] | None) -> None:
        """Compare a record's fate with what the oracle holds of it.

        Args:
            row: by column, if there is one.

        Raises:
            AssertionError: they differ, with the record as a note.
        """
        try:
            self._check(record, fate, row)
        except AssertionError as error:
            error.add_note(f"key {record.key!r}, headers {record.headers!r}, value {record.value!r}")
            raise

    def _check(self, record: Record, fate: Fate, row: Mapping[str, Any] | None) -> None:
        if record.value is None:
            assert fate == "tombstone"
        elif self._is_of_the_pipeline(record.value, record, fate):
            types = {path: _type_in_event(column) for path, column in self._mapped.items()}
            held = opinion(record.value, types)
            if held is not None:
                _compare(held, fate, is_taken=row is not None)
                if row is not None and held.leaves is not None:
                    self._compare_values(row, held.leaves)

    def _is_of_the_pipeline(self, value: bytes, record: Record, fate: Fate) -> bool:
        """Check what `when` made of a record; return whether it was, for sure, looked at any further."""
        when = self._pipeline.when
        if when is None:
            return True
        if isinstance(when.field, FromRecord):
            is_ours = _last_header(record, "trace") == b"t"
            assert (fate == "filtered") == (not is_ours)
            return is_ours
        held = opinion(value, {when.field.path: "string"})
        if held is None:
            return False
        if held.leaves is None:
            assert _is_of_decoding(fate) or (fate == "filtered" and held.words is None), f"{fate}, but {held}"
            return False
        is_ours = held.leaves[when.field.path] in when.equals
        assert (fate == "filtered") == (not is_ours) or not held.sure, f"{fate}, but {held}"
        return is_ours

    @property
    def _mapped(self) -> dict[tuple[str, ...], Column]:
        """The columns that come from the value, by path."""
        columns = self._pipeline.columns()
        return {column.origin.path: column for column in columns if isinstance(column.origin, FromValue)}

    def _compare_values(self, row: Mapping[str, Any], leaves: Leaves) -> None:
        for path, column in self._mapped.items():
            expected, got = leaves[path], row[column.name]
            if column.origin in self._pipeline.hash:
                assert HASHED.fullmatch(got)
            elif column.unit == "ms":
                assert got == expected / 1000
            elif column.unit is None:
                assert repr(got) == repr(column.default if expected is None else expected)


def _type_in_event(column: Column) -> str:
    if column.unit is None:
        return column.type
    return "string" if column.unit == "rfc3339" else "float"


def _last_header(record: Record, name: str) -> bytes | None:
    return dict(record.headers).get(name)


def _compare(held: Opinion, fate: Fate, *, is_taken: bool) -> None:
    is_of_value = held.words is not None or held.leaves is None
    if is_taken:
        assert not is_of_value, f"taken, but {held}"
    elif held.words is not None and held.sure:
        assert fate in (held.words, "a number is out of range"), f"{fate}, but {held}"
    elif held.leaves is None:
        assert _is_of_decoding(fate), f"{fate}, but {held}"
    elif held.sure:
        assert not _is_of_decoding(fate), f"{fate}, but {held}"


def _is_of_decoding(fate: Fate) -> bool:
    return _OF_DECODING.fullmatch(fate) is not None
