"""Personal data that a pipeline drops or hashes reaches neither store nor Arize, on good, bad and held records."""

from __future__ import annotations

import hmac
import io
from typing import Any

import polars as pl
import pytest

from tests.end_to_end.bench import Bench, Done
from tests.end_to_end.events import Written, append, event, topic

PERSON = "somebody-at-home"
KEY = "a key of the hash of this test"
RULE = {"max_rejected": {"share": "10%", "of_at_least": 3}}
REDACTS = {"drop": ["who", "note"], "hash": ["id"], "when": {"field": "kind", "equals": "flight"}}


def personal(number: int, **changed: Any) -> dict[str, Any]:
    own = {"kind": "flight", "who": {"mail": PERSON}, "note": [PERSON], "id": f"{PERSON}-{number}"}
    return event(number, **(own | changed))


@pytest.fixture(scope="module")
def written(bench: Bench) -> Written:
    """Good and bad records, some of them no JSON, and one of another kind: each names somebody."""
    made = topic(bench.servers, partitions=1)
    bad = [f'{{"kind": "flight", "id": "{PERSON}"'.encode(), f'"{PERSON}"'.encode()]
    append(made, 0, [personal(1), personal(2, score="high"), *bad, personal(3), personal(4, kind="click", score="no")])
    return made


def run(bench: Bench, name: str, *arguments: str, verb: str = "run") -> Done:
    return bench.sluice(verb, name, *arguments, SLUICE_HASH_KEY=KEY)


def test_no_name_of_a_person_is_kept_or_sent(bench: Bench, written: Written) -> None:
    name = bench.pipeline("personal-data", written.topic, policies=RULE, **REDACTS)
    held = run(bench, name)
    assert (held.code, held.found["unknown_fields"]) == (3, [])
    assert kept(bench, name) == {"staged": 2, "rejected": 3, "held": 6}
    bench.pipeline(name, written.topic, **REDACTS)
    word = ("--entry", "1", "redo", "--reason", "the share was too small")
    assert run(bench, name, *word, verb="resolve").code == 0
    (window,) = [item for item in run(bench, name).found["windows"] if not item["held"]]
    (counted,) = window["ranges"]
    assert (counted["staged"], counted["rejected"], counted["filtered"]) == (2, 3, 1)
    assert bench.ids(name) == sorted(hashed(f"{PERSON}-{number}") for number in (1, 3))
    assert kept(bench, name)["held"] == 6


def hashed(text: str) -> str:
    return "hmac:" + hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()


def kept(bench: Bench, name: str) -> dict[str, int]:
    """Look at each cell of each file of the pipeline, and count the rows by kind of file."""
    store = bench.books(name).store
    rows: dict[str, int] = {}
    for key in store.keys(""):
        data = store.read(key) or b""
        kind, of, *_ = key.split("/")
        if of != name or kind == "ledger":
            assert PERSON.encode() not in data or of != name, key
            continue
        frame = pl.read_parquet(io.BytesIO(data))
        assert PERSON not in str(frame.rows()), key
        rows[kind] = frame.height
    return rows


def test_the_same_search_finds_what_is_not_redacted(bench: Bench, written: Written) -> None:
    name = bench.pipeline("personal-data-kept", written.topic, when=REDACTS["when"])
    (field,) = bench.finished(name).found["unknown_fields"]
    assert (field["path"], field["line"]) == ("who.mail", "map.tags: mail: {path: who.mail, type: string}")
    with pytest.raises(AssertionError, match="parquet"):
        kept(bench, name)


def test_of_rejected_records_only_offsets_are_kept_where_the_file_says_so(bench: Bench, written: Written) -> None:
    name = bench.pipeline("personal-offsets", written.topic, rejected={"keep": "offsets"}, policies=RULE, **REDACTS)
    assert run(bench, name).code == 3
    assert kept(bench, name) == {"staged": 2, "rejected": 3}
    found = run(bench, name, "--entry", "1", verb="rejected").found
    assert [item["offset"] for item in found["records"]] == [1, 2, 3]
    done = run(bench, name, "--entry", "1", "redo", "--reason", "again", verb="resolve")
    assert (done.code, "kept no raw records" in done.said) == (2, True)


def test_without_a_key_nothing_is_read(bench: Bench, written: Written) -> None:
    name = bench.pipeline("personal-no-key", written.topic, **REDACTS)
    for variables in ({}, {"SLUICE_HASH_KEY": "short"}):
        done = bench.sluice("run", name, **variables)
        assert (done.code, "SLUICE_HASH_KEY" in done.said) == (2, True)
        assert done.steps == []
