"""`drop`, `hash` and `rejected`: what is kept of a record, and that nothing else changes in it."""

from __future__ import annotations

import hmac
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import WrongPipelineFile
from sluice.offsets import Partition
from sluice.pipeline import Pipeline, parse_pipeline
from sluice.records import Record, Rejected
from sluice.redaction import Redaction

FILE = """\
name: flights
kind: actuals
source: {kafka: {topics: [flights], group: sluice-flights}}
map:
  prediction_id: id
  timestamp: {path: at, unit: ms}
  actual: {label: label}
  tags: {region: string, trace: $headers.trace, hour: {path: when.hour, type: int}}
arize: {model: delay, type: regression}
"""
KEY = "a key of the hash"


def pipeline(*lines: str) -> Pipeline:
    return parse_pipeline((FILE + "\n".join(lines)).encode(), "flights.yaml")


def redaction(*lines: str) -> Redaction:
    return Redaction.of(pipeline(*lines), KEY)


def record(value: bytes | None = b"{}", key: bytes | None = None, **headers: bytes) -> Record:
    return Record(
        partition=Partition("flights", 0),
        offset=7,
        timestamp_ms=1,
        key=key,
        value=value,
        headers=tuple(headers.items()),
    )


def kept(value: bytes, *lines: str) -> bytes:
    found = redaction(*lines).record(record(value)).value
    assert found is not None
    return found


def hashed(text: str) -> str:
    return "hmac:" + hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()


# ── dropping


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"id": "a", "who": {"mail": "a@b"}}', b'{"id": "a", "who": {"mail": null}}'),
        (b'{"who":{"mail":"a@b","x":1.50},"id":1e2}', b'{"who":{"mail":null,"x":1.50},"id":1e2}'),
        (
            b' {\r\n "who" : { "mail" : [ "a", {"b": "}"} ] , "y":2 } }\n',
            b' {\r\n "who" : { "mail" : null , "y":2 } }\n',
        ),
        (
            b'{"who": [{"mail": "a"}, {"x": [1]}, {"mail": "b"}]}',
            b'{"who": [{"mail": null}, {"x": [1]}, {"mail": null}]}',
        ),
        (b'{"who": {"mail": "a", "mail": {"b": 1}}}', b'{"who": {"mail": null, "mail": null}}'),
        (b'{"who": {"m\\u0061il": "a"}}', b'{"who": {"m\\u0061il": null}}'),
        (b'{"who": {"mail": "say \\"}\\\\"}, "mail": "kept"}', b'{"who": {"mail": null}, "mail": "kept"}'),
        (b'{"who": {"x": {"mail": "kept"}}}', b'{"who": {"x": {"mail": "kept"}}}'),
        (b'{"who": "mail"}', b'{"who": "mail"}'),
        (b'{"who": {"mail": ' + b"1" * 5_000 + b"}}", b'{"who": {"mail": null}}'),
        (b"{}", b"{}"),
        (b'{"who": {"mail": "a@b"', b""),
        (b'{"who": {"mail": "a@b"}} {}', b""),
        (b'[{"who": {"mail": "a@b"}}]', b""),
        (b'"a@b"', b""),
        (b"a@b", b""),
        (b'\xff{"who": 1}', b""),
        (b'{"who":' + b"[" * 20_000 + b"]" * 20_000 + b"}", b""),
    ],
)
def test_a_dropped_field_is_null_where_it_stood_and_nothing_else_changes(value: bytes, expected: bytes) -> None:
    assert kept(value, "drop: [who.mail]") == expected


def test_a_megabyte_of_white_space_is_passed_in_no_more_time_than_it_takes_to_read() -> None:
    space = b"\n" * 1_000_000  # where each of them is looked at again for each, this takes hours
    value = space + b'{"who":' + space + b'{"mail": "a@b"}}' + space
    assert kept(value, "drop: [who.mail]") == value.replace(b'"a@b"', b"null")


def test_what_is_kept_does_not_depend_on_how_deep_the_caller_stands() -> None:
    value = b'{"who": {"mail": "a@b"}, "x": ' + b"[" * 700 + b"]" * 700 + b"}"

    def from_below(calls: int) -> bytes:
        return from_below(calls - 1) if calls else kept(value, "drop: [who.mail]")

    assert from_below(0) == from_below(300) == b""


names = st.sampled_from(["who", "mail", "id", 'a"b', "ü"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@given(document=st.dictionaries(names, documents, max_size=4), indent=st.sampled_from([None, 1]))
def test_every_document_is_redacted_as_one_would_by_hand(document: dict[str, Any], indent: int | None) -> None:
    value = json.dumps(document, indent=indent, ensure_ascii=indent is None).encode()
    found = json.loads(kept(value, "drop: [who.mail]", "hash: [id]"))
    assert found == by_hand(document, ())


def by_hand(found: Any, path: tuple[str, ...]) -> Any:
    if path == ("who", "mail"):
        return None
    if path == ("id",):
        return hashed(found) if isinstance(found, str) else None
    if isinstance(found, list):
        return [by_hand(item, path) for item in found]
    return {key: by_hand(item, (*path, key)) for key, item in found.items()} if isinstance(found, dict) else found


def test_keys_and_headers_can_be_dropped_and_hashed() -> None:
    given_ = record(key=b"k", trace=b"t", other=b"o")
    dropped = redaction("drop: [$key, $headers.other]").record(given_)
    assert (dropped.key, dropped.headers, dropped.value) == (None, (("trace", b"t"),), b"{}")
    hashes = redaction("hash: [$key, $headers.trace]").record(given_)
    assert (hashes.key, dict(hashes.headers)) == (hashed("k").encode(), {"trace": hashed("t").encode(), "other": b"o"})


def test_a_tombstone_stays_one_and_a_pipeline_that_redacts_nothing_keeps_records_as_they_are() -> None:
    assert redaction("drop: [who]").record(record(None)).value is None
    given_ = record(b"\xff", key=b"k")
    assert redaction().record(given_) is given_


# ── hashing


def test_a_hash_is_keyed_and_the_same_for_the_same_text_and_never_taken_twice() -> None:
    once = kept(b'{"id": "a", "at": 1}', "hash: [id]")
    assert once == b'{"id": "%s", "at": 1}' % hashed("a").encode()
    assert kept(once, "hash: [id]") == once
    assert Redaction.of(pipeline("hash: [id]"), "another key of the hash").record(record(b'{"id": "a"}')).value != once


def test_a_hashed_field_that_is_no_text_is_not_kept() -> None:
    assert kept(b'{"id": 7, "x": 7}', "hash: [id]") == b'{"id": null, "x": 7}'
    assert kept(b'{"id": {"a": "b"}}', "hash: [id]") == b'{"id": null}'


def test_staged_columns_of_a_hashed_field_hold_the_hash_that_raw_records_hold() -> None:
    found = redaction("hash: [id, $headers.trace]")
    frame = pl.DataFrame({"prediction_id": ["a", "b"], "tag/region": ["x", "y"], "tag/trace": ["t", None]})
    columns = pipeline().columns()
    assert found.rows(frame, columns).to_dict(as_series=False) == {
        "prediction_id": [hashed("a"), hashed("b")],
        "tag/region": ["x", "y"],
        "tag/trace": [hashed("t"), None],
    }
    assert found.rows(found.rows(frame, columns), columns).equals(found.rows(frame, columns))


def test_the_key_of_the_hash_shows_nowhere() -> None:
    assert KEY not in repr(redaction("hash: [id]"))


# ── rejected records


def test_of_rejected_records_only_where_they_were_can_be_kept() -> None:
    given_ = Rejected(record=record(b'{"who": "a@b"}', key=b"k", trace=b"t"), reason="id: missing")
    (found,) = redaction("rejected: {keep: offsets}").rejected([given_])
    assert (found.record.offset, found.record.timestamp_ms, found.reason) == (7, 1, "id: missing")
    assert (found.record.key, found.record.value, found.record.headers) == (None, None, ())
    (raw,) = redaction("drop: [who]").rejected([given_])
    assert (raw.record.key, raw.record.value) == (b"k", b'{"who": null}')


# ── wrong files


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("drop: [id]", "drop.0: is mapped, as prediction_id: a dropped field is staged nowhere"),
        ("drop: [when]", "drop.0: is mapped, as tag/hour"),
        ("drop: [$headers.trace]", "drop.0: is mapped, as tag/trace"),
        ("drop: [a.b, a]", "drop.1: named twice, or below another field"),
        ("drop: [a]\nhash: [a.b]", "hash.0: named twice, or below another field"),
        ("hash: [a, a]", "hash.1: named twice"),
        ("hash: [at]", "hash.0: is mapped as prediction_ts, which is no text"),
        ("hash: [when.hour]", "hash.0: is mapped as tag/hour, which is no text"),
        ("hash: [when]", "hash.0: is mapped as tag/hour, which is no text"),
        ("hash: [$offset]", "$key, $headers.<name>"),
        ("drop: id", "drop"),
        ("rejected: {keep: some}", "rejected.keep"),
    ],
)
def test_a_file_that_cannot_be_kept_to_is_refused(line: str, says: str) -> None:
    with pytest.raises(WrongPipelineFile) as wrong:
        pipeline(line)
    assert says in str(wrong.value)
