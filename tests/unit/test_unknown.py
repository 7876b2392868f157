"""Fields that the pipeline file does not know: which are told, with which line, and that no key that is data is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import Pipeline, parse_pipeline
from sluice.records import ReadRange, Record, RecordList
from sluice.unknown import MOST_BYTES, MOST_TOLD, SAMPLE, unknown_fields

FILE = """\
name: flights
kind: predictions
source: {kafka: {topics: [flights], group: sluice-flights}}
when: {field: kind, equals: prediction}
drop: [who]
hash: [id]
map:
  prediction_id: id
  timestamp: {path: at, unit: ms}
  prediction: {label: said.label}
  features: {from: features, columns: {carrier: string}}
  version: "1"
arize: {model: delay, type: binary_classification}
"""
KNOWN = {"kind": "prediction", "who": {"mail": "m"}, "id": "a", "at": 1, "said": {"label": "x"}}


def pipeline() -> Pipeline:
    return parse_pipeline(FILE.encode(), "flights.yaml")


def told(*events: Any, repeat: int = 1) -> list[tuple[str, str, str]]:
    values = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events] * repeat
    return [(item.path, item.type, item.line) for item in unknown_fields(pipeline(), [read(values)])]


def read(values: Sequence[bytes]) -> ReadRange:
    at = Partition("flights", 0)
    records = [
        Record(partition=at, offset=number, timestamp_ms=0, key=None, value=value, headers=())
        for number, value in enumerate(values)
    ]
    return ReadRange(range=OffsetRange(at, 0, len(values)), records=RecordList(records))


def test_what_the_file_maps_drops_hashes_or_looks_at_is_known() -> None:
    assert told(KNOWN | {"features": {"carrier": "UA"}}) == []


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"gate": "B7"}, ("gate", "string", "map.tags: gate: string")),
        ({"late": True}, ("late", "bool", "map.tags: late: bool")),
        ({"hour": 5}, ("hour", "float", "map.tags: hour: float")),
        ({"features": {"wind": 1.5}}, ("features.wind", "float", "map.features.columns: wind: float")),
        (
            {"meta": {"host": {"name": "h"}}},
            ("meta.host.name", "string", "map.tags: name: {path: meta.host.name, type: string}"),
        ),
        ({"said": {"label": "x", "why": "w"}}, ("said.why", "string", "map.tags: why: {path: said.why, type: string}")),
    ],
)
def test_an_unknown_field_is_told_with_the_line_that_takes_it(
    extra: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert told(KNOWN | extra) == [expected]


@pytest.mark.parametrize(
    "extra",
    [
        {"gone": None},
        {"many": [1, 2]},
        {"by": {"somebody@home": 1, "7": 2, "a b": 3, "": 4}},
        {"kind": "click", "x": 1},
    ],
)
def test_what_could_not_be_mapped_or_is_no_name_or_is_not_ours_is_not_told(extra: dict[str, Any]) -> None:
    assert told(KNOWN | extra) == []


def test_a_field_that_few_have_is_not_told_for_its_name_may_be_data() -> None:
    assert told(*[KNOWN] * 20, KNOWN | {"rare": 1}) == []
    assert [path for path, *_ in told(*[KNOWN] * 5, KNOWN | {"often": 1})] == ["often"]


def test_the_keys_of_a_map_are_data_and_not_told() -> None:
    people = ["alice", "bob", "carol", "dave", "mallory"]
    assert told(*(KNOWN | {"clicks": {name: 1}} for name in people)) == []
    assert told(KNOWN | {"clicks_by_user": {"alice": 1}}) == []


def test_what_is_no_json_object_does_not_disturb() -> None:
    deep = b'{"kind": "prediction", "a": ' * 3 + b"1" + b"}" * 3
    nested = b'{"kind": "prediction", "deep": ' + b'{"a": ' * 500 + b"1" + b"}" * 501
    assert told(b"", b"no json", b"[1]", b"\xff", deep, nested, KNOWN | {"gate": "B7"})[-1][0] == "gate"
    assert unknown_fields(pipeline(), []) == ()


def test_only_a_sample_is_looked_at_and_only_so_many_fields_are_told() -> None:
    class Counted(RecordList):
        asked = 0

        def record(self, index: int) -> Record:
            Counted.asked += 1
            return super().record(index)

    wide = json.dumps(KNOWN | {f"f{number}": 1 for number in range(100)}).encode()
    given = read([wide] * 10_000)
    counted = ReadRange(range=given.range, records=Counted(given.records.items))  # type: ignore[attr-defined]
    assert len(unknown_fields(pipeline(), [counted])) == MOST_TOLD
    assert Counted.asked == SAMPLE
    Counted.asked = 0
    big = json.dumps(KNOWN | {"text": "x" * (1 << 20)}).encode()
    given = read([big] * 20)
    counted = ReadRange(range=given.range, records=Counted(given.records.items))  # type: ignore[attr-defined]
    assert [item.path for item in unknown_fields(pipeline(), [counted])] == ["text"]
    assert Counted.asked == MOST_BYTES // len(big) + 1
