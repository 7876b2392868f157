"""Decoding JSON: what is taken and refused, that neighbours do not matter, and that nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.decoding import json as decoding
from sluice.decoding import strict
from sluice.decoding.columnar import unfit
from sluice.decoding.json import ROW, decode
from sluice.decoding.projection import Leaf, Projection
from sluice.decoding.times import seconds_of_rfc3339
from sluice.errors import WrongPipelineFile
from sluice.pipeline import Column, FromValue

LEAVES = Projection(
    (
        Leaf(path=("id",), type="string"),
        Leaf(path=("count",), type="int"),
        Leaf(path=("in", "ratio"), type="float"),
        Leaf(path=("in", "deep", "night"), type="bool"),
    )
)
GOOD = b'{"id": "a", "count": 3, "in": {"ratio": 0.5, "deep": {"night": true}}}'
GOOD_ROW = ("a", 3, 0.5, True)
NOTHING = (None, None, None, None)


def rows(*values: bytes) -> dict[int, tuple[Any, ...] | str]:
    """Return, for each value in order, its row or why it was rejected."""
    decoded = decode(values, LEAVES)
    found: dict[int, tuple[Any, ...] | str] = {row[0]: row[1:] for row in decoded.frame.iter_rows()}
    assert decoded.frame[ROW].is_sorted()
    assert not found.keys() & decoded.rejected.keys()
    found |= decoded.rejected
    return {at: found[at] for at in range(len(values))}


def verdict(value: bytes) -> tuple[Any, ...] | str:
    """Return what becomes of a value, which must be the same alone and among others."""
    alone = rows(value)[0]
    assert rows(GOOD, value, GOOD) == {0: GOOD_ROW, 1: alone, 2: GOOD_ROW}
    assert rows(b"no", value, b"{}{}", GOOD)[1] == alone
    return alone


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (GOOD, GOOD_ROW),
        (b"{}", NOTHING),
        (b' \t\r\n{"id":\n\r\n"a"\n}\n', ("a", None, None, None)),
        (b'{"in": null}', NOTHING),
        (b'{"in": {"deep": null, "ratio": 5}}', (None, None, 5.0, None)),
        (b'{"id": null, "unknown": [1, {"id": 5}, "x"]}', NOTHING),
        (b'{"count": 7.0}', (None, 7, None, None)),
        (b'{"count": 7e2}', (None, 700, None, None)),
        (b'{"count": -0.0}', (None, 0, None, None)),
        (b'{"count": 9223372036854775807}', (None, 2**63 - 1, None, None)),
        (b'{"count": 9007199254740993, "in": {"ratio": 1.0}}', (None, 2**53 + 1, 1.0, None)),
        (b'{"in": {"ratio": 123456789012345678901234567890}}', (None, None, 123456789012345678901234567890.0, None)),
        (b'{"id": "\\ud83d\\ude00 \\u00e9 \\u0000"}', ("\U0001f600 \xe9 \0", None, None, None)),
        (b'{"\\u0069d": "a"}', ("a", None, None, None)),
        (b'{"id": "say NaN, Inf] or } null {} {"}', ("say NaN, Inf] or } null {} {", None, None, None)),
        (b'{"unknown": 1, "unknown": 2}', NOTHING),
        (b'{"unknown": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", NOTHING),
        (b'{"unknown": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", NOTHING),
        (b'{"unknown": ' + b"1" * 5_000 + b"}", NOTHING),
    ],
)
def test_one_object_is_one_row_however_it_is_written(value: bytes, row: tuple[Any, ...]) -> None:
    assert verdict(value) == row


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty value"),
        (b" \r\n", "empty value"),
        (b"hello", "not JSON"),
        (GOOD[:-1], "not JSON"),
        (GOOD + b"}", "not JSON"),
        (b"{'id': 1}", "not JSON"),
        (b'{"id": "a",}', "not JSON"),
        (b'{"id": "a"} // why', "not JSON"),
        (b"null", "not an object"),
        (b"5", "not an object"),
        (b'["a"]', "not an object"),
        (b'"a"', "not an object"),
        (b"{}{}", "not JSON"),
        (b"{}\n{}", "not JSON"),
        (b"{},{}", "not JSON"),
        (b"{} null {}", "not JSON"),
        (b"null{}", "not JSON"),
        (b"{}\0{}", "not JSON"),
        (b'{"id": "a\0"}', "not JSON"),
        (b'{"id": "a\nb"}', "not JSON"),
        (b'{"id": "a\tb"}', "not JSON"),
        (b'{"id": "\\ud800"}', "not JSON"),
        (b'{"unknown": "\\udc00"}', "not JSON"),
        (b'{"unknown": NaN}', "not JSON"),
        (b'{"in": {"ratio": -Infinity}}', "not JSON"),
        (b'{"in": {"ratio": 01}}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"id": "\xff"}', "not UTF-8"),
        (b'{"unknown": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"id": 5}', "id: expected string"),
        (b'{"id": true}', "id: expected string"),
        (b'{"id": {}}', "id: expected string"),
        (b'{"id": ["a"]}', "id: expected string"),
        (b'{"count": "3"}', "count: expected int"),
        (b'{"count": true}', "count: expected int"),
        (b'{"count": 1.5}', "count: expected int"),
        (b'{"count": 9223372036854775808}', "count: out of range"),
        (b'{"count": 9007199254740993.0}', "count: out of range"),
        (b'{"count": 1e30}', "count: out of range"),
        (b'{"count": ' + b"1" * 5_000 + b"}", "count: out of range"),
        (b'{"in": {"ratio": "0.5"}}', "in.ratio: expected float"),
        (b'{"in": {"ratio": [0.5]}}', "in.ratio: expected float"),
        (b'{"in": {"ratio": 1234567e303}}', "in.ratio: out of range"),
        (b'{"in": {"ratio": 1e400}}', "in.ratio: out of range"),
        (b'{"unknown": 1e400}', "a number is out of range"),
        (b'{"in": {"deep": {"night": "true"}}}', "in.deep.night: expected bool"),
        (b'{"in": {"deep": {"night": 1}}}', "in.deep.night: expected bool"),
        (b'{"in": {"deep": []}}', "in.deep: expected object"),
        (b'{"in": 5}', "in: expected object"),
        (b'{"id": "a", "id": "a"}', "id: given twice"),
        (b'{"in": {}, "in": null}', "in: given twice"),
        (b'{"in": {"ratio": 1, "ratio": 1}}', "in.ratio: given twice"),
        (b'{"count": "3", "id": 5}', "id: expected string"),
        (b'{"unknown": ' + b"[" * 10_000 + b"}", "not JSON, or of another type"),
    ],
)
def test_a_bad_value_is_rejected_alone_with_its_reason(value: bytes, reason: str) -> None:
    assert verdict(value) == reason


@pytest.mark.parametrize(("depth", "reason"), [(490, "id: expected string"), (700, "not JSON, or of another type")])
def test_a_reason_does_not_depend_on_how_deep_the_caller_stands(depth: int, reason: str) -> None:
    value = b'{"id": 5, "unknown": ' + b"[" * depth + b"]" * depth + b"}"

    def from_below(calls: int) -> Any:
        return from_below(calls - 1) if calls else rows(value)[0]

    assert from_below(0) == from_below(300) == reason


def test_brackets_in_texts_and_side_by_side_are_not_deep() -> None:
    assert strict.is_deep(b"[" * 501)
    assert not strict.is_deep(b'{"[' + b"[" * 501 + b'": [' + b"[]," * 501 + b"0]}")
    assert not strict.is_deep(b'["' + b'\\"[' * 100_000)  # and in no time, though no string ends


def test_documents_that_span_two_values_are_rejected_though_their_number_is_right() -> None:
    assert rows(b"{}\n{}", b"", GOOD) == {0: "not JSON", 1: "empty value", 2: GOOD_ROW}
    assert rows(b'{"id": "x"} {"id":', b'"y"}', GOOD) == {0: "not JSON", 1: "not JSON", 2: GOOD_ROW}
    assert rows(b'{"unknown": "}', b'{"}', b"{}{}") == {0: "not JSON", 1: "not JSON", 2: "not JSON"}


def test_the_reader_is_never_handed_what_it_would_crash_on() -> None:
    deadly = [b"null", b"null{}", b"{} null {}", b"{}\n\r\t null{}", b'{"id": "}" } null {}']
    assert unfit([*deadly, GOOD, b'{"id": "} null"}']) == [0, 1, 2, 3, 4]


def test_large_integers_stay_exact_beside_integers_written_as_floats() -> None:
    assert rows(b'{"count": 7.0}', b'{"count": 9007199254740993}', b'{"count": 0.5}') == {
        0: (None, 7, None, None),
        1: (None, 2**53 + 1, None, None),
        2: "count: expected int",
    }


def test_one_bad_value_among_many_chunks_is_found() -> None:
    values = [b'{"count": %d}' % at for at in range(20_000)]
    values[12_345] = b'{"count": "x"}'
    decoded = decode(values, LEAVES)
    assert decoded.rejected == {12_345: "count: expected int"}
    assert decoded.frame[ROW].equals(decoded.frame[LEAVES.leaf(("count",)).column].rename(ROW))
    assert decoded.frame.height == 19_999


def test_values_larger_than_a_chunk_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST_BYTES", 100)
    assert rows(*[GOOD] * 5, b'{"unknown": "' + b"x" * 500 + b'"}') == {**dict.fromkeys(range(5), GOOD_ROW), 5: NOTHING}


def test_the_columns_have_their_types_though_there_is_no_row() -> None:
    types = [pl.Int64, pl.String, pl.Int64, pl.Float64, pl.Boolean]
    assert decode([], LEAVES).frame.dtypes == decode([b"x"], LEAVES).frame.dtypes == types


def test_objects_are_counted_though_nothing_of_them_is_read() -> None:
    decoded = decode([b"{}", b"{", b'{"a": 1}'], Projection(()))
    assert decoded.frame[ROW].to_list() == [0, 2]
    assert decoded.rejected == {1: "not JSON"}


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from([7.0, 2**53 + 1, 2**63])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
mostly_good = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=5) | anything,
        "count": st.integers(-9, 9) | anything,
        "in": st.fixed_dictionaries({}, optional={"ratio": st.floats(-9, 9) | anything, "deep": anything}) | anything,
        "unknown": anything,
    },
)
texts = st.builds(
    lambda event, indent, ascii_: json.dumps(event, indent=indent, ensure_ascii=ascii_).encode(
        "utf-8", "surrogatepass"
    ),
    mostly_good,
    st.sampled_from([None, None, 1]),
    st.booleans(),
)
pieces = st.sampled_from(
    [
        b"{",
        b"}",
        b'"',
        b"\\",
        b",",
        b"[",
        b"]",
        b"null",
        b"NaN",
        b"\n",
        b"\0",
        b"\xff",
        b"0",
        b".",
        b"e",
        b"}{",
        b"}\n{",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(pieces) + text[start + draw(st.integers(0, 3)) :]


values_of_all_kinds = st.lists(texts | broken() | pieces | st.just(GOOD), min_size=1, max_size=12)


@settings(max_examples=120, deadline=None)
@given(values_of_all_kinds, st.sampled_from([1, 3, 64]), st.sampled_from([2, 4096]))
def test_what_becomes_of_a_value_does_not_depend_on_its_neighbours(
    values: list[bytes], few: int, most_rows: int
) -> None:
    alone = {at: rows(value)[0] for at, value in enumerate(values)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_FEW", few)
        patch.setattr(decoding, "_MOST_ROWS", most_rows)
        assert repr(rows(*values)) == repr(alone)


@settings(max_examples=300, deadline=None)
@given(texts | broken())
def test_only_json_objects_are_taken_and_none_is_refused_without_cause(value: bytes) -> None:
    """The oracle is Python's own parser, and the types of what it found."""
    found = rows(value)[0]
    try:
        event = json.loads(value.decode(), parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        assert isinstance(found, str)
        return
    if isinstance(found, tuple):
        inner = event.get("in") or {}
        night, ratio = (inner.get("deep") or {}).get("night"), inner.get("ratio")
        # A whole number in a float column is the nearest double, as everywhere in JSON.
        assert found == (event.get("id"), event.get("count"), None if ratio is None else float(ratio), night)
    else:
        assert found != "not JSON, or of another type"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_writing_whole_numbers_plainly_changes_no_number_and_no_string(number: float) -> None:
    text = json.dumps({"1.0": number, "a": ['2e0 \\" 3.0', number]}).encode()
    plain = strict.with_plain_integers(text)
    assert json.loads(plain) == json.loads(text)
    assert b'"1.0"' in plain
    assert b"2e0" in plain


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2013-01-01T05:15:00Z", 1357017300.0),
        ("2013-01-01t05:15:00z", 1357017300.0),
        ("2013-01-01 05:15:00Z", 1357017300.0),
        ("2013-01-01T00:15:00-05:00", 1357017300.0),
        ("2013-01-01T10:45:00+05:30", 1357017300.0),
        ("2013-01-01T05:15:00.25+00:00", 1357017300.25),
        ("2013-01-01T05:15:00.123456789Z", 1357017300.123456789),
        ("2012-02-29T00:00:00Z", 1330473600.0),
        ("1969-12-31T23:59:59.5Z", -0.5),
        ("2013-02-29T00:00:00Z", None),
        ("2013-13-01T00:00:00Z", None),
        ("2013-01-01T24:00:00Z", None),
        ("2016-12-31T23:59:60Z", None),
        ("2013-01-01T05:15:00", None),
        ("2013-01-01", None),
        ("2013-01-01T05:15Z", None),
        ("2013-01-01T05:15:00.Z", None),
        ("2013-01-01T05:15:00.1234567890Z", None),
        ("2013-01-01T05:15:00+0530", None),
        ("2013-01-01T05:15:00+24:00", None),
        ("2013-01-01T05:15:00Z\n", None),
        ("2013-01-01T05:15:00ZZ", None),
        ("2013-01-01T05:15:00Z+00:00", None),
        (" 2013-01-01T05:15:00Z", None),
        ("٢٠١٣-01-01T05:15:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_rfc_3339_is_read_as_epoch_seconds_and_nothing_else_is(text: str | None, seconds: float | None) -> None:
    frame = pl.DataFrame({"time": pl.Series([text, "2013-01-01T05:15:00Z"], dtype=pl.String)})
    assert frame.select(seconds_of_rfc3339(pl.col("time"))).to_series().to_list() == [seconds, 1357017300.0]


def column(name: str, path: str, type_: Any, unit: Any = None) -> Column:
    return Column(name=name, origin=FromValue(tuple(path.split("."))), type=type_, unit=unit)


def test_a_field_read_as_float_and_as_int_is_read_once_as_int() -> None:
    found = Projection.of([column("a", "x.y", "float"), column("b", "x.y", "int"), column("c", "x.z", "bool")])
    assert found.leaves == (Leaf(path=("x", "y"), type="int"), Leaf(path=("x", "z"), type="bool"))


def test_a_time_is_a_number_in_the_event_or_text() -> None:
    found = Projection.of([column("a", "x", "float", "ms"), column("b", "y", "float", "rfc3339")])
    assert [leaf.type for leaf in found.leaves] == ["float", "string"]


@pytest.mark.parametrize("other", [column("b", "x.y", "string"), column("b", "x.y.z", "int"), column("b", "x", "int")])
def test_columns_that_no_event_can_satisfy_are_refused(other: Column) -> None:
    with pytest.raises(WrongPipelineFile, match="x"):
        Projection.of([column("a", "x.y", "float"), other])
