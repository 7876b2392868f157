"""The pictures of coverage: bars that add up, whatever the days; a curve that says when truth came."""

from __future__ import annotations

import base64
import re
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.ground_truth.days import Day
from sluice.pipeline import WantedCoverage
from tasks.coverage_bars import HEIGHT, coverage_bars, heights
from tasks.coverage_classes import CLASSES, classes_of
from tasks.coverage_periods import periods_of
from tasks.coverage_tiles import coverage_tiles
from tasks.delay_curve import Axis, delay_curve, says_else
from tasks.svg_pictures import compact
from tests.coverages import TODAY, ago, delays, joined, less_than_asked, report_of

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = r"!\[([^\]]*)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)"

counts = st.integers(0, 10**9)
some_days = st.builds(Day, complete=counts, joined=counts, early=counts, late=counts, none=counts, waiting=counts)


def picture(markdown: str) -> ET.Element:
    ((_, data),) = re.findall(PICTURE, markdown)
    return ET.fromstring(base64.b64decode(data))


def texts(markdown: str) -> list[str]:
    return [item.text or "" for item in picture(markdown).iter(f"{SVG}text")]


def of_class(markdown: str, name: str) -> list[ET.Element]:
    return [item for item in picture(markdown).iter() if item.get("class") == name]


def bars(report: Any) -> str:
    return coverage_bars(report, periods_of(report))


@given(some_days)
def test_each_prediction_is_in_one_class(day: Day) -> None:
    found = classes_of(day)
    assert list(found) == list(CLASSES)
    assert sum(found.values()) == day.delivered
    assert all(count >= 0 for count in found.values())


@given(some_days.filter(lambda day: day.delivered > 0))
def test_a_bar_is_whole_and_shows_whatever_is_there(day: Day) -> None:
    found = classes_of(day)
    drawn = heights(found)
    assert drawn.keys() == {name for name, count in found.items() if count}
    assert sum(drawn.values()) == pytest.approx(HEIGHT)
    assert min(drawn.values()) >= 2
    for name, height in drawn.items():
        assert abs(height - found[name] / day.delivered * HEIGHT) <= 2 * len(found)


@given(st.dictionaries(st.dates(), some_days, min_size=1, max_size=30))
def test_no_prediction_is_lost_by_grouping_and_a_picture_has_room_for_all(days: dict[date, Day]) -> None:
    found = periods_of(report_of(days))
    assert found.slots <= 62
    if not found.left_out:
        assert sum(item.counts.delivered for item in found.shown) == sum(day.delivered for day in days.values())


@pytest.mark.parametrize(
    ("count", "unit", "shown"),
    [(1, "day", 1), (62, "day", 62), (63, "week", 10), (365, "week", 53), (800, "month", 27)],
)
def test_many_days_are_grouped_and_the_picture_says_so(count: int, unit: str, shown: int) -> None:
    report = report_of({ago(at): joined(5) for at in range(count)})
    found = periods_of(report)
    assert (found.unit, len(found.shown), found.left_out) == (unit, shown, 0)
    assert f"Coverage by {unit} of the predictions" in texts(bars(report))
    said = f"{ago(count - 1)} to {TODAY}" + ("" if unit == "day" else f", a bar for each {unit}")
    assert said in texts(bars(report))
    assert len(of_class(bars(report), "many")) == shown


def test_years_that_a_picture_has_no_room_for_are_left_out_and_said() -> None:
    report = report_of({date(1000 + at * 2, 3, 1): joined(5) for at in range(200)})
    found = periods_of(report)
    assert (found.unit, found.shown[-1].first, len(found.shown) + found.left_out) == ("year", date(1398, 1, 1), 200)
    assert any(f"; {found.left_out} earlier years not drawn" in words for words in texts(bars(report)))


def test_a_place_is_left_free_where_there_are_no_predictions_however_long_that_was() -> None:
    apart = periods_of(report_of({day: joined(5) for day in (ago(5000), ago(4999), ago(1), ago(0))}))
    assert (apart.unit, [item.follows for item in apart.shown]) == ("day", [True, True, False, True])
    weeks = {TODAY - timedelta(days=at * 7): joined(5) for at in range(70)}
    assert all(item.follows for item in periods_of(report_of(weeks)).shown)


def test_days_with_less_than_is_asked_for_are_marked_and_the_line_ends_where_nothing_is_asked_yet() -> None:
    drawn = bars(less_than_asked())
    assert {"90% asked for", "has less", "100%", "50%", "Nov 22"} <= set(texts(drawn))
    assert len(of_class(drawn, "below")) == 2  # its sign in the legend, and the one day
    (line,) = of_class(drawn, "halo")
    all_days = 3 * 110
    ends = re.fullmatch(r"M-2 ([\d.]+)h([\d.]+)", line.get("d") or "")
    assert ends
    assert [float(end) for end in ends.groups()] == pytest.approx([HEIGHT * 0.1, all_days * 2 / 3])


def test_without_anything_asked_for_there_is_no_line_and_no_mark() -> None:
    for asked in (None, WantedCoverage(at_least=0.9, after_days=9)):
        drawn = bars(report_of({ago(0): Day(none=3, waiting=3)}, asked=asked))
        assert not of_class(drawn, "asked")
        assert not of_class(drawn, "below")
        assert "none yet" in texts(drawn)
        assert "with truth" not in texts(drawn)


def test_a_picture_says_in_words_what_it_shows() -> None:
    ((words, _),) = re.findall(PICTURE, bars(less_than_asked()))
    assert words == (
        "Coverage by day from 2026-11-21 to 2026-11-23: 55.5% of 9 predictions have their truth; "
        "1 day with less than is asked for. The table below says it in numbers."
    )
    ((words, _),) = re.findall(PICTURE, coverage_tiles(less_than_asked()))
    assert words.startswith("5 of 9 predictions have their truth (55.5%).")


def test_tiles_have_a_sign_where_there_is_something_to_do() -> None:
    report = report_of({ago(0): joined(5, none=9, waiting=9)}, leaving=(0, 5, 123_456), actuals={"matched": 1})
    assert {"10%", "of 10 predictions", "0", "5", "123k", "of 1 actuals"} <= set(texts(coverage_tiles(report)))
    signs = [item for item in picture(coverage_tiles(report)).iter() if item.get("fill") == "url(#to-see)"]
    assert len(signs) == 2


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (99_999, "99,999"), (100_000, "100k"), (1_250_000, "1.2M"), (10**10, "10,000M")]
)
def test_a_number_in_a_picture_is_short(number: int, shown: str) -> None:
    assert compact(number) == shown


# ── how long truth takes


def test_the_curve_marks_when_half_and_nearly_all_had_come() -> None:
    drawn = delay_curve(report_of({ago(0): joined(*[60] * 50, *[7_200] * 40, *[90_000] * 10)}))
    assert {"half: 60 s", "90%: 2 h", "99%: 25 h", "1 min", "1 h", "1 day"} <= set(texts(drawn))
    assert not of_class(drawn, "received")
    assert "joining window: 14 days" not in texts(drawn)
    ((words, _),) = re.findall(PICTURE, drawn)
    assert (
        words == "How long truth takes by event time, of 100 truths: half within 60 s, 90% within 2 h, 99% within 25 h."
    )


def test_the_curve_rises_from_nothing_to_all() -> None:
    drawn = delay_curve(report_of({ago(0): joined(*range(1, 5_000, 7))}))
    (line,) = of_class(drawn, "line")
    heights_drawn = [float(y) for y in re.findall(r"(?:V|M46 )([\d.]+)", line.get("d") or "")]
    assert heights_drawn == sorted(heights_drawn, reverse=True)
    assert heights_drawn[0] - heights_drawn[-1] == pytest.approx(170, abs=2)


def test_when_both_were_received_is_a_second_line_only_where_it_says_something_else() -> None:
    same = joined(*range(60, 600))
    apart = Day(joined=540, event_delays=same.event_delays, received_delays=delays(*range(4_000, 4_540)))
    assert not of_class(delay_curve(report_of({ago(0): same})), "received")
    drawn = delay_curve(report_of({ago(0): apart}))
    assert of_class(drawn, "received")
    assert {"by event time", "as Arize received them"} <= set(texts(drawn))
    assert not says_else([0.5, 1], [0.52, 1])


def test_the_joining_window_is_drawn_where_truths_come_near_it() -> None:
    assert "joining window: 14 days" in texts(delay_curve(report_of({ago(0): joined(60, 86_400 * 20)})))


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (Day(none=3), "No truth has joined a prediction yet."),
        (Day(complete=3), "All truth came along with its prediction."),
    ],
)
def test_without_any_delay_it_says_why_there_is_no_curve(day: Day, said: str) -> None:
    assert delay_curve(report_of({ago(0): day})) == said


def test_truth_from_before_its_prediction_is_said() -> None:
    drawn = delay_curve(report_of({ago(0): joined(-500, -20, 0, 60)}))
    assert "By event time 2 truths came before the prediction" in drawn
    assert "half: -20 s" in texts(drawn.partition("\n")[0])


@given(st.lists(st.integers(-(2**33), 2**33), min_size=1, max_size=20))
def test_whatever_the_delays_the_picture_holds_them(seconds: list[int]) -> None:
    found = delays(*seconds)
    axis = Axis.of(found)
    longest = found.curve()[-1][0]
    width = axis.at(axis.last)
    assert all(0 <= axis.at(second) <= width for second in (*seconds, longest))
    assert axis.ticks
    assert picture(delay_curve(report_of({ago(0): joined(*seconds)})).partition("\n")[0]) is not None
