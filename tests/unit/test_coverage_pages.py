"""What people see of coverage: nothing is left out without being said, and the numbers are those of the report."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sluice.ground_truth.days import Day
from sluice.ground_truth.unmatched import Places
from sluice.offsets import OffsetRange, Partition
from sluice.pipeline import WantedCoverage
from tasks import artifacts, coverage_pages
from tasks.coverage_chart import coverage_chart
from tasks.coverage_pages import publish_coverage
from tasks.coverage_tables import day_rows
from tests.coverages import ago, joined, less_than_asked, report_of


class Published:
    """Prefect, as far as an artifact needs it: it keeps what it is given."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.lines: list[str] = []
        for kind in ("create_markdown_artifact", "create_table_artifact"):
            patch.setattr(coverage_pages, kind, self._keep)
        patch.setattr(artifacts, "get_run_logger", lambda: self)

    def _keep(self, *, key: str, **given: Any) -> str:
        self.made[key] = json.loads(json.dumps(given, allow_nan=False))
        return f"id of {key}"

    def info(self, words: str, *given: object) -> None:
        self.lines.append(words % given)


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(monkeypatch)


def without_pictures(page: str) -> str:
    return re.sub(r"\]\(data:[^)]*\)", "]()", page)


def test_a_page_and_a_table_are_published_and_the_log_leads_to_the_page(prefect: Published) -> None:
    report = less_than_asked()
    publish_coverage(report)
    page, days = "coverage-flights-actuals-9b4c3709", "coverage-days-flights-actuals-9b4c3709"
    assert prefect.made.keys() == {page, days}
    assert all(re.fullmatch("[a-z0-9-]+", key) for key in prefect.made)
    assert prefect.made[page]["markdown"] == coverage_chart(report)
    assert prefect.made[days]["table"] == day_rows(report)
    line = "Coverage of flights by flights-actuals: 5 of 9 predictions have their truth (55.5%)"
    assert {given["description"] for given in prefect.made.values()} == {line}
    (told,) = prefect.lines
    assert told.startswith(f"{line}: ")


def test_nothing_is_published_where_nothing_was_ever_delivered(prefect: Published) -> None:
    publish_coverage(report_of({ago(0): Day(none=1)}, ledger_id=None))
    assert not prefect.made


def test_predictions_of_no_day_leave_a_page_that_says_so_and_no_table(prefect: Published) -> None:
    publish_coverage(report_of(actuals={"unknown": 7}))
    (page,) = (given["markdown"] for given in prefect.made.values())
    assert "**Of flights no predictions were delivered in the last 14 days.**" in page
    assert "| **unknown** | 7 |" in page
    assert "data:image" not in page


def test_a_table_has_a_row_a_day_the_newest_first_with_numbers_that_are_numbers() -> None:
    waits = joined(60, 90, early=1, late=2, none=3, waiting=4, repeated=5, corrected=6)
    assert day_rows(report_of({ago(1): waits, ago(0): Day(complete=1)})) == [
        {
            "day": "2026-11-23",
            "delivered": 1,
            "with_actual": 1,
            "without": 0,
            "early": 0,
            "late": 0,
            "none": 0,
            "waiting": 0,
            "repeated": 0,
            "corrected": 0,
            "share": 1.0,
            "event_p50_s": None,
            "event_p90_s": None,
            "event_p99_s": None,
        },
        {
            "day": "2026-11-22",
            "delivered": 8,
            "with_actual": 2,
            "without": 6,
            "early": 1,
            "late": 2,
            "none": 3,
            "waiting": 4,
            "repeated": 5,
            "corrected": 6,
            "share": 0.25,
            "event_p50_s": 60,
            "event_p90_s": 90,
            "event_p99_s": 90,
        },
    ]


def test_the_page_says_how_many_leave_the_window_and_what_to_do() -> None:
    page = coverage_chart(report_of({ago(9): Day(none=2_000, waiting=2_000)}, leaving=(1, 20, 1_500)))
    assert "**1,500 predictions without truth will leave the joining window within 7 days**" in page
    assert "1 within 1 day, 20 within 3 days" in page
    assert "`sluice status flights-actuals`" in page
    calm = coverage_chart(report_of({ago(9): joined(1)}))
    assert "No prediction leaves the joining window without its truth in the next 7 days." in calm


def test_the_page_names_the_days_that_have_less_than_is_asked_for() -> None:
    page = coverage_chart(less_than_asked())
    assert "**1 day has less truth than is asked for**, which is 90% after 1 day: 2026-11-22 with 50%." in page
    assert "| **2026-11-22** | 2 | 1 | 1 | **50%** | 60 s |" in page
    asked = WantedCoverage(at_least=0.5, after_days=1)
    many = coverage_chart(report_of({ago(at): Day(none=1) for at in range(40)}, asked=asked))
    assert "**39 days have less truth" in many
    assert "and 29 earlier days." in many
    assert "No day has less than is asked for: 50%" in coverage_chart(report_of({ago(5): joined(1)}, asked=asked))
    assert "asked" not in coverage_chart(report_of({ago(5): Day(none=1)}))


def test_of_many_days_the_rest_is_a_row_and_all_are_in_the_sum() -> None:
    page = coverage_chart(report_of({ago(at): joined(5, none=1) for at in range(100)}))
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| (\d{4}-|\d+ earl|all)", line)]
    assert [row[0] for row in rows] == [*(str(ago(at)) for at in range(31)), "69 earlier days", "all"]
    assert [row[1:4] for row in rows[-2:]] == [["138", "69", "69"], ["200", "100", "100"]]


def test_every_class_that_is_there_has_a_column_and_a_line_and_columns_add_up() -> None:
    day = joined(5, 5, early=3, late=4, none=6, waiting=5, repeated=7, corrected=8)
    page = coverage_chart(report_of({ago(0): day}))
    (head, row) = (line for line in page.splitlines() if line.startswith(("| day", "| 2026")))
    cells = dict(zip(head.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    names = ("with truth", "none yet", "early", "late", "left")
    assert [cells[name] for name in ("delivered", *names)] == ["15", "2", "5", "3", "4", "1"]
    assert all(f"| **{name}** | {cells[name]} | " in page for name in names)
    assert "| **repeated** | 7 | " in page
    assert "| **corrected** | 8 | " in page
    plain = coverage_chart(report_of({ago(0): joined(5)}))
    assert "| day | delivered | with truth | share |" in plain
    assert "| **left**" not in plain


def test_actuals_are_counted_by_class_and_those_that_match_nothing_are_named_by_offsets() -> None:
    ranges = (OffsetRange(Partition("flights.actuals", 0), 17, 19), OffsetRange(Partition("flights.actuals", 2), 5, 6))
    actuals = {"matched": 10, "early": 1, "late": 2, "unknown": 3, "early_and_late": 1, "repeated": 4}
    places = Places(ranges=ranges, more_ranges=2, more_offsets=2)
    page = coverage_chart(report_of({ago(0): joined(5)}, actuals=actuals, places=places))
    names = ("matched", "early", "late", "unknown", "repeated")
    assert all(f"| **{name}** | {actuals[name]} | " in page for name in names)
    assert "For another prediction 1 of them came too late" in page
    assert "- `flights.actuals[0] 17..19`: 2\n- `flights.actuals[2] 5..6`: 1\n- and 2 in 2 more ranges" in page
    assert "--topic flights.actuals --partition 0 --offset 17 --max-messages 2\n" in page
    assert "sluice coverage flights-actuals --json" in page
    assert "match nothing:" not in coverage_chart(report_of({ago(0): joined(5)}))


def test_rows_that_are_in_no_count_are_said() -> None:
    page = coverage_chart(report_of({ago(0): joined(5)}, unknown=(1_200, 1)))
    assert "**In no count: 1,200 predictions and 1 actual** that were delivered" in page
    assert "may be the truth of one of these" in page
    only = coverage_chart(report_of({ago(0): joined(5)}, unknown=(0, 2)))
    assert "**In no count: 2 actuals**" in only
    assert "may be the truth" not in only
    assert "In no count" not in coverage_chart(report_of({ago(0): joined(5)}))


def test_a_page_of_years_stays_small() -> None:
    places = Places(
        ranges=tuple(OffsetRange(Partition("a", at), 10**12, 10**12 + 9) for at in range(20)),
        more_ranges=10**6,
        more_offsets=10**7,
    )
    took = [second**3 for second in range(1, 400)]
    day = joined(*took, early=10**6, late=10**6, none=10**7, waiting=10**6, repeated=10**6, corrected=10**6)
    report = report_of(
        {ago(at): day for at in range(1_500)}, places=places, asked=WantedCoverage(at_least=0.9, after_days=1)
    )
    assert len(coverage_chart(report).encode()) < 100_000
    assert len(day_rows(report)) == 1_000


def test_a_page_has_no_line_that_a_table_would_break_on() -> None:
    page = without_pictures(coverage_chart(less_than_asked()))
    for block in page.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1
