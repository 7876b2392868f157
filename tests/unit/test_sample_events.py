"""The sample events are real departures, always the same ones, and their summary tells the truth about the topic."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from deployments.local.events import EventsError, Produced, departures, more, produce
from deployments.local.events.flights import TOTAL, shift_to
from deployments.local.events.records import SHARES, Record, decoys, of_departures
from tests.sample_events import expected, read

if TYPE_CHECKING:
    from deployments.local.kafka import Kafka

REFERENCE = date(2026, 5, 1)


@pytest.fixture(scope="module")
def all_departures() -> pl.DataFrame:
    return departures(REFERENCE)


@pytest.fixture(scope="module")
def first_records(all_departures: pl.DataFrame) -> list[Record]:
    return [record for _, batch in of_departures(all_departures.head(150_000), seed=13, start=0) for record in batch]


def test_every_departure_has_an_id_of_its_own(all_departures: pl.DataFrame) -> None:
    assert all_departures.height == all_departures["id"].n_unique() == TOTAL


@pytest.mark.parametrize("reference", [date(2026, 5, 1), date(2027, 1, 1), date(2028, 2, 29)])
def test_the_year_ends_within_a_week_before_the_reference(reference: date) -> None:
    scored = departures(reference)["scored_at"]
    midnight = datetime(reference.year, reference.month, reference.day, tzinfo=UTC).timestamp() * 1000
    assert scored.is_sorted()
    assert midnight - timedelta(days=7, hours=3) / timedelta(milliseconds=1) < scored[-1] < midnight
    assert scored[-1] - scored[0] < 366 * 86_400_000
    assert shift_to(reference) % timedelta(weeks=1) == timedelta()


def test_an_event_has_the_shape_of_the_pipeline_file(all_departures: pl.DataFrame) -> None:
    event = json.loads(all_departures["event"][100_000])
    assert set(event) == {"id", "type", "scored_at", "prediction", "features", "region", "meta", "model"}
    assert (event["type"], event["id"], event["scored_at"]) == ("prediction", *all_departures.row(100_000)[::2])
    assert event["prediction"]["label"] in {"delayed", "on_time"}
    assert 0 < event["prediction"]["score"] < 1
    assert isinstance(event["features"]["night"], bool)
    assert isinstance(event["features"]["distance"], float)
    assert event["features"]["weekday"] == date.fromisoformat(event["id"].split("-")[1]).isoweekday()


def test_the_two_versions_share_the_first_events_by_date(all_departures: pl.DataFrame) -> None:
    versions = all_departures.head(150_000)["version"]
    assert versions.unique(maintain_order=True).to_list() == ["2013.4", "2013.5"]
    assert versions.is_sorted()
    assert 0.55 < (versions == "2013.4").mean() < 0.65  # type: ignore[operator]


def test_the_same_records_are_made_again_wherever_one_starts(all_departures: pl.DataFrame) -> None:
    whole = dict(of_departures(all_departures.head(6_000), seed=13, start=0))
    later = dict(of_departures(departures(REFERENCE, start=4_000, stop=6_000), seed=13, start=4_000))
    assert later == {2: whole[2]}
    assert dict(of_departures(all_departures.head(6_000), seed=14, start=0)) != whole


def test_partitions_are_of_unequal_size(first_records: list[Record]) -> None:
    sizes = Counter(record.partition for record in first_records)
    shares = [sizes[partition] / len(first_records) * 100 for partition in range(len(SHARES))]
    assert shares == pytest.approx(SHARES, abs=1)


def test_good_records_are_the_departures_and_the_rest_can_be_told_apart(first_records: list[Record]) -> None:
    roles = Counter(record.role for record in first_records)
    assert roles["good"] == 150_000
    assert 100 < roles["broken"] < 200
    assert 200 < roles["tombstone"] < 400
    assert all((record.value is None) == (record.role == "tombstone") for record in first_records)
    pretty = sum(record.role == "good" and b"\n" in (record.value or b"") for record in first_records)
    assert 300 < pretty < 700


def test_broken_records_are_broken_in_five_ways(first_records: list[Record]) -> None:
    assert {fault_of(record.value) for record in first_records if record.role == "broken"} == {
        "empty",
        "no JSON",
        "no object",
        "no id",
        "no number",
    }
    assert {fault_of(record.value) for record in first_records if record.role == "good"} == {None}


def test_decoys_carry_ids_of_their_own(first_records: list[Record]) -> None:
    ids = [json.loads(record.value or b"")["id"] for record in decoys(first_records)]
    assert len(ids) == 100
    assert all(name.startswith("aborted-") for name in ids)


def test_a_summary_is_the_same_after_a_file(tmp_path: Path) -> None:
    produced = Produced(
        topic="t", reference=REFERENCE, seed=1, departures=0, versions={"1": 2}, partitions=(), complete=True
    )
    produced.save(tmp_path / "folder" / "summary.json")
    assert Produced.load(tmp_path / "folder" / "summary.json") == produced


def test_the_summary_tells_what_a_reader_finds(kafka: "Kafka", tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    produced = produce(kafka.bootstrap_servers, "sample-events", count=9_000, summary=summary, reference=REFERENCE)
    found = read(kafka.bootstrap_servers, "sample-events", produced.ends)
    assert found == expected(produced)
    assert found[0, "good"] > found[5, "good"] > 0
    assert produced.versions == {"2013.4": 9_000}
    assert all(produced.total(role) for role in ("tombstones", "broken", "aborted", "markers"))
    assert produce(kafka.bootstrap_servers, "sample-events", count=9_000, summary=summary) == produced

    later = more(kafka.bootstrap_servers, count=3_000, summary=summary)
    assert later.total("good") == later.departures == 12_000
    assert read(kafka.bootstrap_servers, "sample-events", later.ends) == expected(later)
    assert produce(kafka.bootstrap_servers, "sample-events", count=9_000, summary=summary) == later


def test_half_written_events_are_written_anew(kafka: "Kafka", tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    produced = produce(kafka.bootstrap_servers, "half-written", count=100, summary=summary, reference=REFERENCE)
    summary.write_text(summary.read_text().replace('"complete": true', '"complete": false'))
    assert produce(kafka.bootstrap_servers, "half-written", count=100, summary=summary, reference=REFERENCE) == produced


def test_a_topic_of_somebody_elses_is_left_alone(kafka: "Kafka", tmp_path: Path) -> None:
    produce(kafka.bootstrap_servers, "somebody-elses", count=10)
    for summary in (None, tmp_path / "new.json"):
        with pytest.raises(EventsError, match="delete the topic"):
            produce(kafka.bootstrap_servers, "somebody-elses", count=10, summary=summary)


def fault_of(value: bytes | None) -> str | None:
    if value == b"":
        return "empty"
    try:
        event = json.loads(value or b"")
    except ValueError:
        return "no JSON"
    if not isinstance(event, dict):
        return "no object"
    if "id" not in event:
        return "no id"
    return None if isinstance(event["prediction"]["score"], float) else "no number"
