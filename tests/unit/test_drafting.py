"""What a draft makes of events: which field is what, what it leaves to a person, and that it tells no value."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.local.events.departures import departures
from sluice.decoding.projection import Projection
from sluice.documents.problems import TODO
from sluice.drafting import Documents, Wanted, draft, learn, text_of
from sluice.drafting.names import is_name, personal_part, words
from sluice.drafting.outcome import Kind
from sluice.errors import WrongPipelineFile
from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import FromValue, Pipeline, parse_pipeline
from sluice.records import ReadRange, Record, RecordList
from sluice.windows import map_window

NOW_S = 1_790_000_000.0
GOOD = {
    "id": "a",
    "scored_at": 1_789_000_000_000,
    "prediction": {"label": "late", "score": 0.25},
    "features": {"carrier": "UA", "distance": 7.5},
    "model": {"version": "7"},
}


def drafted(
    *events: Any,
    kind: Kind | None = None,
    topic: str = "flights",
    keys: Sequence[bytes | None] = (),
    name: str = "flights",
) -> str:
    documents = Documents.of(json.dumps(event).encode() for event in events)
    guess = draft(learn(documents.objects), kind=kind, topic=topic, keys=keys)
    return text_of(guess, Wanted(topic=topic, name=name), seen=f"{len(documents.objects)} events")


def many(count: int = 30, **changed: Any) -> list[dict[str, Any]]:
    """Good events, no two with the same id; a change is a value, or made of the event's number."""

    def made(number: int) -> dict[str, Any]:
        own = {key: value(number) if callable(value) else value for key, value in changed.items()}
        return {**GOOD, "id": f"id-{number}", **own}

    return [made(number) for number in range(count)]


def pipeline(text: str) -> Pipeline:
    parsed = parse_pipeline(text.encode(), "flights.yaml")
    Projection.of(parsed.columns())
    return parsed


def open_keys(text: str) -> list[str]:
    with pytest.raises(WrongPipelineFile) as caught:
        pipeline(text)
    problems = caught.value.what.splitlines()
    assert all(": to be filled in. " in problem for problem in problems), problems
    return [problem.split(": ")[1] for problem in problems]


def line(text: str, part: str) -> str:
    (found,) = [item.strip() for item in text.splitlines() if part in item]
    return found


# --- the whole ---


def test_the_draft_of_real_departures_is_right_and_takes_each_of_them() -> None:
    values = [event.encode() for event in departures(date(2026, 9, 1), stop=500)["event"]]
    documents = Documents.of(values)
    guess = draft(learn(documents.objects), kind=None, topic="flights.predictions")
    parsed = pipeline(text_of(guess, Wanted(topic="flights.predictions", name="flights"), seen="500 events"))
    assert (parsed.kind, parsed.arize.type) == ("predictions", "binary_classification")
    origins = {column.name: column.origin for column in parsed.columns()}
    assert origins["prediction_id"] == FromValue(("id",))
    assert origins["prediction_ts"] == FromValue(("scored_at",))
    assert origins["prediction_label"] == FromValue(("prediction", "label"))
    assert origins["prediction_score"] == FromValue(("prediction", "score"))
    assert origins["version"] == FromValue(("model", "version"))
    assert {"feature/carrier", "feature/night", "feature/precip", "tag/region", "tag/meta_host"} <= origins.keys()
    at = Partition("flights.predictions", 0)
    records = [
        Record(partition=at, offset=number, timestamp_ms=0, key=None, value=value, headers=())
        for number, value in enumerate(values)
    ]
    read = ReadRange(range=OffsetRange(at, 0, len(values)), records=RecordList(records))
    newest = max(json.loads(value)["scored_at"] for value in values) / 1000
    mapped = map_window(parsed, [read], now_s=newest)
    assert (mapped.frame.height, mapped.rejected) == (500, ())


def test_a_draft_begins_as_the_sample_file_does_and_says_what_comes_next() -> None:
    head = drafted(*many()).split("\n\nname:")[0].splitlines()
    assert head[0] == "# yaml-language-server: $schema=pipeline.schema.json"
    steps = [item.split(maxsplit=2)[2] for item in head if item.startswith("#   ")]
    assert [step.split("   ")[0] for step in steps] == [
        "Keep it as deployments/pipelines/flights.yaml. Review it.",
        "sluice check flights",
        "sluice preview flights",
        "sluice plan flights",
        "sluice check --deployments",
    ]


USUAL = (
    "id uuid prediction prediction_id label score actual outcome version model_version ts created_at features type "
    "email name timestamp yes null prediction_label value a.b grösse inputs x_shap"
)
KEYS = st.sampled_from(USUAL.split()) | st.text(string.ascii_letters + "_-.0 é$#:", max_size=9)
WORDS = st.text("ЖЩЫЮЯЭ", min_size=6, max_size=12)  # no key and no word of a draft is written so
LEAVES = st.one_of(
    *(st.none(), st.booleans(), WORDS, st.sampled_from(["2026-11-01T00:00:00Z", "1.2.3.4"])),
    *(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just(1_790_000_000_123)),
)
OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)),
    max_size=9,
)


@settings(max_examples=50)  # thousands passed once
@given(
    st.lists(OBJECTS, min_size=1, max_size=8),
    st.sampled_from([None, "predictions", "actuals"]),
    st.lists(st.none() | st.binary(max_size=4), max_size=4),
)
def test_whatever_is_sampled_the_draft_is_a_file_that_is_right_but_for_what_it_leaves_open(
    events: list[dict[str, Any]], kind: Kind | None, keys: list[bytes | None]
) -> None:
    text = drafted(*events, kind=kind, keys=keys)
    assert yaml.safe_load(text)["name"] == "flights"
    assert not set("ЖЩЫЮЯЭ").intersection(text)
    body = [item.partition("#")[0] for item in text.splitlines()]
    if any(TODO in item for item in body):
        assert len(open_keys(text)) == sum(TODO in item for item in body)
    else:
        assert pipeline(text).name == "flights"


@settings(max_examples=25)
@given(st.lists(OBJECTS, min_size=1, max_size=8))
def test_what_is_left_open_is_all_that_keeps_a_draft_from_being_right(events: list[dict[str, Any]]) -> None:
    told = {
        "{label: $TODO}": "{label: told}",
        "version: $TODO": 'version: "1"',
        "prediction_id: $TODO": "prediction_id: told",
    }
    text = drafted(*events, kind="predictions").replace("type: $TODO", "type: binary_classification")
    for open_, filled in told.items():
        text = text.replace(open_, filled)
    parse_pipeline(text.encode(), "flights.yaml")


@pytest.mark.parametrize("name", ["yes", "null", "1", "0x1", "1e5", "2026-01-01"])
def test_a_pipeline_may_be_called_as_yaml_calls_something_else(name: str) -> None:
    text = drafted(*many(), name=name, topic=name)
    found = pipeline(text)
    assert (found.name, found.arize.model, found.source.kafka.topics) == (name, name, (name,))
    assert yaml.safe_load(text)["name"] == name


def test_another_connection_than_the_default_is_in_the_draft() -> None:
    guess = draft(learn(many()), kind=None, topic="flights")
    text = text_of(guess, Wanted(topic="flights", name="flights", connection="events"), seen="30 events")
    assert pipeline(text).source.kafka.connection == "events"


# --- which field is what ---


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "prediction_id: id "),
        ({"request_id": lambda n: f"r{n}"}, "prediction_id: id "),
        ({"prediction_id": lambda n: f"p{n}"}, "prediction_id: prediction_id "),
        ({"id": "same", "request_id": lambda n: f"r{n}"}, "prediction_id: request_id "),
        ({"id": lambda n: n, "trace": lambda n: {"uuid": f"u{n}"}}, "prediction_id: trace.uuid "),
        ({"id": lambda n: n}, "prediction_id: $TODO "),
        ({"id": lambda n: "x" * 600 + str(n)}, "prediction_id: $TODO "),
        ({"id": lambda n: f"somebody{n}@example.org"}, "prediction_id: $TODO "),
    ],
)
def test_an_id_is_text_that_tells_events_apart_and_is_called_so(changed: dict[str, Any], expected: str) -> None:
    assert line(drafted(*many(**changed)), "prediction_id:").startswith(expected)


def test_keys_serve_as_ids_where_no_field_does_and_no_two_are_alike() -> None:
    events = many(id=lambda number: number)
    assert line(drafted(*events, keys=[b"a", b"b"]), "prediction_id:").startswith("prediction_id: $key ")
    phones = [b"+49 170 1234567", b"+1 (212) 555-0100"]
    for keys in ([b"a", b"a"], [b"a", None], [b"\xff", b"b"], [b"a@b", b"c@d"], phones, []):
        assert open_keys(drafted(*events, keys=keys)) == ["map.prediction_id"]


@pytest.mark.parametrize(
    ("field", "value", "unit"),
    [
        ("ts", 1_789_000_000, "s"),
        ("ts", 1_789_000_000.25, "s"),
        ("ts", 1_789_000_000_000, "ms"),
        ("eventTime", 1_789_000_000_000_000, "us"),
        ("created_at", 1_789_000_000_000_000_000, "ns"),
        ("when_it_was", "2026-11-01T05:15:00.25-05:00", "rfc3339"),
    ],
)
def test_a_time_is_found_by_its_name_and_its_unit_by_its_magnitude(field: str, value: Any, unit: str) -> None:
    events = [{key: item for key, item in event.items() if key != "scored_at"} for event in many(**{field: value})]
    assert line(drafted(*events), "timestamp:").startswith(f"timestamp: {{path: {field}, unit: {unit}}} ")


def test_without_a_time_in_the_event_the_record_s_own_is_taken_and_that_is_said() -> None:
    events = many(scored_at=12)
    assert line(drafted(*events), "timestamp:").split("# ") == [
        "timestamp: $timestamp".ljust(32),
        "Kafka's own: no field is named like a time and holds one",
    ]


@pytest.mark.parametrize("value", ["2026-11-01", "2026-11-01 05:15:00", "2026-11-01T05:15:00+0100", "1789000000000"])
def test_a_time_that_cannot_be_mapped_is_said_to_be_there_and_is_no_feature(value: str) -> None:
    text = drafted(*many(scored_at=value, features=None))
    assert (
        line(text, "timestamp:").partition("# ")[2].startswith("Kafka's own: scored_at is no time that can be mapped")
    )
    assert "tag/scored_at" in columns(text)


def test_of_several_times_the_one_of_the_prediction_is_taken_and_the_others_are_tags() -> None:
    text = drafted(*many(created_at="2026-11-01T00:00:00Z"))
    assert "path: scored_at, unit: ms" in text
    assert pipeline(text).map.tags["created_at"] == "string"


@pytest.mark.parametrize(
    ("said", "type_", "label", "score"),
    [
        (
            {"label": lambda n: "ab"[n % 2], "score": 0.5},
            "binary_classification",
            "prediction.label",
            "prediction.score",
        ),
        ({"label": lambda n: "ab"[n % 2]}, "binary_classification", "prediction.label", None),
        ({"label": True, "score": 0.5}, "binary_classification", None, "prediction.score"),
        ({"label": lambda n: n % 2, "probability": 0.5}, "binary_classification", None, "prediction.probability"),
        ({"score": 0.5}, "binary_classification", None, "prediction.score"),
        ({"score": lambda n: n * 1.5}, "regression", "prediction.score", None),
        ({"value": lambda n: n * 1.5}, "regression", "prediction.value", None),
        ({"minutes_late": lambda n: n * 1.5}, "regression", "prediction.minutes_late", None),
        ({"value": lambda n: n * 1.5, "confidence": 0.5}, "regression", "prediction.value", None),
    ],
)
def test_the_type_of_the_model_is_what_label_and_score_are(
    said: dict[str, Any], type_: str, label: str | None, score: str | None
) -> None:
    def prediction(number: int) -> dict[str, Any]:
        return {key: value(number) if callable(value) else value for key, value in said.items()}

    found = pipeline(drafted(*many(prediction=prediction)))
    assert found.map.prediction is not None
    assert found.arize.type == type_
    assert [found.map.prediction.label, found.map.prediction.score] == [
        None if path is None else FromValue(tuple(path.split("."))) for path in (label, score)
    ]


@pytest.mark.parametrize(
    ("prediction", "open_"),
    [
        ({"label": True}, ["map.prediction.label"]),
        ({"label": 1}, ["map.prediction.label"]),
        ({"why": "so", "how": "so"}, ["map.prediction.label", "arize.type"]),
        ({"label": ["late"]}, ["map.prediction.label", "arize.type"]),
    ],
)
def test_a_label_that_cannot_be_guessed_is_left_to_a_person(prediction: dict[str, Any], open_: list[str]) -> None:
    assert open_keys(drafted(*many(prediction=prediction))) == open_


def test_three_labels_are_more_than_a_binary_classification_takes() -> None:
    assert open_keys(drafted(*many(prediction=lambda number: {"label": "abc"[number % 3]}))) == ["arize.type"]


def test_a_third_label_that_is_an_exception_is_said_and_no_more() -> None:
    events = many(100, prediction=lambda number: {"label": "ab"[number % 2] if number else "c"})
    text = drafted(*events)
    assert pipeline(text).arize.type == "binary_classification"
    assert line(text, "prediction:").endswith("# two labels, but for a few")


def test_a_version_is_text_of_the_model_s_and_is_left_open_where_there_is_none() -> None:
    others: dict[str, Any] = {"schema_version": "3", "app": {"version": "4"}, "model_version": 5}
    assert open_keys(drafted(*many(model=None, **others))) == ["map.version"]
    assert "version: {path: model_version} " in drafted(*many(model=None, **others | {"model_version": "5"}))


def test_actuals_are_told_by_what_they_hold_or_by_the_topic_s_name() -> None:
    true = [
        {"id": f"id-{number}", "at": 1_789_000_000, "actual": {"label": "late"}, "gate": "B7"} for number in range(3)
    ]
    found = pipeline(drafted(*true))
    assert (found.kind, found.map.tags, found.map.features, found.map.version) == ("actuals", {}, None, None)
    assert "# predictions: $TODO\narize:" in drafted(*true)
    assert "# predictions:" not in drafted(*many())
    called = [{"id": event["id"], "label": "late"} for event in true]
    assert pipeline(drafted(*called, topic="flights.actuals")).kind == "actuals"
    assert pipeline(drafted(*called, kind="actuals")).kind == "actuals"
    assert "kind: predictions" in drafted(*called)


def test_what_came_true_is_no_feature_of_a_prediction() -> None:
    events = [
        {key: value for key, value in event.items() if key != "features"} for event in many(actual_label="late", hour=7)
    ]
    found = pipeline(drafted(*events))
    assert found.map.features is not None
    assert set(found.map.features.columns) == {"hour"}
    assert "it may be what came true" in line(drafted(*events), "actual_label")


def test_an_input_is_a_feature_whatever_its_name_speaks_of() -> None:
    inputs = {"predicted_rain": 0.5, "observed_wind": 7.5, "score": 0.25, "label": "x", "distance": 1.5}
    found = columns(drafted(*many(features=inputs)))
    assert {f"feature/{name}" for name in inputs} <= found.keys()


# --- columns ---


def columns(text: str) -> dict[str, str]:
    return {column.name: column.type for column in pipeline(text).columns() if "/" in column.name}


def test_every_number_is_a_float_and_whole_ones_are_said_to_be_whole() -> None:
    text = drafted(*many(features={"whole": 7, "half": 7.5, "text": "7", "flag": True}))
    assert {name: type_ for name, type_ in columns(text).items() if name.startswith("feature/")} == {
        "feature/whole": "float",
        "feature/half": "float",
        "feature/text": "string",
        "feature/flag": "bool",
    }
    assert "only whole numbers: int, if it can never be a fraction" in line(text, "whole: float")
    assert "whole numbers" not in line(text, "half: float")


def test_comments_say_how_often_and_how_different() -> None:
    text = drafted(*[event | {"gate": gate} for event, gate in zip(many(4), ["x", "x", None, "y"], strict=True)])
    assert line(text, "gate:").endswith("# in 3 of 4, null in 1, 2 different")


def test_without_an_object_of_features_the_rest_are_features_by_flat_names_and_what_never_repeats_is_a_tag() -> None:
    flat = many(features=None, hour=7, plane={"seats": 100}, note=lambda number: f"note {number}")
    found = columns(drafted(*flat))
    assert {"feature/hour", "feature/plane_seats", "tag/note", "tag/partition", "tag/offset"} <= found.keys()


def test_two_columns_never_share_a_name_and_none_has_one_of_arize_s() -> None:
    features = {"prediction_score": 1.5, "offset": 2, "region": "x", "a": {"b": 1}, "a_b": 2}
    found = columns(drafted(*many(features=features, region="y", scored={"region": "z"})))
    assert len({name.partition("/")[2] for name in found}) == len(found)
    assert "feature/prediction_score_2" in found


def test_names_that_yaml_would_take_for_something_else_are_quoted() -> None:
    found = columns(drafted(*many(features={"yes": 1, "null": 2, "on": "x", "grösse": "m", "a.b": 2, "x-y": 1})))
    assert {"feature/yes", "feature/null", "feature/on", "feature/grösse", "feature/a.b", "feature/x-y"} <= found.keys()


def test_lists_mixed_fields_nulls_and_very_long_texts_are_left_out_with_the_reason() -> None:
    changed: dict[str, Any] = {
        "items": [1],
        "mixed": lambda n: n if n % 2 else "x",
        "empty": None,
        "long": "x" * 30_000,
        "x_shap": 0.5,
    }
    text = drafted(*many(**changed))
    assert not {"items", "mixed", "empty", "long", "x_shap"} & {name.partition("/")[2] for name in columns(text)}
    assert "#   items: a list is no column; in all" in text
    assert "#   mixed: of several types; in all, 15 string, 15 number" in text
    assert "#   empty: only null was seen; in 0 of 30, null in 30" in text
    assert "#   long: longer than a tag may be; in all" in text
    assert "#   x_shap: Arize takes the name for a SHAP value; in all" in text


def test_an_exception_spoils_no_field() -> None:
    events = [*many(40), GOOD | {"id": 7, "scored_at": "soon", "prediction": "none", "features": []}]
    text = drafted(*events)
    assert pipeline(text).map.features is not None
    assert line(text, "prediction_id:").endswith("# in all, 1 of another type, which would be rejected, 40 different")


def test_the_keys_of_a_map_by_ids_are_counted_and_none_is_listed() -> None:
    def by_user(number: int) -> dict[str, Any]:
        return {"total": 3, **{f"user{string.ascii_letters[number + at]}": at for at in range(3)}}

    text = drafted(*many(features=lambda number: {"distance": 1.5, "clicks": by_user(number)}))
    assert "user" not in text.partition("#   5.")[2]
    assert "#   features.clicks: keys that may be data and not names: 32; none is told" in text
    assert "feature/clicks_total" in columns(text)


PEOPLE = ["alice", "bob", "carol", "dave", "mallory"]


@pytest.mark.parametrize(
    "maps",
    [
        [{"scores": {name: 1.5}} for name in PEOPLE],
        [{"scores": {name: 1.5}} for name in PEOPLE[:2]],
        [{"scores": {name: 1.5}} for name in (PEOPLE[0], *PEOPLE[:2])],
        [{"scores": {"total": 3, name: 1}} for name in PEOPLE],
        [{"scores": {name: {"n": 1, "at": "x"}}} for name in PEOPLE],
        [{"scores": {name: {other: 1}}} for name, other in zip(PEOPLE, PEOPLE[1:] + PEOPLE[:1], strict=True)],
        [{"scores": {f"{name}@example.org": 1, "n": 2}} for name in PEOPLE],
        [{"scores": {f"{name}@example.org": 1, "n": 2}} for name in PEOPLE[:1] * 30],
        [{"scores_by_user": {name: 1, "n": 2}} for name in PEOPLE[:1]],
        [{name: {"n": 1}} for name in PEOPLE],
        [{"n": 1}] * 9 + [{"n": 1, "alice": "x"}],
    ],
)
def test_the_keys_of_few_and_small_maps_are_told_neither(maps: list[dict[str, Any]]) -> None:
    text = drafted(*maps)
    assert not [name for name in PEOPLE if name in text]
    assert "keys that may be data and not names" in text


def test_features_that_few_events_have_and_events_of_different_shapes_are_no_maps() -> None:
    sparse = many(9, features=lambda number: {f"clicks_{at}": 1 for at in "abcdef" if (number + ord(at)) % 5 == 0})
    assert {f"feature/clicks_{at}" for at in "abcdef"} <= columns(drafted(*sparse)).keys()
    kinds: list[dict[str, Any]] = [{"x": 1, "page": "p"}, {"item": "i", "seconds": 1.5}]
    found = columns(drafted(*many(8, features=None, payload=lambda number: kinds[number % 2])))
    assert {f"feature/payload_{key}" for key in ("x", "page", "item", "seconds")} <= found.keys()


def test_an_object_that_is_called_a_map_has_fields_where_nearly_all_of_many_events_have_them() -> None:
    events = many(latency_per_request=lambda number: {"p50": 1.5, "p99": 2.5, f"user{'abc'[number % 3]}": 1})
    assert {"tag/latency_per_request_p50", "tag/latency_per_request_p99"} <= columns(drafted(*events)).keys()
    assert "usera" not in drafted(*events)
    assert "p50" not in drafted(*events[:19])


def test_a_name_with_spaces_and_the_like_is_one_where_nearly_all_of_many_events_have_it() -> None:
    odd: dict[str, Any] = {"Age (years)": 7, "dc:title": "x", "@timestamp": "2026-11-01T00:00:00Z"}
    few, some = drafted(*many(5, features=odd)), drafted(*many(features=odd))
    assert not [key for key in odd if key in few]
    assert {f"feature/{key}" for key in odd} <= columns(some).keys()


def test_a_wide_object_of_the_same_names_is_a_wide_object() -> None:
    wide = {f"f_{one}{other}": 1.5 for one in string.ascii_letters for other in "abc"}
    assert len([name for name in columns(drafted(*many(features=wide))) if "/f_" in name]) == len(wide)


def test_so_many_fields_are_looked_at_and_no_more() -> None:
    wide = {
        f"{one}{other}": {f"f_{inner}": 1 for inner in string.ascii_letters} for one in "ab" for other in "cdefghijklm"
    }
    text = drafted(*many(2, wide=wide))
    assert "#   more than 1,000 fields and objects: the others were not looked at" in text
    assert 900 < len(columns(text)) < 1000
    assert "more than" not in drafted(*many(2))


def test_what_is_nested_too_deeply_is_said() -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(12):
        deep = {"in": deep}
    assert "#   deep.in.in.in.in.in.in.in: nested too deeply to be looked at" in drafted(*many(deep=deep))


# --- personal data, and kinds ---


def test_what_may_be_of_a_person_is_proposed_and_mapped_nowhere() -> None:
    person = {"email": "e", "first_name": "f", "seat": "1A", "email_verified": True}
    changed: dict[str, Any] = {
        "passenger": person,
        "features": {"ip": "i", "distance": 1.5},
        "contact": "somebody@example.org",
    }
    text = drafted(*many(**changed))
    assert "# drop: [features.ip, passenger.email, passenger.first_name, contact]\n" in text
    assert "# hash: [features.ip, passenger.email, passenger.first_name, contact]\n" in text
    assert "contact (looks like e-mail addresses)" in " ".join(text.replace("\n# ", " ").split())
    assert {"tag/passenger_seat", "tag/passenger_email_verified"} <= columns(text).keys()
    assert not {name for name in columns(text) if "ip" in name.split("_") or "contact" in name or "first" in name}
    for key in ("drop", "hash"):
        assert len(getattr(pipeline(text.replace(f"# {key}: [", f"{key}: [")), key)) == 4


def test_one_text_in_ten_that_holds_an_address_is_enough_and_a_phone_number_is_one() -> None:
    def note(number: int) -> str:
        return "fine" if number % 10 else f"ask Jo <jo{number}@example.org>"

    text = drafted(*many(note=note, contact=lambda number: f"+49 (170) 12345{number}"))
    assert "# drop: [note, contact]\n" in text


def test_an_object_that_is_of_a_person_is_proposed_as_a_whole() -> None:
    text = drafted(*many(address={"line": "a", "number": 7}))
    assert "# drop: [address]\n" in text
    assert "# hash" not in text


def test_a_field_that_tells_shapes_apart_is_proposed_without_its_values() -> None:
    text = drafted(*many(type="prediction"), *({"type": "click", "page": "x"} for _ in range(10)))
    assert "# when: {field: type, equals: $TODO}\n" in text
    assert "click" not in text
    assert open_keys(text.replace("# when:", "when:")) == ["when.equals"]


def test_a_type_that_goes_with_one_shape_is_no_reason_to_filter() -> None:
    assert "when:" not in drafted(*many(type=lambda number: "ab"[number % 2]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("email",), ("email",)),
        (("user", "homeAddress", "line"), ("user", "homeAddress")),
        (("user", "name"), ("user", "name")),
        (("name",), ("name",)),
        (("model", "name"), None),
        (("host_name",), None),
        (("shipping",), None),
        (("distance",), None),
    ],
)
def test_names_that_speak_of_a_person(path: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    assert personal_part(path) == expected


@pytest.mark.parametrize(
    "key", ["", "two words", "a@b.c", "7up", "user123456", "deadbeefdeadbeef", "a" * 65, "a\nb", "$x"]
)
def test_a_key_that_looks_like_data_is_no_name(key: str) -> None:
    assert not is_name(key)


def test_words_of_a_name() -> None:
    assert words("modelVersion_URL2") == ["model", "version", "url", "2"]


# --- what is no event ---


def test_values_are_judged_as_a_run_does() -> None:
    deep = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
    found = Documents.of(
        [b'{"a": 1}', None, b"", b"{", b"[1]", b'{"a": NaN}', b"\xff", b'{"a": ' + b"1" * 5000 + b"}", deep]
    )
    assert (found.objects, found.tombstones, found.total) == ([{"a": 1}], 1, 9)
    assert found.faults == {
        "empty value": 1,
        "not JSON": 2,
        "not an object": 1,
        "not UTF-8": 1,
        "not read by a draft": 2,
    }
