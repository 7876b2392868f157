"""The sample arrivals are what came true of the departures, and the summary knows of each report what it is."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from deployments.local.events import EventsError, Produced, arrivals, departures, produce_arrivals
from deployments.local.events.flights import TOTAL
from deployments.local.events.records import Record, of_arrivals
from tests.sample_events import expected, read

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

REFERENCE = date(2026, 5, 1)
BEGINS_MS = datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1_000
DAY_MS = timedelta(days=1) / timedelta(milliseconds=1)
FIRST = ["first", "late", "early"]
SECOND = ["repeated", "corrected", "relabelled"]


@pytest.fixture(scope="module")
def year() -> pl.DataFrame:
    return arrivals(REFERENCE, seed=13)


@pytest.fixture(scope="module")
def reports(year: pl.DataFrame) -> pl.DataFrame:
    """Reports with the scoring of their departure, if there is one, and the first report of each that has a second."""
    scored = departures(REFERENCE).select("id", "scored_at")
    reported = year.filter(pl.col("at").is_not_null()).join(scored, on="id", how="left", maintain_order="left")
    first = reported.filter(pl.col("kind").is_in(FIRST)).select("id", first_at="at", first_event="event")
    return reported.join(first, on="id", how="left", maintain_order="left")


@pytest.fixture(scope="module")
def records(year: pl.DataFrame) -> list[Record]:
    return [record for _, batch in of_arrivals(year, seed=13, start=0) for record in batch]


def label(event: str) -> str:
    found: str = json.loads(event)["actual"]["label"]
    return found


def test_each_departure_is_reported_or_was_cancelled_or_is_under_way(year: pl.DataFrame) -> None:
    once = year.filter(pl.col("kind").is_in([*FIRST, "cancelled", "under_way"]))
    assert once.height == once["number"].n_unique() == once["id"].n_unique() == TOTAL
    counts: dict[str, int] = dict(year["kind"].value_counts().iter_rows())
    assert (counts["cancelled"], counts["under_way"] < 300) == (8_255, True)
    assert min(counts.values()) > 100
    assert year["at"].null_count() == year["event"].null_count() == counts["cancelled"] + counts["under_way"]


def test_nothing_is_reported_in_the_future_and_all_in_order(reports: pl.DataFrame) -> None:
    assert reports["at"].is_sorted()
    assert BEGINS_MS - 7 * DAY_MS < reports["at"].to_list()[-1] < BEGINS_MS


def test_what_came_true_is_an_event_of_its_own(reports: pl.DataFrame) -> None:
    event = json.loads(reports.filter(kind="first")["event"][100_000])
    assert list(event) == ["id", "reported_at", "arrived_at", "type", "actual", "arrival"]
    assert (event["type"], event["reported_at"]) == ("actual", event["arrived_at"])
    assert list(event["arrival"]) == ["departure_delay", "arrival_delay", "diverted"]
    is_late = event["arrival"]["departure_delay"] >= 15
    assert event["actual"] == {"label": "delayed" if is_late else "on_time", "score": float(is_late)}


def test_a_diverted_flight_has_no_delay_of_arrival(reports: pl.DataFrame) -> None:
    events = [json.loads(event) for event in reports.filter(kind="first")["event"].sample(20_000, seed=1)]
    arrived = [event["arrival"] for event in events]
    assert {arrival["diverted"] for arrival in arrived} == {True, False}
    assert all(arrival["diverted"] == (arrival["arrival_delay"] is None) for arrival in arrived)


def test_truth_comes_hours_after_the_prediction_or_months_or_before_it(reports: pl.DataFrame) -> None:
    took = (pl.col("at") - pl.col("scored_at")) / DAY_MS
    days = {kind: reports.filter(kind=kind).select(took).to_series().to_list() for kind in FIRST}
    assert 2 / 24 < min(days["first"]) < sum(days["first"]) / len(days["first"]) < 6 / 24
    assert 30 < min(days["late"]) < max(days["late"]) < 122
    assert max(days["early"]) < 0


def test_a_second_report_follows_the_first_and_says_the_same_or_not(reports: pl.DataFrame) -> None:
    second = reports.filter(pl.col("kind").is_in(SECOND))
    assert (second["at"] > second["first_at"]).all()
    said = {(kind, event == first, label(event) == label(first)) for kind, event, first in told(second)}
    assert said == {("repeated", True, True), ("corrected", False, True), ("relabelled", False, False)}
    assert second["id"].is_unique().all()


def told(second: pl.DataFrame) -> list[tuple[Any, ...]]:
    return second.select("kind", "event", "first_event").rows()


def test_an_id_that_was_never_predicted_can_be_told(reports: pl.DataFrame) -> None:
    strange = reports.filter(pl.col("scored_at").is_null())
    assert set(strange["kind"]) == {"unpredicted"}
    assert strange["id"].str.starts_with("unpredicted-").all()
    assert not reports.filter(pl.col("kind") != "unpredicted")["id"].str.starts_with("unpredicted-").any()


def test_the_same_arrivals_are_made_again_wherever_one_starts(year: pl.DataFrame) -> None:
    later = arrivals(REFERENCE, seed=13, start=4_000, stop=9_000)
    assert later.equals(year.filter(pl.col("number").is_between(4_000, 8_999)))
    assert not arrivals(REFERENCE, seed=14, start=4_000, stop=9_000).equals(later)


def test_all_that_is_reported_of_a_departure_is_in_one_partition(records: list[Record]) -> None:
    places: dict[str, set[int]] = {}
    for record in records:
        places.setdefault(record.key.removeprefix("unpredicted-"), set()).add(record.partition)
    assert {len(partitions) for partitions in places.values()} == {1}
    sizes = Counter(record.partition for record in records)
    assert sizes[0] > 5 * sizes[5] > 0


def test_good_records_are_the_reports(records: list[Record], reports: pl.DataFrame) -> None:
    roles = Counter(record.role for record in records)
    assert roles["good"] == reports.height
    assert roles["tombstone"] > roles["broken"] > 100
    wrong = [record for record in records if record.role == "broken" and b'"high"' in (record.value or b"")]
    assert {json.loads(record.value or b"")["actual"]["score"] for record in wrong} == {"high"}


def test_the_summary_tells_what_a_reader_of_arrivals_finds(kafka: Kafka, tmp_path: Path) -> None:
    servers, summary = kafka.bootstrap_servers, tmp_path / "arrivals.json"
    arrived = produce_arrivals(servers, departed(5_000), "arriving", count=4_000, summary=summary)
    assert read(servers, "arriving", arrived.ends) == expected(arrived)
    assert produce_arrivals(servers, departed(5_000), "arriving", count=4_000, summary=summary) == arrived
    assert (arrived.departures, arrived.versions) == (4_000, {})
    assert sum(arrived.arrivals[kind] for kind in [*FIRST, "cancelled"]) == 4_000
    assert sum(arrived.arrivals.values()) - arrived.arrivals["cancelled"] == arrived.total("good")
    assert all(arrived.total(role) for role in ("tombstones", "broken", "aborted", "markers"))

    arrived = produce_arrivals(servers, departed(6_000), "arriving", summary=summary)
    assert read(servers, "arriving", arrived.ends) == expected(arrived)
    assert sum(arrived.arrivals[kind] for kind in [*FIRST, "cancelled"]) == 6_000

    with pytest.raises(EventsError, match="other departures"):
        produce_arrivals(servers, departed(6_000, date(2026, 4, 1)), "arriving", summary=summary)
    with pytest.raises(EventsError, match="10 departures: 11 cannot arrive"):
        produce_arrivals(servers, departed(10), "arriving", count=11, summary=summary)


def departed(count: int, reference: date = REFERENCE) -> Produced:
    return Produced(
        topic="leaving", reference=reference, seed=13, departures=count, versions={}, partitions=(), complete=True
    )
