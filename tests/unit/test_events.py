"""Which events a run gives, which run gives those of a window, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli_automations import OWN
from sluice.errors import BackfillCancelled, DeliveryHeld, GroupInUse, SluiceError, WindowHeld
from sluice.ingest import ingest
from sluice.offsets import GroupOffset, OffsetRange
from sluice.pipeline import LoadedPipeline
from sluice.planning import Backlog, Plan
from sluice.report import RunReport, WindowReport
from sluice.resolution import resolve_window
from tasks.events import Event, event_of_run, events_of_window
from tasks.progress import PlannedProgress
from tasks.telling import Telling
from tests import parts
from tests.desk import A0, A1, Desk
from tests.parts import BUSY, pipeline_file

DELIVERED, HELD, REJECTED = (f"sluice.window.{name}" for name in ("delivered", "held", "rejected"))
EMPTY = RunReport(pipeline="flights", run_id="run", started_at="2026-01-01T00:00:00Z")


class Told(Desk):
    """A desk whose runs tell of their windows; `events` is what the last one told."""

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.events: list[Event] = []

    def run(self, *says: Any, file: LoadedPipeline | None = None, options: Any = None) -> RunReport:
        self.events = []
        self.arize.script.extend(says)
        run = self.open(file, options)

        def tell(window: WindowReport) -> None:
            self.events.extend(events_of_window(run.pipeline.name, window))

        verbs = Telling(run, tell, PlannedProgress(run.pipeline.name))
        report = ingest(verbs, run.report(), parallel_windows=2)
        self.arize.script.clear()
        return report

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(event.name, event.payload["entry"]) for event in self.events]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr("sluice.windows.map_window", parts.map_simply)
    monkeypatch.setattr("tasks.progress.create_progress_artifact", lambda *_, **__: None)
    return Told(tmp_path)


def test_each_window_is_told_of_once_and_what_it_rejected_beside_it(desk: Told) -> None:
    desk.kafka.produce(A0, *[b"good 1"] * 4, b"good 1", b"good 2", b"good 1", b"bad 1")
    desk.run()
    assert sorted(desk.names) == [(DELIVERED, 1), (DELIVERED, 2), (REJECTED, 2)]
    desk.run()
    assert desk.names == []


def test_a_window_without_any_row_is_told_of_too(desk: Told) -> None:
    desk.kafka.produce(A0, parts.MARKER)
    desk.run()
    (event,) = desk.events
    assert (event.name, event.payload["offsets"], event.payload["invisible"]) == (DELIVERED, 1, 1)


def test_a_window_that_one_run_seals_and_the_next_delivers_is_told_of_by_the_next(desk: Told) -> None:
    desk.kafka.produce(A0, b"good 1")
    assert desk.run(*[BUSY] * 6).state == "failed"
    assert desk.names == []
    desk.run()
    assert desk.names == [(DELIVERED, 1)]


def test_who_dies_between_delivery_and_commit_is_followed_by_one_that_tells_of_it_by_the_same_events(
    desk: Told,
) -> None:
    desk.kafka.produce(A0, b"good 1")
    desk.run()
    desk.kafka.produce(A0, b"good 1", b"good 1", b"bad 1")

    def refuses(_: Sequence[GroupOffset]) -> None:
        raise GroupInUse("somebody is in it")

    desk.kafka.on_commit = refuses
    desk.run()
    first = desk.events
    desk.kafka.on_commit = lambda _: None
    desk.run()
    assert [event.name for event in first] == [DELIVERED, REJECTED]
    assert [(event.name, event.id) for event in desk.events] == [(event.name, event.id) for event in first]
    assert first[0].id != first[1].id


def test_a_held_window_is_told_of_once_and_its_end_by_deliver_repeats_no_rejected_record(desk: Told) -> None:
    desk.kafka.produce(A0, b"good 1", b"bad 1", b"bad 1")
    desk.run()
    assert desk.names == [(HELD, 1), (REJECTED, 1)]
    assert desk.events[0].payload["rejected_share"] == 0.666667
    assert "2 of 3 records were rejected" in desk.events[0].payload["held"]
    desk.run()
    assert desk.names == []
    resolve_window(desk.person(), 1, "deliver", "tried")
    desk.run()
    assert desk.names == [(DELIVERED, 2)]


def test_a_file_that_arize_has_not_looked_at_is_told_of_by_the_run_that_hears_of_it(desk: Told) -> None:
    file = pipeline_file(path="object_store")
    desk.kafka.produce(A0, b"good 1")
    desk.imports.is_looking = False
    desk.run(file=file)
    assert desk.names == []
    desk.imports.is_looking = True
    desk.run(file=file)
    assert desk.names == [(DELIVERED, 1)]


def test_an_event_of_a_window_counts_and_names_and_is_of_its_pipeline(desk: Told) -> None:
    desk.kafka.produce(A0, b"good 1", b"good 2", None, b"bad 1")
    desk.run()
    delivered, rejected = desk.events
    assert delivered.resource == {"prefect.resource.id": "sluice.pipeline.flights", "prefect.resource.name": "flights"}
    assert delivered.payload == rejected.payload
    assert json.loads(json.dumps(delivered.payload)) == {
        "entry": 1,
        "state": "delivered",
        "ranges": ["a[0] 0..4"],
        "offsets": 4,
        "staged": 2,
        "tombstones": 1,
        "rejected": 1,
        "repeated": 0,
        "filtered": 0,
        "invisible": 0,
        "expired": 0,
        "rejected_share": 0.333333,
        "held": None,
        "rows_accepted": 2,
        "rows_placed": 0,
        "rows_dropped": 0,
        "unknown_sends": 0,
    }


# ── a run


def of_run(report: RunReport) -> Event:
    return event_of_run(report, flow="ingest", url="http://prefect/run", scheduled=True)


def test_a_run_with_nothing_to_do_is_told_of_too(desk: Told) -> None:
    event = of_run(desk.run())
    assert event.name == "sluice.run.finished"
    assert event.labels == {
        "sluice.flow": "ingest",
        "sluice.state": "done",
        "sluice.retention": "far",
        "sluice.scheduled": "yes",
    }
    told = {name: event.payload[name] for name in ("state", "entries", "offsets", "left_to_read", "retention_margin")}
    assert told == {"state": "done", "entries": [], "offsets": 0, "left_to_read": 0, "retention_margin": None}
    assert event.payload["url"] == "http://prefect/run"
    json.dumps(event.payload)


def test_a_run_that_came_to_no_plan_says_nothing_of_retention() -> None:
    event = of_run(EMPTY.ended_by(GroupInUse("somebody is in it")))
    assert (event.labels["sluice.state"], event.labels["sluice.problem"]) == ("failed", "GroupInUse")
    assert event.labels["sluice.retention"] == "unknown"
    assert (event.payload["left_to_read"], event.payload["retention_margin"]) == (None, None)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (GroupInUse("by one"), GroupInUse("by two"), True),
        (WindowHeld("entry 3"), WindowHeld("entry 3"), True),
        (WindowHeld("entry 3"), WindowHeld("entry 4"), False),
        (WindowHeld("entry 3"), DeliveryHeld("entry 3"), False),
    ],
)
def test_an_error_is_one_problem_whatever_it_says_and_each_hold_is_one(
    one: SluiceError, other: SluiceError, is_same: bool
) -> None:
    problems = {of_run(EMPTY.ended_by(error)).labels["sluice.problem"] for error in (one, other)}
    assert (len(problems) == 1) == is_same


@pytest.mark.parametrize(
    ("earliest", "reached", "end", "margin", "label"),
    [
        (0, 0, 1_000, None, "far"),  # Kafka never dropped anything: what its retention will hold is not known
        (100, 100, 1_000, 0, "near"),
        (100, 500, 1_000, 400, "near"),
        (100, 600, 1_000, 500, "far"),
        (100, 1_000, 1_000, None, "far"),  # nothing is left that could be dropped
        (700, 600, 1_000, -100, "near"),
    ],
)
def test_the_margin_is_what_kafka_has_behind_what_is_left(
    earliest: int, reached: int, end: int, margin: int | None, label: str
) -> None:
    backlog = Backlog(range=OffsetRange(A0, 0, end), earliest=earliest)
    caught_up = Backlog(range=OffsetRange(A1, 7, 7), earliest=7)
    report = EMPTY.with_plan(Plan(backlog=(backlog, caught_up), windows=()))
    if reached:
        entry = parts.window(f"a[0] 0..{reached}")
        report = report.with_window(WindowReport(number=1, entry=entry, sealed_here=True))
    event = of_run(report)
    assert (event.payload["retention_margin"], event.labels["sluice.retention"]) == (margin, label)
    assert event.payload["left_to_read"] == end - reached


def test_the_last_plan_counts_and_one_that_says_nothing_of_the_backlog_changes_nothing() -> None:
    first = Plan(backlog=(Backlog(range=OffsetRange(A0, 0, 10), earliest=0),), windows=())
    behind = Plan(backlog=(Backlog(range=OffsetRange(A0, 4, 12), earliest=0),), windows=())
    report = EMPTY.with_plan(first).with_plan(behind)
    assert report.with_plan(replace(first, backlog=())).as_dict()["left_to_read"] == 8


@pytest.mark.parametrize(
    ("flow", "report", "scheduled", "speaks"),
    [
        ("ingest", EMPTY, False, set()),
        ("ingest", EMPTY, True, {"Sluice pipeline silent"}),
        ("backfill", EMPTY, True, set()),
        ("ingest", EMPTY.ended_by(GroupInUse("by one")), False, {"Sluice run failed"}),
        ("backfill", EMPTY.ended_by(GroupInUse("by one")), False, {"Sluice run failed"}),
        ("backfill", EMPTY.ended_by(BackfillCancelled("by one")), False, set()),
        ("ingest", EMPTY.ended_by(WindowHeld("entry 3")), False, {"Sluice pipeline held"}),
        (
            "ingest",
            EMPTY.with_plan(Plan(backlog=(Backlog(range=OffsetRange(A0, 5, 9), earliest=5),), windows=())),
            False,
            {"Sluice retention margin small"},
        ),
    ],
)
def test_each_automation_of_the_file_looks_at_the_runs_that_it_is_about(
    flow: str, report: RunReport, scheduled: bool, speaks: set[str]
) -> None:
    event = event_of_run(report, flow=flow, url=None, scheduled=scheduled)
    automations = yaml.safe_load(OWN.read_text(encoding="utf-8"))["automations"]
    found = [item for item in automations if _covers(item["trigger"], event)]
    assert {item["name"] for item in found} == speaks
    assert all(label in event.resource for item in found for label in item["trigger"]["for_each"])


def test_a_backfill_that_fails_as_an_ingest_did_is_told_of_beside_it() -> None:
    automations = yaml.safe_load(OWN.read_text(encoding="utf-8"))["automations"]
    (failed,) = (item["trigger"] for item in automations if item["name"] == "Sluice run failed")
    report = EMPTY.ended_by(GroupInUse("by one"))
    events = [event_of_run(report, flow=flow, url=None, scheduled=False) for flow in ("ingest", "ingest", "backfill")]
    assert len({tuple(event.resource[label] for label in failed["for_each"]) for event in events}) == 2


def _covers(trigger: dict[str, Any], event: Event) -> bool:
    matched = (fnmatch(event.resource.get(label, ""), wanted) for label, wanted in trigger["match"].items())
    return event.name in trigger["expect"] and all(matched)


def test_a_pipeline_that_is_held_still_says_how_far_it_falls_behind(desk: Desk) -> None:
    desk.kafka.produce(A0, b"good 1", *[b"bad 1"] * 3)
    assert desk.run().state == "held"
    desk.kafka.produce(A0, *[b"good 1"] * 9)
    desk.kafka.earliest[A0] = 3
    report = desk.run()
    assert (report.state, report.as_dict()["left_to_read"], report.retention_margin) == ("held", 9, 1)
