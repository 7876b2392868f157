"""The ledger alone tells what was sent: every row, as it went out, without Kafka, artifacts or the pipeline file."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.end_to_end.bench import Bench
from tests.end_to_end.books import Books, Name
from tests.end_to_end.events import Written


@pytest.fixture(params=["directory", "bucket"])
def stored(request: pytest.FixtureRequest, flights: Written) -> tuple[Bench, str]:
    """A delivered pipeline, and where."""
    where = {"directory": "bench", "bucket": "bench_on_s3"}[request.param]
    bench: Bench = request.getfixturevalue(where)
    name = bench.pipeline(f"replay-{request.param}", flights.topic)
    bench.finished(name)
    return bench, name


def test_every_row_that_was_sent_is_in_a_staged_file_that_its_entry_names(
    stored: tuple[Bench, str], flights: Written
) -> None:
    bench, name = stored
    books = bench.books(name)
    books.audit(flights)
    books.audit_delivered()
    sent = pl.concat([part for number in books.sealed for part in parts(books, number)]).sort("prediction_id")
    arrived = pl.DataFrame(bench.arize.rows(name, limit=10_000)).sort("prediction_id")
    assert sent.height == len(flights.good)
    assert sent["prediction_id"].to_list() == arrived["prediction_id"].to_list()
    assert sent["version"].to_list() == arrived["model_version"].to_list()
    same = {column: column.replace("prediction_ts", "timestamp") for column in sent.columns}
    for column, theirs in same.items():
        if theirs in arrived.columns:
            assert sent[column].to_list() == arrived[theirs].to_list(), column
    compared = set(same.values()) & set(arrived.columns)
    assert {"feature/distance", "tag/offset", "prediction_label", "prediction_score"} <= compared


def parts(books: Books, number: Name) -> list[pl.DataFrame]:
    """The rows of each part of an entry, found by what the entry says of it."""
    entry = books.sealed[number]
    frame = books.frame(entry["staged"])
    found = [frame.filter(pl.col("version") == part["version"]) for part in entry["parts"]]
    assert [item.height for item in found] == [part["rows"] for part in entry["parts"]]
    return found


def test_an_entry_says_where_its_rows_came_from_where_they_went_and_by_which_file(
    stored: tuple[Bench, str], flights: Written
) -> None:
    bench, name = stored
    books = bench.books(name)
    ledger_id, topic_id = books.entries[0]["id"], books.entries[0]["topics"][0]["topic_id"]
    assert ledger_id
    for entry in books.sealed.values():
        assert entry["destination"] == {
            "path": "sdk", "connection": "default", "space": bench.arize.space_id, "model": name,
            "type": "binary_classification", "environment": "production",
        }  # fmt: skip
        assert {item["topic_id"] for item in entry["ranges"]} == {topic_id}
        text = books.store.read(f"ledger/{name}/files/{entry['pipeline_sha256']}.yaml")
        assert text == bench.file(name).read_bytes()
    rejected = pl.concat([books.frame(entry["rejected"]) for entry in books.sealed.values() if "rejected" in entry])
    places: list[Any] = list(rejected.select("partition", "offset").iter_rows())
    classes = [
        (number, offset, kind) for number in flights.classes for offset, kind in enumerate(flights.classes[number])
    ]
    assert places == [(number, offset) for number, offset, kind in classes if kind == "rejected"]
    assert rejected["reason"].null_count() == 0


def test_each_receipt_names_its_send_and_what_arize_said(stored: tuple[Bench, str]) -> None:
    bench, name = stored
    books = bench.books(name)
    for (number, part), outcomes in books.every_outcome().items():
        (delivery,) = books.deliveries(number, part)
        assert outcomes == ["accepted"]
        assert delivery["outcome"]["intent"] == delivery["intent"]["id"]
        assert (delivery["outcome"]["status"], delivery["outcome"]["by"]) == (200, "sender")
        assert delivery["outcome"]["rows"] == books.sealed[number]["parts"][part]["rows"]
