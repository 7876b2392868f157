"""Coverage: every prediction and every actual is counted once, and as a brute-force join would have it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sluice.ground_truth.coverage import Coverage, Moment, coverage
from sluice.ground_truth.days import DAY_S, Day
from sluice.ground_truth.delays import Delays, longest_of, steps_of
from sluice.ground_truth.ids import ACTUALS, PREDICTIONS
from sluice.ground_truth.received import Received, Unknown
from sluice.offsets import OffsetRange, Partition

NOW_S = 1_700_000_000
MIDNIGHT_S = NOW_S // DAY_S * DAY_S


@dataclass(frozen=True, kw_only=True)
class Prediction:
    id: tuple[int, int]
    received_s: int
    event_time: int = MIDNIGHT_S
    is_complete: bool = False


@dataclass(frozen=True, kw_only=True)
class Actual:
    id: tuple[int, int]
    received_s: int
    event_time: int = MIDNIGHT_S
    says: int = 1
    is_sent: bool = True
    place: tuple[str, int, int] = ("a", 0, 0)


def id_of(number: int) -> tuple[int, int]:
    return number << 60, number


def predictions_as(rows: Sequence[Prediction]) -> list[Received]:
    """One `Received` for each moment, in no order of time."""
    return [
        Received(
            ids=pl.DataFrame(
                [("t", 0, 0, *row.id, row.event_time, 0, row.is_complete) for row in rows if row.received_s == at_s],
                schema=PREDICTIONS,
                orient="row",
            ),
            at_s=at_s,
        )
        for at_s in dict.fromkeys(row.received_s for row in rows)
    ]


def actuals_as(rows: Sequence[Actual]) -> list[Received]:
    found = []
    for at_s in dict.fromkeys(row.received_s for row in rows):
        mine = [row for row in rows if row.received_s == at_s]
        values = [(*row.place, *row.id, row.event_time, row.says) for row in mine]
        mask = pl.Series([row.is_sent for row in mine])
        found.append(
            Received(
                ids=pl.DataFrame(values, schema=ACTUALS, orient="row"),
                at_s=at_s,
                is_sent=None if mask.all() else mask,
            )
        )
    return found


def covered(predictions: Sequence[Prediction], actuals: Sequence[Actual], moment: Moment | None = None) -> Coverage:
    return coverage(predictions_as(predictions), actuals_as(actuals), moment or Moment(now_s=NOW_S))


# ── the brute-force join


def expected(predictions: Sequence[Prediction], actuals: Sequence[Actual], moment: Moment) -> dict[str, Any]:
    """Join row by row, as slowly as it gets."""
    window_s = moment.window_s
    sent = [row for row in actuals if row.is_sent]
    days: dict[date, Counter[str]] = {}
    delays: dict[date, list[tuple[int, int]]] = {}
    leaving = dict.fromkeys((1, 3, 7), 0)
    for row in predictions:
        if moment.since_s is not None and row.received_s < moment.since_s:
            continue
        day = datetime.fromtimestamp(row.event_time, UTC).date()
        mine = sorted((i for i in sent if i.id == row.id), key=lambda item: (item.received_s, item.event_time))
        every = [item for item in actuals if item.id == row.id]
        ages = [item.received_s - row.received_s for item in mine]
        joins = [item for item, age in zip(mine, ages, strict=True) if 0 <= age <= window_s]
        counts = days.setdefault(day, Counter())
        if row.is_complete:
            counts["complete"] += 1
        elif joins:
            counts["joined"] += 1
            delay = joins[0].event_time - row.event_time, joins[0].received_s - row.received_s
            delays.setdefault(day, []).append(delay)
        else:
            counts["early" if min(ages, default=0) < 0 else "late" if ages else "none"] += 1
            left_s = row.received_s + window_s - moment.now_s
            counts["waiting"] += left_s >= 0
            for within in leaving:
                leaving[within] += 0 <= left_s <= within * DAY_S
        counts["repeated"] += len({item.says for item in mine}) < len(every)
        counts["corrected"] += len({item.says for item in mine}) > 1
    return {
        "days": {
            day: (+counts, Delays.of(_column(delays.get(day, []), 0)), Delays.of(_column(delays.get(day, []), 1)))
            for day, counts in days.items()
        },
        "leaving": leaving,
        "actuals": _actuals(predictions, sent, window_s) | {"repeated": len(actuals) - len(sent)},
    }


def _column(pairs: list[tuple[int, int]], which: int) -> Any:
    return pl.Series([pair[which] for pair in pairs], dtype=pl.Int64).to_numpy()


def _actuals(predictions: Sequence[Prediction], sent: Sequence[Actual], window_s: int) -> dict[str, int]:
    """As the local stand-in for Arize counts: `early` and `too_late` may both hold of one."""
    counts = Counter(matched=0, unmatched=0, early=0, too_late=0, unknown=0)
    for item in sent:
        ages = [item.received_s - row.received_s for row in predictions if row.id == item.id]
        if any(0 <= age <= window_s for age in ages):
            counts["matched"] += 1
            continue
        counts["unmatched"] += 1
        counts["early"] += any(age < 0 for age in ages)
        counts["too_late"] += any(age > window_s for age in ages)
        counts["unknown"] += not ages
    return dict(counts)


def counted(found: Coverage) -> dict[str, Any]:
    names = ("complete", "joined", "early", "late", "none", "waiting", "repeated", "corrected")
    return {
        "days": {
            day: (
                +Counter({name: getattr(counts, name) for name in names}),
                counts.event_delays,
                counts.received_delays,
            )
            for day, counts in found.days.items()
        },
        "leaving": found.leaving,
        "actuals": {
            "matched": found.actuals.matched,
            "unmatched": found.actuals.unmatched,
            "early": found.actuals.early,
            "too_late": found.actuals.too_late,
            "unknown": found.actuals.unknown,
            "repeated": found.actuals.repeated,
        },
    }


# Ids that share the first half of their digest, or the table's slot, or neither.
some_ids = st.sampled_from([id_of(0), id_of(1), (1 << 60, 2), ((1 << 60) + 1, 1), id_of(5), id_of(15)])
moments = st.integers(0, 40).map(lambda quarters: NOW_S - 20 * DAY_S + quarters * DAY_S // 4)
event_times = st.integers(-3, 3).map(lambda halves: MIDNIGHT_S + halves * DAY_S // 2)
predictions = st.lists(
    st.builds(Prediction, id=some_ids, received_s=moments, event_time=event_times, is_complete=st.booleans()),
    max_size=12,
)
actuals = st.lists(
    st.builds(
        Actual,
        id=some_ids,
        received_s=moments,
        event_time=event_times,
        says=st.integers(1, 3),
        is_sent=st.sampled_from([True, True, True, False]),
        place=st.tuples(st.sampled_from("ab"), st.integers(0, 1), st.integers(0, 9)),
    ),
    max_size=12,
)
days_of_the_window = st.integers(1, 5)
since = st.none() | moments


@given(predictions, actuals, days_of_the_window, since, st.randoms(use_true_random=False))
def test_whatever_the_order_the_counts_add_up_and_equal_a_brute_force_join(
    predictions: list[Prediction], actuals: list[Actual], window: int, since: int | None, shuffled: Any
) -> None:
    moment = Moment(now_s=NOW_S - 10 * DAY_S, join_window_days=window, since_s=since)
    found = covered(predictions, actuals, moment)
    assert counted(found) == expected(predictions, actuals, moment)
    total = found.total
    assert total.delivered == sum(moment.counts(row.received_s) for row in predictions)
    assert total.delivered == total.with_actual + total.without
    assert found.actuals.sent + found.actuals.repeated == len(actuals)
    shuffled.shuffle(predictions)
    shuffled.shuffle(actuals)
    assert counted(covered(predictions, actuals, moment)) == counted(found)


@given(predictions, actuals, st.integers(0, 3))
def test_the_places_of_unmatched_actuals_are_those_of_a_brute_force_join(
    predictions: list[Prediction], actuals: list[Actual], most: int
) -> None:
    moment = Moment(now_s=NOW_S, join_window_days=2)
    places = {
        item.place
        for item in actuals
        if item.is_sent
        and not any(
            row.id == item.id and 0 <= item.received_s - row.received_s <= moment.window_s for row in predictions
        )
    }
    whole = coverage(predictions_as(predictions), actuals_as(actuals), moment).places
    told = {(at.partition.topic, at.partition.number, offset) for at in whole.ranges for offset in _offsets(at)}
    assert (told, whole.more_ranges, whole.offsets) == (places, 0, len(places))
    assert list(whole.ranges) == sorted(whole.ranges)
    assert not any(one.is_adjacent_to(other) for one in whole.ranges for other in whole.ranges)
    few = coverage(predictions_as(predictions), actuals_as(actuals), moment, most_ranges=most).places
    assert (few.offsets, len(few.ranges) + few.more_ranges) == (whole.offsets, len(whole.ranges))
    spans = sorted((item.span for item in whole.ranges), reverse=True)
    assert sorted((item.span for item in few.ranges), reverse=True) == spans[:most]


def _offsets(at: OffsetRange) -> range:
    return range(at.start, at.stop)


# ── each rule by itself


P, DAY = NOW_S - 10 * DAY_S, DAY_S


def one_day(found: Coverage) -> Day:
    (day,) = found.days.values()
    return day


def test_an_actual_joins_up_to_the_end_of_the_window_and_no_second_longer() -> None:
    prediction = [Prediction(id=id_of(1), received_s=P)]
    for age, joined in {-1: 0, 0: 1, 14 * DAY: 1, 14 * DAY + 1: 0}.items():
        found = covered(prediction, [Actual(id=id_of(1), received_s=P + age)])
        assert (one_day(found).joined, found.actuals.matched) == (joined, joined)


def test_the_first_actual_that_joins_tells_how_long_truth_took() -> None:
    actuals = [
        Actual(id=id_of(1), received_s=P + age, event_time=MIDNIGHT_S + age + 7, says=age + 30) for age in (90, -30, 60)
    ]
    day = one_day(covered([Prediction(id=id_of(1), received_s=P)], actuals))
    assert (day.received_delays.within(0.5), day.event_delays.within(0.5), day.corrected) == (60, 67, 1)


def test_what_is_said_repeats_whatever_was_said_in_between() -> None:
    actuals = [Actual(id=id_of(1), received_s=P + at, says=says) for at, says in enumerate((1, 2, 1))]
    day = one_day(covered([Prediction(id=id_of(1), received_s=P)], actuals))
    assert (day.repeated, day.corrected) == (1, 1)
    day = one_day(covered([Prediction(id=id_of(1), received_s=P)], actuals[:2]))
    assert (day.repeated, day.corrected) == (0, 1)


def test_one_actual_is_the_truth_of_each_prediction_of_its_id() -> None:
    predictions = [Prediction(id=id_of(1), received_s=P), Prediction(id=id_of(1), received_s=P + 5)]
    found = covered([*predictions, predictions[0]], [Actual(id=id_of(1), received_s=P + 9)])
    assert (one_day(found).joined, found.actuals.matched) == (3, 1)


def test_a_prediction_that_brings_its_truth_along_waits_for_none_and_has_no_delay() -> None:
    prediction = Prediction(id=id_of(1), received_s=NOW_S, is_complete=True)
    found = covered([prediction], [Actual(id=id_of(1), received_s=NOW_S + 1)])
    day = one_day(found)
    assert (day.complete, day.with_actual, day.waiting, day.received_delays.count) == (1, 1, 0, 0)
    assert (found.actuals.matched, found.leaving) == (1, {1: 0, 3: 0, 7: 0})
    waits = Prediction(id=id_of(2), received_s=NOW_S)
    truths = [Actual(id=id_of(1), received_s=NOW_S + 1), Actual(id=id_of(2), received_s=NOW_S + 60)]
    day = one_day(covered([prediction, waits], truths))
    assert (day.complete, day.joined, day.received_delays.curve()) == (1, 1, [(60, 1)])


def test_what_was_received_before_the_counted_days_is_there_for_its_actuals_alone() -> None:
    old = Prediction(id=id_of(1), received_s=P)
    found = covered([old], [Actual(id=id_of(1), received_s=P + 1)], Moment(now_s=NOW_S, since_s=P + 1))
    assert (found.total.delivered, found.actuals.matched, dict(found.days)) == (0, 1, {})


def test_what_leaves_the_window_is_told_day_by_day_and_what_left_it_is_not() -> None:
    ages = [14 * DAY + 1, 14 * DAY, 13 * DAY, 13 * DAY - 1, 11 * DAY, 7 * DAY, 7 * DAY - 1, 0]
    found = covered([Prediction(id=id_of(number), received_s=NOW_S - age) for number, age in enumerate(ages)], [])
    assert found.leaving == {1: 2, 3: 4, 7: 5}
    assert (one_day(found).without, one_day(found).waiting) == (8, 7)


def test_rows_whose_ids_nobody_knows_any_more_are_counted_apart() -> None:
    found = coverage([Unknown(rows=3), Unknown(rows=4)], [Unknown(rows=5)], Moment(now_s=NOW_S))
    assert (found.unknown_predictions, found.unknown_actuals) == (7, 5)
    assert (found.total.delivered, found.actuals.sent) == (0, 0)


def test_an_actual_that_was_not_sent_joins_nothing_and_says_that_it_repeats() -> None:
    actual = Actual(id=id_of(1), received_s=P + 1, is_sent=False)
    found = covered([Prediction(id=id_of(1), received_s=P)], [actual])
    assert (one_day(found).none, one_day(found).repeated, found.actuals.sent, found.actuals.repeated) == (1, 1, 0, 1)


def test_one_id_that_all_rows_share_is_no_square() -> None:
    shared = pl.lit(7, pl.UInt64)
    rows = pl.DataFrame({"offset": range(50_000)}, schema={"offset": pl.Int64}).with_columns(
        topic=pl.lit("a"), partition=pl.lit(0, pl.Int32), id_0=shared, id_1=shared, event_time=pl.col("offset")
    )
    predictions = rows.with_columns(is_complete=pl.lit(value=False))
    actuals = rows.with_columns(says=pl.col("offset").cast(pl.UInt64))
    found = coverage(
        [Received(ids=predictions, at_s=P + at) for at in range(3)],
        [Received(ids=actuals, at_s=P + at) for at in (0, 1, 20 * DAY)],
        Moment(now_s=NOW_S),
    )
    assert (found.total.joined, found.total.early) == (100_000, 50_000)
    assert (found.actuals.matched, found.actuals.late) == (100_000, 50_000)
    assert found.places.ranges == (OffsetRange(Partition("a", 0), 0, 50_000),)


def test_a_report_is_the_same_in_json() -> None:
    prediction = Prediction(id=id_of(1), received_s=P)
    found = covered([prediction], [Actual(id=id_of(1), received_s=P + 60), Actual(id=id_of(2), received_s=P)])
    said = found.as_dict()
    assert said["total"]["delivered"] == said["total"]["with_actual"] == 1
    assert said["days"]["2023-11-14"]["received_delays"] == {
        "count": 1,
        "p50_s": 60,
        "p90_s": 60,
        "p99_s": 60,
    }
    assert said["unmatched"] == {"ranges": ["a[0] 0..1"], "more_ranges": 0, "more_offsets": 0}
    assert (said["actuals"]["unmatched"], said["unknown"]) == (1, {"predictions": 0, "actuals": 0})


# ── delays


@given(st.integers(-(2**40), 2**40))
def test_a_step_holds_delays_that_differ_by_a_hundred_and_twenty_eighth_at_most(seconds: int) -> None:
    (step,) = steps_of(pl.Series([seconds]).to_numpy()).tolist()
    longest = longest_of(step)
    assert seconds <= longest <= seconds + abs(seconds) // 128
    assert steps_of(pl.Series([longest]).to_numpy()).tolist() == [step]
    (after,) = steps_of(pl.Series([longest + 1]).to_numpy()).tolist()
    assert after > step


@given(st.lists(st.integers(-5000, 100_000), min_size=1), st.floats(0.01, 1))
def test_a_share_of_truths_had_come_when_it_is_said(seconds: list[int], share: float) -> None:
    half = len(seconds) // 2
    first, second = (Delays.of(pl.Series(part, dtype=pl.Int64).to_numpy()) for part in (seconds[:half], seconds[half:]))
    delays = first + second
    exact = sorted(seconds)[max(math.ceil(share * len(seconds)), 1) - 1]
    said = delays.within(share)
    assert said is not None
    assert exact <= said <= exact + abs(exact) // 128
    assert delays.curve()[-1][1] == delays.count == len(seconds)


def test_of_no_truth_nothing_is_said() -> None:
    assert Delays().within(0.5) is None
    assert Delays().as_dict() == {"count": 0, "p50_s": None, "p90_s": None, "p99_s": None}
