"""Reading pipeline files: what is taken, what each error says, and the schema for editors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.errors import WrongPipelineFile
from sluice.pipeline import (
    Column,
    Constant,
    FromRecord,
    FromValue,
    Pipeline,
    find_pipeline,
    load_pipeline,
    parse_pipeline,
    pipeline_names,
)
from sluice.pipeline.schema import json_schema, json_schema_text
from sluice.pipeline.values import UNITS, parse_share, parse_size

PIPELINES = Path(__file__).parents[2] / "deployments" / "pipelines"
SAMPLE = PIPELINES / "flights.yaml"
PREDICTIONS = """\
name: flights
kind: predictions
source:
  kafka:
    topics: [flights.predictions]
    group: sluice-flights
map:
  prediction_id: id
  timestamp: {path: scored_at, unit: ms}
  prediction: {label: prediction.label, score: prediction.score}
  features:
    from: features
    columns: {carrier: string, distance: float}
  tags: {region: string}
  version: "2013.4"
arize:
  model: departure-delay
  type: binary_classification
limits:
  max_records: 1000
policies: {max_rejected: {share: 10%}}
"""
ACTUALS = """\
name: flights-actuals
kind: actuals
source: {kafka: {topics: [flights.actuals], group: sluice-actuals}}
map:
  prediction_id: $key
  timestamp: $timestamp
  actual: {label: outcome}
arize: {model: departure-delay, type: regression}
"""


def changed(old: str, new: str, text: str = PREDICTIONS) -> str:
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def parsed(text: str) -> Pipeline:
    return parse_pipeline(text.encode(), "a.yaml")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(WrongPipelineFile) as caught:
        parse_pipeline(text if isinstance(text, bytes) else text.encode(), "a.yaml")
    return caught.value.what.splitlines()


def column(text: str, name: str) -> Column:
    return next(column for column in parsed(text).columns() if column.name == name)


# --- what is taken


def test_the_sample_pipeline_is_right_and_keeps_its_bytes() -> None:
    loaded = load_pipeline(SAMPLE)
    assert loaded.pipeline.name == "flights"
    assert loaded.pipeline.limits.max_bytes == 128 * 2**20
    assert loaded.pipeline.limits.max_records == 40_000
    assert loaded.pipeline.policies.max_rejected.share == 0.1
    assert loaded.text == SAMPLE.read_bytes()
    assert len(loaded.sha256) == 64


def test_columns_come_in_one_order_whatever_the_order_of_the_parts() -> None:
    names = ["prediction_id", "prediction_ts", "version", "prediction_label", "prediction_score"]
    names += ["feature/carrier", "feature/distance", "tag/region"]
    assert [column.name for column in parsed(PREDICTIONS).columns()] == names
    head, map_, tail = (
        PREDICTIONS.partition("  version:")[0],
        '  version: "2013.4"\n',
        PREDICTIONS.split('"2013.4"\n')[1],
    )
    moved = changed("map:\n", "map:\n" + map_, head + tail)
    assert parsed(moved).columns() == parsed(PREDICTIONS).columns()


def test_features_stay_in_the_order_of_the_file() -> None:
    other = changed("{carrier: string, distance: float}", "{distance: float, carrier: string}")
    names = [column.name for column in parsed(other).columns() if column.name.startswith("feature/")]
    assert names == ["feature/distance", "feature/carrier"]


@pytest.mark.parametrize(
    ("spec", "origin", "type_"),
    [
        ("int", FromValue(("x",)), "int"),
        ("{path: meta.host, type: string}", FromValue(("meta", "host")), "string"),
        ("{path: [meta, host.name], type: bool}", FromValue(("meta", "host.name")), "bool"),
        ('{path: ["$key"], type: bool}', FromValue(("$key",)), "bool"),
        ("{value: 1}", Constant(1), "int"),
        ("{value: 1.0}", Constant(1.0), "float"),
        ("{value: 1e3}", Constant(1000.0), "float"),
        ("{value: -.5}", Constant(-0.5), "float"),
        ("{value: 0x1F}", Constant(31), "int"),
        ("{value: 1_000}", Constant(1000), "int"),
        ("{value: true}", Constant(True), "bool"),
        ('{value: "true"}', Constant("true"), "string"),
        ('{value: "no"}', Constant("no"), "string"),
        ("{value: 2026-01-31}", Constant("2026-01-31"), "string"),
        ("$topic", FromRecord("topic"), "string"),
        ("$partition", FromRecord("partition"), "int"),
        ("$offset", FromRecord("offset"), "int"),
        ("$key", FromRecord("key"), "string"),
        ("$timestamp", FromRecord("timestamp"), "int"),
        ("$headers.trace.id", FromRecord("header", "trace.id"), "string"),
    ],
)
def test_a_column_is_a_path_a_constant_or_the_records_own(spec: str, origin: Any, type_: str) -> None:
    found = column(changed("tags: {region: string}", f"tags: {{x: {spec}}}"), "tag/x")
    assert (found.origin, found.type, found.required) == (origin, type_, False)
    assert type(getattr(found.origin, "value", None)) is type(getattr(origin, "value", None))


def test_a_feature_given_by_its_type_is_looked_up_below_from() -> None:
    assert column(PREDICTIONS, "feature/carrier").origin == FromValue(("features", "carrier"))
    assert column(changed("    from: features\n", ""), "feature/carrier").origin == FromValue(("carrier",))


def test_keys_are_texts_whatever_yaml_would_make_of_them() -> None:
    found = parsed(changed("{region: string}", "{on: string, 1: int, 2013.4: {path: a, type: int}, null: bool}"))
    assert list(found.map.tags) == ["on", "1", "2013.4", "null"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ('"2013.4"', Column(name="version", origin=Constant("2013.4"), type="string")),
        ("v1", Column(name="version", origin=Constant("v1"), type="string")),
        ("$headers.v", Column(name="version", origin=FromRecord("header", "v"), type="string", required=True)),
        ("{path: m.v}", Column(name="version", origin=FromValue(("m", "v")), type="string", required=True)),
        ('{path: m.v, default: "1"}', Column(name="version", origin=FromValue(("m", "v")), type="string", default="1")),
    ],
)
def test_a_version_is_a_constant_or_found_in_the_record_with_a_default(version: str, expected: Column) -> None:
    assert column(changed('version: "2013.4"', f"version: {version}"), "version") == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "rfc3339"])
def test_a_time_is_staged_in_seconds_and_its_unit_is_kept(unit: str) -> None:
    found = column(changed("unit: ms", f"unit: {unit}"), "prediction_ts")
    expected = FromValue(("scored_at",))
    assert (found.origin, found.type, found.unit, found.required) == (expected, "float", unit, True)


def test_actuals_of_a_regression_have_a_number_for_a_label_and_no_version() -> None:
    time = Column(name="prediction_ts", origin=FromRecord("timestamp"), type="float", required=True, unit="ms")
    assert parsed(ACTUALS).columns() == (
        Column(name="prediction_id", origin=FromRecord("key"), type="string", required=True),
        time,
        Column(name="actual_label", origin=FromValue(("outcome",)), type="float", required=True),
    )


def test_of_label_and_score_a_row_needs_one_and_a_single_one_is_required() -> None:
    both = parsed(PREDICTIONS)
    assert both.needs_one_of() == ("prediction_label", "prediction_score")
    assert not column(PREDICTIONS, "prediction_label").required
    single = changed("{label: prediction.label, score: prediction.score}", "{score: prediction.score}")
    assert parsed(single).needs_one_of() == ("prediction_score",)
    assert column(single, "prediction_score").required


def test_an_actual_that_comes_with_its_prediction_is_never_required() -> None:
    text = changed("  tags:", "  actual: {label: outcome}\n  tags:")
    assert not column(text, "actual_label").required
    assert "actual_label" not in parsed(text).needs_one_of()


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("latest", "latest"),
        ("group", "group"),
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ('"2026-01-31 01:00:00+01:00"', datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_start_is_a_word_or_an_instant(start: str, expected: object) -> None:
    found = parsed(changed("group: sluice-flights", f"group: g\n    start: {start}"))
    assert found.source.kafka.start == expected


def test_anchors_and_aliases_are_read() -> None:
    text = changed("distance: float}", "a: &it {path: x, type: int}, b: *it}")
    assert column(text, "feature/b").origin == FromValue(("x",))


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem() -> None:
    text = b"\xef\xbb\xbf" + PREDICTIONS.replace("\n", "\r\n").encode()
    assert parse_pipeline(text, "a.yaml") == parsed(PREDICTIONS)


@given(st.integers(0, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, space: str) -> None:
    assert parse_size(f"{number}{space}{unit}") == number * UNITS[unit]
    assert parse_size(number) == number


@given(st.integers(0, 100))
def test_a_share_is_the_same_in_percent_and_as_a_number(percent: int) -> None:
    assert parse_share(f"{percent}%") == parse_share(percent / 100)


# --- what each error says


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "max_records: 1000",
            "max_recrods: 1000",
            "a.yaml:20: limits.max_recrods: unknown key; did you mean max_records? Allowed: max_records, max_bytes, ",
        ),
        ("max_records: 1000", "zzz: 1", "a.yaml:20: limits.zzz: unknown key; Allowed: max_records, max_bytes, "),
        ("max_records: 1000", "max_records: 0", "a.yaml:20: limits.max_records: allowed: at least 1"),
        ("max_records: 1000", "max_records: 1000001", "a.yaml:20: limits.max_records: allowed: at most 1,000,000"),
        ("max_records: 1000", 'max_records: "9"', "a.yaml:20: limits.max_records: allowed: a whole number"),
        ("max_records: 1000", "max_records: true", "a.yaml:20: limits.max_records: allowed: a whole number"),
        ("max_records: 1000", "max_records: 1.5", "a.yaml:20: limits.max_records: allowed: a whole number"),
        ("max_records: 1000", "max_records:", "a.yaml:20: limits.max_records: allowed: a whole number"),
        ("max_records: 1000", "max_bytes: 3 XiB", "a.yaml:20: limits.max_bytes: allowed: a number of bytes, or "),
        ("max_records: 1000", "max_bytes: 1 GiB", "a.yaml:20: limits.max_bytes: allowed: at most 1,000,000,000"),
        ("max_records: 1000", "max_bytes: true", "a.yaml:20: limits.max_bytes: allowed: a number of bytes, or "),
        ("max_records: 1000", "max_seconds: 0", "a.yaml:20: limits.max_seconds: allowed: more than 0"),
        ("max_records: 1000", "max_seconds: .inf", "a.yaml:20: limits.max_seconds: allowed: at most 3,600"),
        ("max_records: 1000", "max_seconds: .nan", "a.yaml:20: limits.max_seconds: allowed: "),
        ("max_records: 1000", "parallel_windows: 17", "a.yaml:20: limits.parallel_windows: allowed: at most 16"),
        ("limits:\n  max_records: 1000", "limits:", "a.yaml:19: limits: nothing is given; allowed: max_records, "),
        ("share: 10%", "share: 110%", "a.yaml:21: policies.max_rejected.share: allowed: 0% to 100%, or "),
        ("share: 10%", "share: 10", "a.yaml:21: policies.max_rejected.share: allowed: 0% to 100%, or "),
        ("share: 10%", "share: .nan", "a.yaml:21: policies.max_rejected.share: allowed: 0% to 100%, or "),
        ("name: flights", "name: Flights", "a.yaml:1: name: allowed: up to 63 lower-case letters, digits and "),
        ("name: flights", "name: 2013", 'a.yaml:1: name: allowed: a text; in quotes it is one: "2013"'),
        (
            "kind: predictions",
            "kind: prediction",
            'allowed: predictions, actuals; nearest to "prediction": predictions',
        ),
        ("    group: sluice-flights\n", "", "a.yaml:4: source.kafka.group: missing. The consumer group whose "),
        ("group: sluice-flights", 'group: " "', "a.yaml:6: source.kafka.group: allowed: a text on one line, "),
        ("[flights.predictions]", "[]", "a.yaml:5: source.kafka.topics: allowed: number of entries at least 1"),
        ("[flights.predictions]", "[a, b, a]", "a.yaml:5: source.kafka.topics: each once; more than once: a"),
        ("[flights.predictions]", "\n    - a\n    - b c", "a.yaml:7: source.kafka.topics[1]: allowed: up to 249 "),
        ("[flights.predictions]", "a", "a.yaml:5: source.kafka.topics: allowed: a list"),
        ("[flights.predictions]", "[..]", "a.yaml:5: source.kafka.topics[0]: .. is no topic"),
        ("group: sluice-flights", "group: g\n    partitions: [0, 0]", "kafka.partitions: each once; more than once: 0"),
        ("group: sluice-flights", "group: g\n    partitions: [-1]", "partitions: allowed: all, or a list of "),
        (
            "group: sluice-flights",
            "group: g\n    start: 2026-01-31",
            "a.yaml:7: source.kafka.start: 2026-01-31 has no ",
        ),
        ("group: sluice-flights", "group: g\n    start: first", "a.yaml:7: source.kafka.start: allowed: earliest, "),
        ("carrier: string", "carrier: strng", "map.features.columns.carrier: allowed: string, int, float, bool, "),
        ("carrier: string", "carrier: strng", '; nearest to "strng": string'),
        ("carrier: string", "carrier: $partiton", '; nearest to "$partiton": $partition'),
        (
            "carrier: string",
            "carrier: {path: a, type: strng}",
            "columns.carrier.type: allowed: string, int, float, bool",
        ),
        (
            "carrier: string",
            "carrier: {path: a, typ: int}",
            "carrier.typ: unknown key; did you mean type? Allowed: path",
        ),
        ("carrier: string", "carrier: {path: a..b, type: int}", "columns.carrier.path: allowed: a dotted path (meta."),
        ("carrier: string", "carrier: {path: $key, type: string}", 'for a key that starts with $, write ["$key"]'),
        ("carrier: string", "carrier: {value: .inf}", "columns.carrier.value: allowed: a text, a finite number"),
        ("carrier: string", "carrier: {value: 9223372036854775808}", "carrier.value: allowed: a text, a finite number"),
        ("carrier: string", "carrier: {value: null}", "columns.carrier.value: allowed: a text, a finite number"),
        ("carrier: string", "carrier: {value: 1, type: int}", "carrier.type: unknown key; Allowed: value"),
        ("carrier: string", "a_shap: string", "a.yaml:13: map.features.columns.a_shap: a name that ends in _shap"),
        ("carrier: string", "prediction_ts: string", "columns.prediction_ts: prediction_ts is the name of a column of"),
        ("carrier: string", f"{'c' * 257}: string", "a name has at most 256 characters, this one has 257"),
        ("carrier: string", '" a": string', "a name needs a character, no control character, and no space at"),
        ("carrier: string", "a.b: string", "columns.a.b: a name with a dot needs its path: {path: …, type: string}"),
        (
            "{carrier: string, distance: float}",
            "{}",
            "map.features.columns: allowed: number of entries at least 1",
        ),
        ("{region: string}", "{carrier: string}", "a.yaml:14: map.tags.carrier: carrier is a feature too: choose "),
        ("prediction_id: id", "prediction_id: $offset", "map.prediction_id: allowed of the record's own here: $key, "),
        ("{path: scored_at, unit: ms}", "scored_at", "a.yaml:9: map.timestamp: allowed: {path: …, unit: …}, or $time"),
        ("unit: ms", "unit: min", "a.yaml:9: map.timestamp.unit: allowed: s, ms, us, ns, rfc3339"),
        (
            'version: "2013.4"',
            "version: 2013.40",
            'a.yaml:15: map.version: allowed: a text; in quotes it is one: "2013.40"',
        ),
        ('version: "2013.4"', 'version: ""', "a.yaml:15: map.version: a version needs a character"),
        ('version: "2013.4"', "version: $offset", "a.yaml:15: map.version: allowed of the record's own here: $key, "),
        (
            'version: "2013.4"',
            "version: {path: v, default: 1}",
            'map.version.default: allowed: a text; in quotes it is one: "1"',
        ),
        (
            '  version: "2013.4"\n',
            "",
            "a.yaml:7: map.version: missing. Predictions need a version, by path or constant",
        ),
        (
            "prediction: {label: prediction.label, score: prediction.score}",
            "prediction: {}",
            "a.yaml:10: map.prediction: ",
        ),
        (
            "  prediction: {label: prediction.label, score: prediction.score}\n",
            "",
            "map.prediction: missing. Predictions",
        ),
        (
            "type: binary_classification",
            "type: regression",
            "a.yaml:10: map.prediction.score: not for regression: its ",
        ),
        (
            "name: flights",
            "nmae: flights",
            "a.yaml:1: nmae: unknown key; did you mean name? Allowed: name, kind, source",
        ),
    ],
)
def test_a_problem_names_line_and_key_and_what_is_allowed(old: str, new: str, expected: str) -> None:
    found = problems(changed(old, new))
    assert [line for line in found if expected in line], found


@pytest.mark.parametrize("days", ["90", "0d", "-1d", "1.5d", "90 d", "three"])
def test_a_lifetime_is_a_number_of_days(days: str) -> None:
    assert (
        "keep.staged: allowed: a number of days (90d), at least one"
        in problems(PREDICTIONS + f"keep: {{staged: {days}}}")[0]
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("actual: {label: outcome}", "prediction: {label: x}", "a.yaml:4: map.actual: missing. Actuals need it"),
        (
            "actual: {label: outcome}",
            "prediction: {label: x}",
            "a.yaml:7: map.prediction: not for actuals: Arize would",
        ),
        (
            "actual: {label: outcome}",
            "actual: {label: x}\n  version: a",
            "a.yaml:8: map.version: not for actuals: Arize ",
        ),
        (
            "actual: {label: outcome}",
            "actual: {score: x}",
            "a.yaml:7: map.actual.score: not for regression: its number",
        ),
        (
            "[flights.actuals]",
            "[a, b], partitions: [0]",
            "source.kafka.partitions: allowed with more than one topic: all",
        ),
    ],
)
def test_the_rules_between_parts_name_the_key_to_mend(old: str, new: str, expected: str) -> None:
    found = problems(changed(old, new, ACTUALS))
    assert any(expected in line for line in found), found


def test_a_window_has_room_for_one_record_of_each_partition() -> None:
    text = changed(
        "max_records: 1000", "max_records: 2", changed("    group:", "    partitions: [0, 1, 2]\n    group:")
    )
    assert problems(text) == ["a.yaml:21: limits.max_records: at least one for each of the 3 partitions"]
    assert parsed(changed("[0, 1, 2]", "[0, 1]", text)).source.kafka.partitions == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "label: prediction.label",
            "label: $TODO",
            "a.yaml:10: map.prediction.label: to be filled in. Where the label is: text (binary_classification) or",
        ),
        ("ms}", "$TODO}", "a.yaml:9: map.timestamp.unit: to be filled in. How the event writes it: seconds (s), mil"),
        ("timestamp: {path: scored_at, unit: ms}", "timestamp: $TODO", "a.yaml:9: map.timestamp: to be filled in. "),
        ('version: "2013.4"', "version: $TODO", "a.yaml:15: map.version: to be filled in. The model's version"),
        ("model: departure-delay", "model: $TODO", "a.yaml:17: arize.model: to be filled in. The model's name"),
        ("binary_classification", '"$TODO"', "a.yaml:18: arize.type: to be filled in. The model's type in Arize"),
        ("distance: float", "distance: $TODO", "a.yaml:13: map.features.columns.distance: to be filled in. See the co"),
        (
            "tags: {region: string}",
            "tags: {region: {path: $TODO, type: string}}",
            "tags.region.path: to be filled in. ",
        ),
        ("name: flights\n", "name: flights\ndrop: [$TODO]\n", "a.yaml:2: drop[0]: to be filled in. See the comment"),
    ],
)
def test_what_a_draft_left_open_is_told_alone_with_what_belongs_there(old: str, new: str, expected: str) -> None:
    (problem,) = problems(changed(old, new))
    assert expected in problem


def test_every_problem_is_told_at_once_in_the_order_of_lines() -> None:
    text = changed("kind: predictions", "kind: x", changed("share: 10%", "share: -1", changed("unit: ms", "unit: x")))
    lines = [int(line.split(":")[1]) for line in problems(text)]
    assert lines == [2, 9, 21]


@given(
    st.sampled_from(sorted({"name", "kind", "source", "limits", "group", "topics", "max_records", "model"})), st.data()
)
def test_a_key_with_a_letter_left_out_is_found_and_set_right(key: str, data: st.DataObject) -> None:
    start = (PREDICTIONS.index(f" {key}:") + 1) if f" {key}:" in PREDICTIONS else PREDICTIONS.index(f"{key}:")
    at = start + data.draw(st.integers(0, len(key) - 1))
    line = PREDICTIONS.count("\n", 0, at) + 1
    found = problems(PREDICTIONS[:at] + PREDICTIONS[at + 1 :])
    assert [one for one in found if one.startswith(f"a.yaml:{line}: ") and f"did you mean {key}?" in one], found


@given(st.integers(0, len(PREDICTIONS)), st.integers(0, 40), st.text(max_size=8))
@example(0, len(PREDICTIONS), "[" * 1000)
@example(0, len(PREDICTIONS), "&a [*a]")
@example(0, len(PREDICTIONS), "? [a]\n: b")
@example(0, len(PREDICTIONS), "name: \x07")
@example(0, len(PREDICTIONS), "name: " + "9" * 5000)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(start: int, length: int, instead: str) -> None:
    text = PREDICTIONS[:start] + instead + PREDICTIONS[start + length :]
    words = "a.yaml:"
    try:
        assert parse_pipeline(text.encode(errors="replace"), "a.yaml").columns()
    except WrongPipelineFile as error:
        words = error.what
    assert words.startswith("a.yaml:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.yaml:1: the file is empty"),
        ("# nothing\n", "a.yaml:1: the file is empty"),
        (
            "- a\n",
            "a.yaml:1: allowed: name, kind, source, predictions, decode, when, drop, hash, map, arize, rejected, li",
        ),
        ("null", "a.yaml:1: nothing is given; allowed: name, kind, source, "),
        ("name: a\nkind: [\n", "a.yaml:3: not YAML: while parsing a flow node, "),
        ("name: a\n\tkind: b\n", "a.yaml:2: not YAML: while scanning for the next token, found character"),
        ("name: a: b\n", "a.yaml:1: not YAML: mapping values are not allowed here, column 8"),
        ("name: a\n---\nname: b\n", "a.yaml:2: not YAML: expected a single document in the stream, but found another"),
        ("name: a\nkind: \x07\n", "a.yaml:2: the character U+0007 is not allowed in YAML"),
        ("[" * 1000, "a.yaml: nested too deeply"),
        ("name: &a [*a]\n", "a.yaml:1: name[0]: an alias may not hold itself"),
        ("? [a]\n: b\n", "a.yaml:1: a key must be a text"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_with_its_line(text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in problems(text)), problems(text)


def test_what_is_not_utf_8_is_refused_with_its_line() -> None:
    assert problems(b"name: a\nkind: \xff\n") == ["a.yaml:2: not UTF-8: byte 15 of the file"]


def test_a_key_that_is_there_twice_is_refused_with_both_lines() -> None:
    assert problems(PREDICTIONS + "kind: actuals\n") == ["a.yaml:22: kind is there twice: lines 2 and 22"]
    nested = changed("{region: string}", "\n    a: int\n    b: int\n    a: int")
    assert problems(nested) == ["a.yaml:17: map.tags: a is there twice: lines 15 and 17"]


@pytest.mark.parametrize("text", ["yes", "No", "on", "OFF", "y", "12:30", "1:20:30.5", "010", "0o10", "0b11"])
def test_what_yaml_readers_take_differently_is_to_be_quoted(text: str) -> None:
    (problem,) = problems(changed("{region: string}", f"{{x: {{value: {text}}}}}"))
    assert problem.startswith(f'a.yaml:14: map.tags.x.value: YAML readers take {text} differently: write "{text}", or ')
    quoted = changed("{region: string}", f'{{x: {{value: "{text}"}}}}')
    assert column(quoted, "tag/x").origin == Constant(text)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.mkdir", "!!python/name:os.system", "!mine", "!!set", "!!binary"]
)
def test_nothing_of_yaml_constructs_an_object(tag: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    found = problems(changed("name: flights", f"name: {tag} [{made}]"))
    assert "a.yaml:1: name: tags are not read" in found[0]
    assert not made.exists()


# --- files


def test_a_file_is_found_by_its_pipelines_name_or_its_path() -> None:
    assert pipeline_names(PIPELINES) == sorted(path.stem for path in PIPELINES.glob("*.yaml"))
    assert find_pipeline("flights", PIPELINES) == SAMPLE
    assert find_pipeline(str(SAMPLE), Path("/nowhere")) == SAMPLE


def test_a_name_without_a_file_gets_the_nearest_name_and_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "flights.yaml").touch()
    (tmp_path / "trains.yaml").touch()
    for missing in ("flihgts", str(tmp_path / "flihgts.yaml")):
        with pytest.raises(WrongPipelineFile, match=r"did you mean flights\? In .*: flights, trains"):
            find_pipeline(missing, tmp_path)
    with pytest.raises(WrongPipelineFile, match=r"did you mean flights\? In .*: flights, trains"):
        load_pipeline(tmp_path / "flihgts.yaml")


def test_a_directory_without_pipeline_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(WrongPipelineFile, match="No pipeline file is in"):
        find_pipeline("flights", tmp_path / "missing")


def test_a_directory_is_no_pipeline_file(tmp_path: Path) -> None:
    with pytest.raises(WrongPipelineFile, match="Is a directory"):
        load_pipeline(tmp_path)


def test_a_copied_file_cannot_take_the_ledger_of_the_first(tmp_path: Path) -> None:
    copy = tmp_path / "trains.yaml"
    copy.write_text(PREDICTIONS)
    with pytest.raises(WrongPipelineFile, match=r"trains\.yaml:1: name: flights, but the file is called trains\.yaml"):
        load_pipeline(copy)


def test_reading_a_pipeline_imports_nothing_slow() -> None:
    slow = (
        "polars",
        "pandas",
        "pyarrow",
        "boto3",
        "confluent_kafka",
        "prefect",
        "arize",
        "requests",
        "pydantic_settings",
    )
    code = (
        "import sys; from pathlib import Path; import sluice.settings; from sluice.pipeline import load_pipeline; "
        f"load_pipeline(Path({str(SAMPLE)!r})); print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"


# --- the schema for editors

SCHEMA = json_schema()


def is_right_by_schema(data: Mapping[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(data))


def is_right_by_loader(data: Mapping[str, Any]) -> bool:
    try:
        parse_pipeline(json.dumps(data).encode(), "a.yaml")
    except WrongPipelineFile:
        return False
    return True


def with_value(place: str, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(DATA))
    *parents, last = place.split(".")
    inner = data
    for key in parents:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return data


DATA: dict[str, Any] = {
    "name": "flights",
    "kind": "predictions",
    "source": {"kafka": {"topics": ["a"], "group": "g"}},
    "map": {
        "prediction_id": "id",
        "timestamp": {"path": "t", "unit": "ms"},
        "prediction": {"label": "l"},
        "features": {"columns": {"f": "int"}},
        "version": "1",
    },
    "arize": {"model": "m", "type": "binary_classification"},
}
WORDS = [
    "int",
    "strng",
    "$key",
    "$offset",
    "$headers.a",
    "$headers.",
    "$timestamp",
    "a.b",
    "a..b",
    "",
    " ",
    "10%",
    "5 MiB",
    "all",
]
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-5, 2**63 - 1), st.floats(0.01, 0.99), st.text("a.$ ")
)
KEYS = st.sampled_from(["path", "type", "value", "unit", "default", "label", "score", "from", "columns", "x"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
PLACES = [
    *("map.prediction_id", "map.timestamp", "map.version", "map.prediction", "map.actual", "map.features", "map.tags"),
    *("map.tags.x", "map.features.columns.f", "map.features.from", "source.kafka.partitions", "source.kafka.topics"),
    *(
        "limits.max_records",
        "limits.max_bytes",
        "limits.max_seconds",
        "limits.max_windows",
        "policies.max_rejected.share",
    ),
    *("policies.on_expired", "arize.model", "name", "decode", "unknown"),
]


def test_the_schema_beside_the_sample_is_current() -> None:
    assert (PIPELINES / "pipeline.schema.json").read_text() == json_schema_text()
    assert SAMPLE.read_text().splitlines()[0] == "# yaml-language-server: $schema=pipeline.schema.json"


def test_the_schema_is_one_and_takes_what_an_editor_makes_of_the_sample() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert is_right_by_schema(DATA)
    assert is_right_by_loader(DATA)
    as_yaml_1_2 = with_value("limits", {"max_records": "100_000", "max_bytes": "128 MiB"})
    assert is_right_by_schema(as_yaml_1_2)


@given(st.sampled_from(PLACES), VALUES)
@example("map.version", "$offset")
@example("source.kafka.topics", ["$key"])
@example("map.tags", {"a_shap": "int"})
@example("map.tags", {"prediction_ts": "int"})
@example("map.tags", {"c" * 257: "int"})
@example("limits.max_bytes", 10**9 + 1)
def test_the_schema_and_the_loader_take_the_same(place: str, value: Any) -> None:
    data = with_value(place, value)
    assert is_right_by_schema(data) == is_right_by_loader(data)


def test_every_key_has_a_description_for_the_editor() -> None:
    models = [SCHEMA, *SCHEMA["$defs"].values()]
    assert all("description" in field or "$ref" in field for model in models for field in model["properties"].values())
    assert all(model["description"] for model in models)
