"""What a preview tells and prints."""

from __future__ import annotations

from typing import Any

import pytest

from flows.cli_grid import cells
from flows.cli_preview import preview_text

ROW = {
    "topic": "flights",
    "partition": 0,
    "offset": 1234,
    "prediction_id": "UA-1",
    "prediction_ts": 1_357_016_400.25,
    "prediction_score": 0.1,
    "version": None,
    "feature/night": True,
    "tag/note": "fine",
}


def told(*rows: dict[str, Any], **changed: Any) -> dict[str, Any]:
    none = {"rejected": 0, "filtered": 0, "tombstones": 0, "reasons": [], "unknown_fields": []}
    head = {"pipeline": "flights", "topics": ["flights"], "partitions": 2, "is_cut": False, "max_rejected": 0.1}
    return {**head, **none, "records": len(rows), "mapped": len(rows), "rows": list(rows), **changed}


def printed(*rows: dict[str, Any], width: int = 200, **changed: Any) -> list[str]:
    return preview_text(told(*rows, **changed), width).splitlines()


def test_each_row_stands_under_the_names_of_arize_s_columns() -> None:
    head, names, row, end = printed(ROW)
    assert head == "flights: the last 1 record of flights, 2 partitions"
    assert names.split() == [name for name in ROW if name != "topic"]
    assert row.split() == ["0", "1234", "UA-1", "2013-01-01T05:00:00.250Z", "0.1", "-", "true", "fine"]
    assert end == "1 record would be sent as above"


def test_the_topic_is_shown_where_there_are_several() -> None:
    assert printed(ROW, topics=["flights", "others"])[1].split()[0] == "topic"


@pytest.mark.parametrize("width", [1, 40, 79, 80, 100])
def test_no_line_is_wider_than_the_terminal_and_what_does_not_fit_follows_turned(width: int) -> None:
    rows = [ROW, ROW | {"offset": 1235, "tag/note": "x" * 99}]
    lines = printed(*rows, width=width)
    assert lines[1].split() == list(ROW)[1 : len(lines[1].split()) + 1]
    at = next(number for number, line in enumerate(lines) if line.startswith("The columns that do not fit"))
    turned = lines[at + 1 : lines.index("", at)]
    assert [line.split()[0] for line in turned[1:]] == list(ROW)[len(lines[1].split()) + 1 :]
    assert max(map(cells, lines[1 : at - 1])) <= max(width, len("partition"))
    assert turned[0].split()[:2] == ["[0]", "1235"]
    assert turned[-1].split()[:2] == ["tag/note", "x" * 23 + "…"]
    assert max(map(cells, turned)) <= max(width, len("prediction_score  ") + 24)


def test_three_hundred_columns_are_a_line_each() -> None:
    wide = ROW | {f"feature/{'long_' * 20}{number}": number for number in range(300)}
    lines = printed(*[wide] * 9, topics=["flights", "others"], width=80)
    assert max(map(cells, lines[1:])) <= 80
    assert sum("feature/long_" in line for line in lines) == 300


def test_what_a_terminal_would_act_on_is_shown_as_a_dot() -> None:
    hostile = "\x1b]0;title\x07\x1b[2J\r\n\u202eabc\x9b1m"
    text = "\n".join(printed(ROW | {"prediction_id": hostile}))
    assert "·]0;title··[2J···abc·1m" in text
    assert all(character.isprintable() for character in text.replace("\n", ""))


def test_long_and_wide_texts_are_cut_and_columns_stay_aligned() -> None:
    rows = [ROW | {"tag/note": "end", "prediction_id": id_} for id_ in ("x" * 300, "漢字" * 100, "e\u0301" * 20, "UA")]
    lines = printed(*rows)[1:6]
    places = {cells(line[: line.index(word)]) for line, word in zip(lines, ["tag/note"] + ["end"] * 4, strict=True)}
    assert len(places) == 1
    assert f"{'x' * 23}…" in lines[1]


def test_what_is_rejected_is_grouped_by_reason_with_a_few_offsets() -> None:
    reasons = [{"reason": "score: expected float", "count": 7, "at": ["flights[0] 3", "flights[1] 9"]}]
    lines = printed(ROW, records=8, rejected=7, reasons=reasons)
    assert "7 records would be rejected:" in lines
    assert "      7  score: expected float, such as flights[0] 3, flights[1] 9" in lines
    assert "That is 88%: policies.max_rejected holds windows with more than 10%" in lines


def test_a_small_share_of_rejected_records_holds_nothing() -> None:
    reasons = [{"reason": "not JSON", "count": 1, "at": ["flights[0] 3"]}]
    assert not [line for line in printed(*[ROW] * 9, records=10, rejected=1, reasons=reasons) if "holds" in line]


def test_filtered_ones_tombstones_and_unknown_fields_are_told() -> None:
    field = {"path": "gate", "type": "string", "line": "map.tags: gate: string"}
    lines = printed(records=3, filtered=2, tombstones=1, unknown_fields=[field], is_cut=True)
    assert lines[1:] == [
        "Not all that was asked for came within the limits of time and bytes: ask for fewer with -n",
        "No record would become a row.",
        "2 records would be filtered: not what `when` asks for",
        "1 tombstone would be counted, and not sent",
        "the file does not know gate; to take it: map.tags: gate: string",
    ]


def test_an_empty_topic_is_told() -> None:
    assert printed() == ["flights: flights holds no record that can be read now. Nothing to preview"]
    assert printed(is_cut=True) == ["flights: no record of flights came within the limits of time and bytes: try again"]
