"""From records to rows: where values come from, that nothing is lost, and the order and types of what is staged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.offsets import Balance, OffsetRange, Partition
from sluice.pipeline import Pipeline, parse_pipeline
from sluice.records import Headers, ReadRange, Record, RecordList
from sluice.windows import MappedWindow, map_window

NOW_S = 1_700_000_000.0
FLIGHTS = """\
name: flights
kind: predictions
source: {kafka: {topics: [flights], group: sluice-flights}}
map:
  prediction_id: id
  timestamp: {path: at, unit: ms}
  prediction: {label: said.label, score: said.score}
  features: {from: in, columns: {carrier: string, distance: float, hour: int, night: bool, made: {value: 3}}}
  tags: {partition: $partition, offset: $offset, topic: $topic, key: $key, sent: $timestamp, trace: $headers.trace}
  version: {path: version, default: "1"}
arize: {model: delay, type: binary_classification}
"""
BARE = """\
name: bare
kind: actuals
source: {kafka: {topics: [flights], group: sluice-bare}}
map:
  prediction_id: ID
  timestamp: TIME
  actual: {label: label}
arize: {model: delay, type: regression}
"""
FLIGHTS_0 = Partition("flights", 0)
PLACE = {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}


def pipeline(text: str = FLIGHTS) -> Pipeline:
    return parse_pipeline(text.encode(), "test.yaml")


def bare(id_: str = "id", time: str = "$timestamp") -> Pipeline:
    return pipeline(BARE.replace("ID", id_).replace("TIME", time))


def event(**changes: Any) -> bytes:
    whole = {"id": "a", "at": NOW_S * 1000, "said": {"label": "late", "score": 0.5}}
    return json.dumps(whole | changes).encode()


def record(
    offset: int,
    value: bytes | None,
    *,
    partition: Partition = FLIGHTS_0,
    key: bytes | None = None,
    headers: Headers = (),
    timestamp_ms: int | None = int(NOW_S * 1000),
) -> Record:
    return Record(partition=partition, offset=offset, timestamp_ms=timestamp_ms, key=key, value=value, headers=headers)


def read(*records: Record, start: int = 0, stop: int | None = None, expired: int = 0) -> ReadRange:
    partition = records[0].partition if records else FLIGHTS_0
    end = records[-1].offset + 1 if records else start
    range_ = OffsetRange(partition, start, end if stop is None else stop)
    return ReadRange(range=range_, records=RecordList(records), expired=expired, leader_epoch=4)


def mapped(pipeline: Pipeline, *records: Record) -> MappedWindow:
    return map_window(pipeline, [read(*records)], now_s=NOW_S)


def only(window: MappedWindow) -> dict[str, Any]:
    assert window.rejected == ()
    return window.frame.row(0, named=True)


def reason(window: MappedWindow) -> str:
    assert window.frame.height == 0
    return window.rejected[0].reason


def test_every_kind_of_origin_gets_into_its_column() -> None:
    value = event(**{"in": {"carrier": "UA", "distance": 1400, "hour": 5.0, "night": False}, "version": "2"})
    got = record(7, value, key=b"k", headers=(("trace", b"t1"), ("trace", b"t2"), ("x", b"\xff")), timestamp_ms=5)
    assert only(mapped(pipeline(), got)) == {
        "topic": "flights",
        "partition": 0,
        "offset": 7,
        "prediction_id": "a",
        "prediction_ts": NOW_S,
        "version": "2",
        "prediction_label": "late",
        "prediction_score": 0.5,
        "feature/carrier": "UA",
        "feature/distance": 1400.0,
        "feature/hour": 5,
        "feature/night": False,
        "feature/made": 3,
        "tag/partition": 0,
        "tag/offset": 7,
        "tag/topic": "flights",
        "tag/key": "k",
        "tag/sent": 5,
        "tag/trace": "t2",
    }


def test_what_an_event_leaves_out_is_null_or_the_default() -> None:
    row = only(mapped(pipeline(), record(0, event(version=None), timestamp_ms=None, headers=(("trace", None),))))
    assert row["version"] == "1"
    assert {row[name] for name in row if name.startswith("feature/") and name != "feature/made"} == {None}
    assert row["tag/key"] is row["tag/sent"] is row["tag/trace"] is None


@pytest.mark.parametrize("records", [[], [record(0, None)], [record(0, b"no")], [record(0, event())]])
def test_the_schema_is_the_same_whatever_is_in_the_window(records: list[Record]) -> None:
    types = {"string": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
    expected = PLACE | {column.name: types[column.type] for column in pipeline().columns()}
    frame = map_window(pipeline(), [read(*records)], now_s=NOW_S).frame
    assert dict(frame.schema) == expected
    assert frame.columns == [*expected]


def test_a_window_without_ranges_has_the_schema_too() -> None:
    window = map_window(pipeline(), [], now_s=NOW_S)
    assert window.frame.schema == mapped(pipeline(), record(0, event())).frame.schema
    assert (window.frame.height, window.rejected, window.counted) == (0, (), ())


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("s", 1700000000),
        ("s", 1.7e9),
        ("ms", 1700000000000),
        ("us", 1700000000000000),
        ("ns", 1700000000000000000),
        ("rfc3339", "2023-11-14T22:13:20Z"),
        ("rfc3339", "2023-11-14t17:13:20.000-05:00"),
    ],
)
def test_times_become_epoch_seconds(unit: str, written: float | str) -> None:
    value = json.dumps({"id": "a", "label": 1, "at": written}).encode()
    assert only(mapped(bare(time=f"{{path: at, unit: {unit}}}"), record(0, value)))["prediction_ts"] == NOW_S


def test_fractions_of_a_second_are_kept() -> None:
    value = b'{"id": "a", "label": 1, "at": 1700000000123}'
    assert only(mapped(bare(time="{path: at, unit: ms}"), record(0, value)))["prediction_ts"] == 1700000000.123
    value = b'{"id": "a", "label": 1, "at": 1700000000.5}'
    assert only(mapped(bare(time="{path: at, unit: s}"), record(0, value)))["prediction_ts"] == 1700000000.5


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_a_time_is_divided_as_exactly_in_a_window_of_many_as_alone(unit: str, per_second: int) -> None:
    written = [(1_700_000_000_123 + 7 * number) * per_second // 1000 for number in range(200)]
    got = [record(at, b'{"id": "a", "label": 1, "at": %d}' % number) for at, number in enumerate(written)]
    text = bare(time=f"{{path: at, unit: {unit}}}")
    assert mapped(text, *got).frame["prediction_ts"].to_list() == [float(number) / per_second for number in written]
    assert mapped(text, got[9]).frame["prediction_ts"].to_list() == [float(written[9]) / per_second]


@pytest.mark.parametrize(
    ("unit", "written", "why"),
    [
        ("rfc3339", "2023-11-14 noon", "at.time: expected RFC 3339"),
        ("rfc3339", 1700000000, "at.time: expected string"),
        ("ms", "1700000000000", "at.time: expected float"),
        ("ms", None, "prediction_ts: missing"),
    ],
)
def test_a_time_that_cannot_be_read_rejects_the_record(unit: str, written: float | str | None, why: str) -> None:
    value = json.dumps({"id": "a", "label": 1, "at": {"time": written}}).encode()
    assert reason(mapped(bare(time=f"{{path: at.time, unit: {unit}}}"), record(0, value))) == why


def test_a_record_without_a_time_of_its_own_is_rejected_where_it_is_needed() -> None:
    value = b'{"id": "a", "label": 1}'
    assert reason(mapped(bare(), record(0, value, timestamp_ms=None))) == "prediction_ts: missing"


@pytest.mark.parametrize(
    ("place", "got", "why"),
    [
        ("$key", record(0, b'{"label": 1}', key=b"\xff"), "prediction_id: key is not UTF-8"),
        ("$key", record(0, b'{"label": 1}'), "prediction_id: missing"),
        ("$headers.h", record(0, b'{"label": 1}', headers=(("h", b"\xff"),)), "prediction_id: header h is not UTF-8"),
        ("$headers.h", record(0, b'{"label": 1}', headers=(("H", b"x"),)), "prediction_id: missing"),
        ("id", record(0, b'{"label": 1, "id": null}'), "prediction_id: missing"),
        ("id", record(0, b'{"id": "a"}'), "actual_label: missing"),
    ],
)
def test_what_is_required_and_missing_or_no_text_rejects_the_record(place: str, got: Record, why: str) -> None:
    assert reason(mapped(bare(place), got)) == why


def test_keys_headers_and_times_are_not_asked_for_unless_a_column_needs_them() -> None:
    class Dear(RecordList):
        def keys(self) -> list[bytes | None]:
            raise AssertionError

        def headers(self) -> list[Headers]:
            raise AssertionError

    dear = replace(read(record(0, b'{"id": "a", "label": 1}')), records=Dear((record(0, b'{"id": "a", "label": 1}'),)))
    assert map_window(bare(), [dear], now_s=NOW_S).frame.height == 1
    with pytest.raises(AssertionError):
        map_window(bare("$key"), [dear], now_s=NOW_S)


def test_paths_and_headers_of_odd_names_do_not_meet() -> None:
    text = FLIGHTS.replace(
        "columns: {carrier: string",
        'columns: {a: {path: ["x.y"], type: int}, b: {path: [x, "y"], type: int}, c: {path: [row], type: int}, '
        'd: {path: ["x\\u001fy"], type: int}, e: {path: ["topic"], type: int}, carrier: string',
    )
    row = only(mapped(pipeline(text), record(0, event(**{"x.y": 1, "x": {"y": 2}, "row": 3, "x\x1fy": 4, "topic": 5}))))
    assert [row[f"feature/{name}"] for name in "abcde"] == [1, 2, 3, 4, 5]


def test_rejected_records_are_whole_and_their_reasons_hold_no_value() -> None:
    bad = record(3, event(id=987654321, said={"label": "secret", "score": "secret"}), key=b"k", headers=(("h", b"v"),))
    window = mapped(pipeline(), record(1, event()), bad, record(5, event()))
    assert [item.record for item in window.rejected] == [bad]
    assert window.rejected[0].reason == "id: expected string"
    assert window.frame["offset"].to_list() == [1, 5]


def test_each_offset_is_counted_once() -> None:
    got = [record(12, event()), record(13, None), record(15, b"no"), record(16, event(id="")), record(17, event())]
    window = map_window(pipeline(), [read(*got, start=5, stop=20, expired=4)], now_s=NOW_S)
    assert window.counted[0].balance == Balance(staged=2, tombstones=1, rejected=2, invisible=6, expired=4)
    assert window.counted[0].leader_epoch == 4


def test_balances_come_in_the_order_of_the_ranges_and_rows_in_the_order_of_places() -> None:
    places = [Partition("b", 1), Partition("a", 10), Partition("b", 0), Partition("a", 2)]
    ranges = [
        read(record(0, event(), partition=at), record(1, b"", partition=at), record(2, event(), partition=at))
        for at in places
    ]
    window = map_window(pipeline(), ranges, now_s=NOW_S)
    assert [item.range.partition for item in window.counted] == places
    assert window.frame.select("topic", "partition", "offset").rows() == [
        (topic, number, offset) for topic, number in (("a", 2), ("a", 10), ("b", 0), ("b", 1)) for offset in (0, 2)
    ]
    assert [item.record.partition for item in window.rejected] == sorted(places)


values = st.one_of(
    st.none(),
    st.just(event()),
    st.builds(lambda score: event(said={"score": score}), st.floats(-1, 1) | st.none() | st.text(max_size=2)),
    st.builds(lambda at: event(at=at), st.sampled_from([NOW_S * 1000, NOW_S, 0, "x", None])),
    st.binary(max_size=4),
    st.just(event() + event()),
)


@st.composite
def windows(draw: st.DrawFn) -> list[ReadRange]:
    places = draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 11)), unique=True, max_size=4))
    return [draw(ranges(Partition(*place))) for place in places]


@st.composite
def ranges(draw: st.DrawFn, partition: Partition) -> ReadRange:
    expired = draw(st.integers(0, 3))
    offsets = sorted(draw(st.sets(st.integers(10 + expired, 30), max_size=12)))
    records = [record(offset, draw(values), partition=partition) for offset in offsets]
    stop = draw(st.integers(31, 40))
    range_ = OffsetRange(partition, 10, stop)
    return ReadRange(range=range_, records=RecordList(records), expired=expired)


@settings(max_examples=150)
@given(windows())
def test_every_record_with_a_value_is_a_row_or_rejected_and_each_balance_is_exact(ranges: list[ReadRange]) -> None:
    window = map_window(pipeline(), ranges, now_s=NOW_S)
    rows = window.frame.select("topic", "partition", "offset").rows()
    bad = [(item.record.partition.topic, item.record.partition.number, item.record.offset) for item in window.rejected]
    assert rows == sorted(rows)
    assert bad == sorted(bad)
    assert sorted(rows + bad) == sorted(places_with_a_value(ranges))
    for given_, counted in zip(ranges, window.counted, strict=True):
        assert counted.range == given_.range
        assert counted.balance == balance_by_hand(given_, rows)


def places_with_a_value(ranges: Sequence[ReadRange]) -> list[tuple[str, int, int]]:
    return [
        (item.range.partition.topic, item.range.partition.number, offset)
        for item in ranges
        for offset, value in zip(item.records.offsets(), item.records.values(), strict=True)
        if value is not None
    ]


def balance_by_hand(item: ReadRange, rows: list[tuple[str, int, int]]) -> Balance:
    partition = item.range.partition
    staged = sum(row[:2] == (partition.topic, partition.number) for row in rows)
    tombstones = item.records.values().count(None)
    return Balance(
        staged=staged,
        tombstones=tombstones,
        rejected=len(item.records) - tombstones - staged,
        invisible=item.range.span - item.expired - len(item.records),
        expired=item.expired,
    )


@settings(max_examples=50)
@given(windows())
def test_a_window_read_whole_and_its_halves_give_the_same_rows(ranges: list[ReadRange]) -> None:
    whole = map_window(pipeline(), ranges, now_s=NOW_S)
    parts = [map_window(pipeline(), [item], now_s=NOW_S) for item in sorted(ranges, key=lambda item: item.range)]
    empty = whole.frame.clear()
    assert pl.concat([empty, *(part.frame for part in parts)]).equals(whole.frame)
    assert [item for part in parts for item in part.rejected] == list(whole.rejected)
