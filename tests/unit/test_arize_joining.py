"""What the stand-in's joiner joins and counts is what a plain loop over all rows does."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from deployments.local.arize.joiner import Joiner
from deployments.local.arize.joiner.matching import counted, days, match
from deployments.local.arize.joiner.rows import rows_of
from deployments.local.arize.store import Call, Store

WINDOW_S = 3.0

calls = st.lists(
    st.fixed_dictionaries(
        {
            "received_at": st.integers(0, 6).map(float),
            "kind": st.sampled_from(["prediction", "actual", "actual", "both"]),
            "ids": st.lists(st.sampled_from("ab"), min_size=1, max_size=3),
            "truth": st.sampled_from(["late", "in time"]),
        }
    ),
    min_size=2,
    max_size=7,
)


def listed(received: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"call": number, "row": row, "id": name, "at": call["received_at"]}
        | {"predicted": call["kind"] != "actual", "actual": call["kind"] != "prediction"}
        | {"truth": call["truth"], "received_at": call["received_at"], "space": "s", "model": "m"}
        for number, call in enumerate(received)
        for row, name in enumerate(call["ids"])
    ]


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    with_schema = rows_of(None, [])  # type: ignore[arg-type]
    return pl.DataFrame(rows, schema=with_schema.schema)


@given(calls, st.sets(st.integers(0, 6), max_size=2))
def test_the_counts_are_those_of_a_plain_loop_and_add_up(received: list[dict[str, Any]], unseen: set[int]) -> None:
    seen = set(range(7)) - unseen
    rows = listed(received)
    predictions = [row for row in rows if row["predicted"]]
    delayed = [row for row in rows if row["actual"] and not row["predicted"]]
    pairs = [
        (prediction, actual)
        for prediction, actual in product(predictions, delayed)
        if prediction["id"] == actual["id"]
        and actual["call"] in seen
        and 0 <= actual["received_at"] - prediction["received_at"] <= WINDOW_S
    ]
    joined = match(frame(rows), seen, WINDOW_S)
    columns = ["prediction_call", "prediction_row", "actual_call", "actual_row"]
    assert sorted(joined.select(columns).rows()) == sorted(
        (prediction["call"], prediction["row"], actual["call"], actual["row"]) for prediction, actual in pairs
    )
    counts = counted(frame(rows), joined, seen)
    assert counts["predictions"] == len(predictions)
    assert counts["matched"] + counts["unmatched"] + counts["waiting"] == counts["actuals"] == len(delayed)
    assert counts["waiting"] == sum(actual["call"] not in seen for actual in delayed)
    assert counts["matched"] == len({(actual["call"], actual["row"]) for _, actual in pairs})
    joined_rows = {place(prediction) for prediction, _ in pairs}
    with_truth = [row for row in predictions if row["actual"] or place(row) in joined_rows]
    assert counts["with_truth"] == len(with_truth) == sum(day["with_truth"] for day in days(frame(rows), joined))
    assert (counts["early"], counts["too_late"]) == missed(predictions, delayed, pairs, seen)
    assert (counts["repeated"], counts["corrected"]) == again(predictions, pairs)


def place(row: dict[str, Any]) -> tuple[int, int]:
    return row["call"], row["row"]


def missed(
    predictions: list[dict[str, Any]],
    delayed: list[dict[str, Any]],
    pairs: list[tuple[dict[str, Any], dict[str, Any]]],
    seen: set[int],
) -> tuple[int, int]:
    matched = {place(actual) for _, actual in pairs}
    unmatched = [actual for actual in delayed if actual["call"] in seen and place(actual) not in matched]
    ages = [
        {actual["received_at"] - row["received_at"] for row in predictions if row["id"] == actual["id"]}
        for actual in unmatched
    ]
    return sum(any(age < 0 for age in of) for of in ages), sum(any(age > WINDOW_S for age in of) for of in ages)


def again(predictions: list[dict[str, Any]], pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> tuple[int, int]:
    repeated: set[tuple[int, int]] = set()
    corrected: set[tuple[int, int]] = set()
    for prediction in predictions:
        told = [actual for row, actual in pairs if row is prediction]
        told.sort(key=lambda actual: (actual["received_at"], place(actual)))
        for before, actual in pairwise(told):
            (repeated if actual["truth"] == before["truth"] else corrected).add(place(actual))
    return len(repeated), len(corrected)


def test_what_is_lost_after_it_was_joined_is_joined_no_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    joiner = Joiner(tmp_path, store, lambda: 2.0 * 86_400)
    kept(store, {"prediction_label": ["late", "late"]})
    actuals = kept(store, {"actual_label": ["late", "late"]})
    assert joiner.joined("m").height == 2
    store.lose(actuals)
    assert joiner.joined("m").height == 0
    [model] = (joiner.summary() or {})["models"]
    assert (model["actuals"], model["with_truth"]) == (0, 0)


def test_numbers_of_any_type_say_the_same_truth(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, {"actual_score": [1, 2]})
    kept(store, {"actual_score": [1.0, 2.5]})
    truths = rows_of(store, store.calls)["truth"].to_list()
    assert truths[0] == truths[2]
    assert truths[1] != truths[3]


def kept(store: Store, columns: dict[str, list[Any]]) -> int:
    table = pa.table({"prediction_id": ["a", "b"], **columns})
    body = store.incoming()
    with pa.ipc.new_stream(str(body), table.schema) as stream:
        stream.write_table(table)
    named = {name: name for name in table.column_names}
    call = Call(received_at=0.0, status=200, stored=True, rows=2, space="s", model="m", columns=named, headers={})
    return store.record(call, body).number
