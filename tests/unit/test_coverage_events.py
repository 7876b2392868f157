"""The event of days with less ground truth than is asked for, and the automation that is about it."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import yaml

from flows.cli_automations import OWN
from sluice.ground_truth.days import Day
from sluice.pipeline import WantedCoverage
from tasks.coverage_events import event_of_coverage
from tests.coverages import ago, joined, less_than_asked, report_of


def test_a_day_below_what_is_asked_for_is_told_of_with_its_numbers() -> None:
    event = event_of_coverage(less_than_asked(), url="http://here")
    assert event is not None
    assert (event.name, event.pipeline) == ("sluice.coverage.below", "flights-actuals")
    assert json.loads(json.dumps(event.payload)) == {
        "pipeline": "flights-actuals",
        "predictions": "flights",
        "message": "1 day with less truth than 90%, the newest 2026-11-22 with 50%; "
        "5 of 9 predictions have their truth (55.5%)",
        "asked": {"at_least": 0.9, "after_days": 1},
        "days_below": 1,
        "below": [{"day": "2026-11-22", "delivered": 2, "with_actual": 1, "share": 0.5}],
        "leaving": {"1": 0, "3": 0, "7": 1},
        "url": "http://here",
    }


def test_nothing_is_told_where_nothing_is_asked_for_or_all_days_have_it() -> None:
    low = {ago(5): Day(none=9)}
    assert event_of_coverage(report_of(low), url=None) is None
    assert event_of_coverage(report_of(low, asked=WantedCoverage(at_least=0.5, after_days=6)), url=None) is None
    whole = report_of({ago(5): joined(1)}, asked=WantedCoverage(at_least=1, after_days=1))
    assert event_of_coverage(whole, url=None) is None


def test_of_many_days_the_newest_are_told() -> None:
    asked = WantedCoverage(at_least=0.5, after_days=1)
    event = event_of_coverage(report_of({ago(at): Day(none=1) for at in range(40)}, asked=asked), url=None)
    assert event is not None
    assert event.payload["days_below"] == 39
    assert [item["day"] for item in event.payload["below"]] == [str(ago(at)) for at in range(1, 21)]


def test_one_automation_of_the_file_is_about_it() -> None:
    event = event_of_coverage(less_than_asked(), url=None)
    assert event is not None
    automations = yaml.safe_load(OWN.read_text(encoding="utf-8"))["automations"]
    found = [item for item in automations if event.name in item["trigger"]["expect"]]
    assert [item["name"] for item in found] == ["Sluice coverage below"]
    trigger = found[0]["trigger"]
    assert all(fnmatch(event.resource.get(label, ""), wanted) for label, wanted in trigger["match"].items())
    assert all(label in event.resource for label in trigger["for_each"])
