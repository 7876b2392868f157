"""Coverage: which of the delivered predictions have their truth, and which actuals match nothing. Pure.

The rule is that of Arize's joiner: model and prediction id are the key, whatever the version; an actual joins the
predictions that were received up to `join_window_days` before it. Predictions of one id are separate observations: each
is joined, each counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from sluice.ground_truth.actuals import ActualCounts, Actuals
from sluice.ground_truth.days import DAY_S, LEAVING_WITHIN_DAYS, Classified, Day, Truth, by_day, leaving, sum_of
from sluice.ground_truth.received import Received, Unknown
from sluice.ground_truth.unmatched import Places

MOST_RANGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """As of when predictions and actuals are looked at.

    Attributes:
        now_s: in whole epoch seconds.
        join_window_days: of Arize's joiner.
        since_s: predictions that were received before are not counted; they are there for actuals whose truth they
            have. None: all are counted.
    """

    now_s: int
    join_window_days: int = 14
    since_s: int | None = None

    @property
    def window_s(self) -> int:
        return self.join_window_days * DAY_S

    def counts(self, received_s: int) -> bool:
        return self.since_s is None or received_s >= self.since_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What became of delivered predictions, and of the actuals that were sent.

    Attributes:
        days: by the day of the predictions' event time (UTC), the first one first.
        leaving: how many predictions without their truth leave the joining window within so many days.
        places: of the unmatched actuals.
        unknown_predictions, unknown_actuals: rows that were delivered and are in no other count, for nobody knows
            their ids any more. An unmatched actual may be the truth of one of these predictions.
    """

    moment: Moment
    days: Mapping[date, Day]
    leaving: Mapping[int, int]
    actuals: ActualCounts
    places: Places
    unknown_predictions: int = 0
    unknown_actuals: int = 0

    @property
    def total(self) -> Day:
        return sum_of(self.days.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            "now_s": self.moment.now_s,
            "since_s": self.moment.since_s,
            "join_window_days": self.moment.join_window_days,
            "total": self.total.as_dict(),
            "days": {str(day): counts.as_dict() for day, counts in self.days.items()},
            "leaving": {str(days): count for days, count in self.leaving.items()},
            "actuals": self.actuals.as_dict(),
            "unmatched": self.places.as_dict(),
            "unknown": {"predictions": self.unknown_predictions, "actuals": self.unknown_actuals},
        }


def coverage(
    predictions: Iterable[Received | Unknown],
    actuals: Iterable[Received | Unknown],
    moment: Moment,
    *,
    most_ranges: int = MOST_RANGES,
) -> Coverage:
    """Join actuals to predictions, and count both.

    Memory is taken for the actuals, some 60 bytes each, and for one `Received` of the predictions; the order of either
    does not matter.

    Args:
        predictions: of one place; they are taken one at a time.
        actuals: of the same place.
        most_ranges: of the unmatched actuals' offsets, so many are named.
    """
    sorted_actuals = Actuals(actuals)
    days: dict[date, Day] = {}
    left: Counter[int] = Counter(dict.fromkeys(LEAVING_WITHIN_DAYS, 0))
    unknown = 0
    for item in predictions:
        if isinstance(item, Unknown):
            unknown += item.rows
            continue
        rows = _classified(item, sorted_actuals, moment)
        if moment.counts(item.at_s):
            for day, counts in by_day(rows).items():
                days[day] = days.get(day, Day()) + counts
            left.update(leaving(rows))
    counts_of_actuals, places = sorted_actuals.counted(window_s=moment.window_s, most_ranges=most_ranges)
    return Coverage(
        moment=moment,
        days=dict(sorted(days.items())),
        leaving=dict(left),
        actuals=counts_of_actuals,
        places=places,
        unknown_predictions=unknown,
        unknown_actuals=sorted_actuals.unknown_rows,
    )


def _classified(item: Received, actuals: Actuals, moment: Moment) -> Classified:
    sent = item.ids if item.is_sent is None else item.ids.filter(item.is_sent)
    met = actuals.meet(sent["id_0"].to_numpy(), sent["id_1"].to_numpy(), at_s=item.at_s, window_s=moment.window_s)
    event_time = sent["event_time"].to_numpy()
    truth = np.full(sent.height, Truth.NONE)
    by_actuals = [Truth.JOINED, Truth.EARLY, Truth.LATE]
    truth[met.which] = np.select([met.is_joined, met.is_early, met.is_late], by_actuals, Truth.NONE)
    is_complete = sent["is_complete"].to_numpy()
    truth[is_complete] = Truth.COMPLETE
    joins = met.which[met.is_joined]
    counts = ~is_complete[joins]
    return Classified(
        event_time=event_time,
        truth=truth,
        repeated=_spread(met.repeated, met.which, sent.height),
        corrected=_spread(met.corrected, met.which, sent.height),
        left_s=item.at_s + moment.window_s - moment.now_s,
        event_delay=(met.event_time - event_time[joins])[counts],
        received_delay=(met.at_s - item.at_s)[counts],
    )


def _spread(flags: Any, which: Any, count: int) -> Any:
    whole = np.zeros(count, np.bool_)
    whole[which] = flags
    return whole
