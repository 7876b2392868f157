"""Tables of pages: whatever a value is, it stays in its cell."""

from __future__ import annotations

from tasks.markdown import table


def test_a_value_is_one_cell_whatever_is_in_it() -> None:
    rows = [("a|b\nc", 1234, None), ("", 0, 0.5)]
    head, rule, first, second = table(("text", "rows", ""), rows, numbers=("rows",))
    assert (head, rule) == ("| text | rows |  |", "| --- | --: | --- |")
    assert first == "| a\\|b c | 1,234 |  |"
    assert second == "|  | 0 | 0.5 |"


def test_a_table_without_a_row_is_its_head() -> None:
    assert list(table(("a",), [])) == ["| a |", "| --- |"]
