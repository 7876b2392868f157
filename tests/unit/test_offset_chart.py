"""The chart of offsets: a picture that stays small and hides nothing, and the same in numbers."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.offset_map import KINDS, Kind, Known, OffsetMap, Stretch, map_of
from sluice.offsets import Partition
from tasks.offset_chart import cells, headline, offset_chart

BY_NEED: tuple[Kind, ...] = ("missing", "waiting", "gone")
SVG = "{http://www.w3.org/2000/svg}"


def partition(number: int = 0, topic: str = "flights", **known: Any) -> OffsetMap:
    there: dict[str, Any] = {"start": 0, "position": 100, "earliest": 0, "end": 150, "covered": ((0, 100),)}
    return map_of(Known(partition=Partition(topic, number), **{**there, **known}))


def picture(chart: str) -> ET.Element:
    (data,) = re.findall(r"\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", chart)
    return ET.fromstring(base64.b64decode(data))


def texts(chart: str) -> list[str]:
    return [item.text or "" for item in picture(chart).iter(f"{SVG}text")]


@st.composite
def maps(draw: st.DrawFn) -> OffsetMap:
    at, stretches = draw(st.integers(0, 10**12)), []
    for kind, span in draw(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 10**9)), min_size=1, max_size=30)):
        stretches.append(Stretch(kind=kind, start=at, stop=at + span))
        at += span
    return OffsetMap(partition=Partition("flights", 0), stretches=tuple(stretches))


@given(maps())
def test_a_bar_has_no_hole_and_always_shows_what_most_needs_a_look(item: OffsetMap) -> None:
    calm, marked = cells(item)
    assert all(below or mark for below, mark in zip(calm, marked, strict=True))
    there = {stretch.kind for stretch in item.stretches}
    needed = [kind for kind in BY_NEED if kind in there]
    assert set(marked) <= {None, *needed}
    assert not needed or needed[0] in marked
    assert set(calm) <= {None, *(there - set(BY_NEED))}


@given(maps())
def test_a_bar_shows_each_kind_only_where_it_is_or_one_cell_beside_it(item: OffsetMap) -> None:
    for shown in cells(item):
        size = (item.stop - item.start) / len(shown)
        for at, kind in enumerate(shown):
            low, high = item.start + (at - 1.01) * size, item.start + (at + 2.01) * size
            assert kind is None or any(
                found.kind == kind and found.start < high and low < found.stop for found in item.stretches
            )


def test_one_missing_offset_among_a_billion_can_be_seen() -> None:
    item = partition(position=10**9, end=10**9, covered=((0, 5 * 10**8), (5 * 10**8 + 1, 10**9)))
    calm, marked = cells(item)
    assert marked.count("missing") == 2
    assert set(calm) == {"ingested"}


def test_a_picture_of_many_stretches_and_partitions_stays_small() -> None:
    covered = tuple((at, at + 1) for at in range(0, 2_000, 2))
    many = [partition(number, position=2_000, end=2_000, covered=covered) for number in range(60)]
    chart = offset_chart(many)
    assert len(chart) < 60_000
    assert "40 of 60 partitions are drawn" in chart
    assert "- and 59,980 more, none of them bigger" in chart


def test_partitions_in_which_something_needs_a_look_are_drawn_first() -> None:
    many = [partition(number) for number in range(60)]
    many[57] = partition(57, covered=((0, 99),))
    drawn = texts(offset_chart(many))
    assert "57" in drawn
    assert "58" not in drawn


def test_the_numbers_say_what_the_picture_shows() -> None:
    chart = offset_chart(
        [
            partition(0, covered=((0, 40), (60, 100)), backfilled=((0, 10),)),
            partition(1, earliest=5, covered=((7, 100),), waiting=((90, 100),), end=100),
        ]
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in chart.splitlines() if line[:1] == "|"]
    header, _, *bodies = rows
    assert [dict(zip(header, row, strict=True)) for row in bodies] == [
        {
            "partition": "0",
            "from": "0",
            "by ingest": "70",
            "by backfill": "10",
            "not read yet": "50",
            "gone from Kafka": "0",
            "sealed, not delivered": "0",
            "missing": "20",
            "to": "150",
        },
        {
            "partition": "1",
            "from": "0",
            "by ingest": "83",
            "by backfill": "0",
            "not read yet": "0",
            "gone from Kafka": "5",
            "sealed, not delivered": "10",
            "missing": "2",
            "to": "100",
        },
    ]
    assert "- `flights[0] 40..60`: 20\n- `flights[1] 5..7`: 2" in chart


def test_kinds_that_there_are_none_of_have_no_column() -> None:
    assert "| partition | from | by ingest | not read yet | to |" in offset_chart([partition()])


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([], "0 partitions: no offsets"),
        ([partition(end=0, position=0, covered=())], "1 partition: no offsets"),
        ([partition(0), partition(1, end=2_000)], "2 partitions: 200 by ingest, 1,950 not read yet"),
    ],
)
def test_a_headline_counts_the_offsets_of_each_kind(found: list[OffsetMap], line: str) -> None:
    assert headline(found) == line
    assert f"![{line}. The tables below say it in numbers.](data:" in offset_chart(found)


def test_each_topic_has_its_name_and_each_bar_the_offsets_at_its_ends() -> None:
    chart = offset_chart([partition(3, topic="a"), partition(0, topic="b" * 200, earliest=20, start=20)])
    *legend, first, three, start, stop, second, zero, _, _ = texts(chart)
    assert len(legend) == len(KINDS)
    assert (first, three, start, stop, zero) == ("a", "3", "0", "150", "0")
    assert (len(second), second[-1]) == (70, "…")


def test_a_picture_paints_its_own_background_in_either_theme() -> None:
    image = picture(offset_chart([partition()]))
    style = "".join(image.find(f"{SVG}style").itertext())  # type: ignore[union-attr]
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert ".card{fill:" in light
    assert ".card{fill:" in dark
    assert "text{" in light
    assert "text{" in dark
    assert [item.get("class") for item in image.findall(f"{SVG}rect")] == ["card"]
