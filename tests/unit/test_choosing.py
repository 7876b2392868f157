"""`when`: which records are the pipeline's; the others are counted as filtered, and no error of theirs is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.choosing import choose
from sluice.errors import WrongPipelineFile
from sluice.offsets import Balance, OffsetRange, Partition
from sluice.pipeline import Pipeline, When, parse_pipeline
from sluice.records import Headers, ReadRange, Record, RecordList
from sluice.windows import map_window

FILE = """\
name: flights
kind: actuals
source: {kafka: {topics: [flights], group: sluice-flights}}
when: WHEN
map:
  prediction_id: id
  timestamp: $timestamp
  actual: {label: label}
arize: {model: delay, type: regression}
"""
AT = Partition("flights", 0)
DEEP = b'{"kind": "prediction", "a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


def pipeline(when: str) -> Pipeline:
    return parse_pipeline(FILE.replace("WHEN", when).encode(), "flights.yaml")


def record(offset: int, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> Record:
    return Record(partition=AT, offset=offset, timestamp_ms=0, key=key, value=value, headers=headers)


def chosen(when: str, *values: Any) -> list[str]:
    """What becomes of each value: mine, filtered, or why it is rejected."""
    given = pipeline(when).when
    assert given is not None
    raw = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    found = choose(given, RecordList([record(at, value) for at, value in enumerate(raw)]))
    assert [raw[at] for at in found.at] == found.values
    told = ["mine" if at in found.at else found.unclear.get(at, "filtered") for at in range(len(raw))]
    assert told.count("filtered") == found.filtered
    return told


@pytest.mark.parametrize(
    ("when", "value", "told"),
    [
        ("{field: kind, equals: prediction}", {"kind": "prediction"}, "mine"),
        ("{field: kind, equals: prediction}", {"kind": "Prediction"}, "filtered"),
        ("{field: kind, equals: prediction}", {}, "filtered"),
        ("{field: kind, equals: prediction}", {"kind": None}, "filtered"),
        ("{field: kind, equals: prediction}", {"kind": 7}, "filtered"),
        ("{field: kind, equals: prediction}", {"kind": {"is": "prediction"}}, "filtered"),
        ("{field: kind, equals: [actual, prediction]}", {"kind": "actual"}, "mine"),
        ("{field: meta.kind, equals: prediction}", {"meta": {"kind": "prediction"}}, "mine"),
        ("{field: meta.kind, equals: prediction}", {"meta": ["prediction"]}, "filtered"),
        ("{field: version, equals: 2}", {"version": 2}, "mine"),
        ("{field: version, equals: 2}", {"version": 2.0}, "mine"),
        ("{field: version, equals: 2}", {"version": 2.5}, "filtered"),
        ("{field: version, equals: 2}", {"version": "2"}, "filtered"),
        ("{field: version, equals: 2}", {"version": 2**70}, "filtered"),
        ("{field: live, equals: true}", {"live": True}, "mine"),
        ("{field: live, equals: true}", {"live": 1}, "filtered"),
        ("{field: kind, equals: prediction}", b"", "empty value"),
        ("{field: kind, equals: prediction}", b"not json", "not JSON"),
        ("{field: kind, equals: prediction}", ["prediction"], "not an object"),
        ("{field: kind, equals: prediction}", b'{"kind": "prediction"}{}', "not JSON"),
        ("{field: kind, equals: prediction}", b'{"kind": "a", "kind": "prediction"}', "kind: given twice"),
        ("{field: kind, equals: prediction}", DEEP, "mine"),
    ],
)
def test_a_record_is_the_pipelines_only_if_the_field_says_so(when: str, value: Any, told: str) -> None:
    assert chosen(when, value) == [told]
    assert chosen(when, {"kind": "x"}, value, {"kind": "x"})[1] == told


@given(st.lists(st.sampled_from(["mine", "filtered", "not JSON"]), max_size=200))
def test_no_record_is_judged_by_its_neighbours(kinds: list[str]) -> None:
    values = {"mine": {"kind": "prediction"}, "filtered": {"kind": 3}, "not JSON": b"{"}
    assert chosen("{field: kind, equals: prediction}", *[values[kind] for kind in kinds]) == kinds


def test_a_key_or_a_header_tells_without_a_look_at_the_value() -> None:
    records = RecordList(
        [
            record(0, b"not json", key=b"flights", headers=(("kind", b"actual"),)),
            record(1, b"{}", key=b"\xff", headers=(("kind", b"prediction"), ("kind", b"actual"))),
            record(2, b"{}", key=b"flights"),
        ]
    )
    assert list(choose(when_of("{field: $key, equals: flights}"), records).at) == [0, 2]
    assert list(choose(when_of("{field: $headers.kind, equals: actual}"), records).at) == [0, 1]


def when_of(when: str) -> When:
    found = pipeline(when).when
    assert found is not None
    return found


def test_each_offset_of_a_mixed_topic_is_counted_once_and_errors_of_others_are_not_told() -> None:
    values = [
        b'{"kind": "actual", "id": "a", "label": 1}',
        b'{"kind": "click", "id": 7, "label": "not a number"}',
        None,
        b"{",
        b'{"kind": "actual", "id": 7, "label": 1}',
        b'{"kind": "actual", "id": "b", "label": 2}',
    ]
    records = [record(at, value) for at, value in enumerate(values)]
    read = ReadRange(range=OffsetRange(AT, 0, 8), records=RecordList(records), leader_epoch=1)
    window = map_window(pipeline("{field: kind, equals: actual}"), [read, other_range()], now_s=0)
    assert [item.balance for item in window.counted] == [
        Balance(staged=2, rejected=2, filtered=1, tombstones=1, invisible=2),
        Balance(staged=1, filtered=1),
    ]
    assert [(item.record.offset, item.reason) for item in window.rejected] == [
        (3, "not JSON"),
        (4, "id: expected string"),
    ]
    assert window.frame["prediction_id"].to_list() == ["a", "b", "c"]


def other_range() -> ReadRange:
    values = [b'{"kind": "click"}', b'{"kind": "actual", "id": "c", "label": 1}']
    at = Partition("flights", 1)
    records = [
        Record(partition=at, offset=number, timestamp_ms=0, key=None, value=value, headers=())
        for number, value in enumerate(values)
    ]
    return ReadRange(range=OffsetRange(at, 0, 2), records=RecordList(records), leader_epoch=1)


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("{field: kind}", "when.equals: missing"),
        ("{field: kind, equals: []}", "a text, a whole number, true or false, or a list of such values of one type"),
        ("{field: kind, equals: 1.5}", "a text, a whole number, true or false, or a list of such values of one type"),
        ("{field: kind, equals: [1, true]}", "a list of such values of one type"),
        ("{field: kind, equals: {a: b}}", "a list of such values of one type"),
        ("{field: $offset, equals: a}", "$key, $headers.<name>"),
        ("{field: $key, equals: 7}", "a key or a header is text"),
        ("{field: kind, equals: a, is: b}", "when.is"),
    ],
)
def test_a_wrong_choice_is_told_with_what_is_allowed(when: str, says: str) -> None:
    with pytest.raises(WrongPipelineFile) as wrong:
        pipeline(when)
    assert says in str(wrong.value)
