"""From two ledgers to coverage: what was delivered to one model on either side, as far back as is asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sluice.ground_truth.coverage import Coverage, Moment, coverage
from sluice.ground_truth.days import DAY_S
from sluice.ground_truth.delivered import DeliveredPart, delivered_since
from sluice.ground_truth.id_files import IdFiles
from sluice.ground_truth.rows import actuals_of, predictions_of
from sluice.ledger import Ledger
from sluice.ledger.deliveries import Deliveries
from sluice.ledger.went import Sent
from sluice.staging import Staging
from sluice.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One pipeline of the two.

    Attributes:
        ledger: as loaded.
    """

    store: Store
    ledger: Ledger
    staging: Staging

    def delivered(self, to: Sent, since_s: float) -> tuple[DeliveredPart, ...]:
        return delivered_since(self.store, self.ledger, Deliveries(self.store, self.ledger.keys), to, since_s)

    @property
    def files(self) -> IdFiles:
        return IdFiles(self.store, self.ledger.keys, self.staging)


def match(
    predictions: Side,
    actuals: Side,
    to: Sent,
    *,
    now_s: int,
    days: int,
    join_window_days: int = 14,
    besides: Collection[str] = (),
) -> Coverage:
    """Match the actuals that a model received in the last days with its predictions.

    Predictions are counted that were received in these days, and looked at for the joining window more: the truth of
    those came in these days. What came before either is not known: an actual whose prediction is older than all that is
    `unknown`, and one that came before these days, and too early, is not seen.

    Args:
        to: the place: space, model and environment; of whatever version.
        days: at least the joining window, as each prediction in it may still get its truth.
        besides: see `actuals_of`.
    """
    if days < join_window_days:
        raise ValueError(f"a look-back of {days} days is shorter than the joining window of {join_window_days}")
    since_s = now_s - days * DAY_S
    guesses = predictions.delivered(to, since_s - join_window_days * DAY_S)
    truths = actuals.delivered(to, since_s)
    return coverage(
        predictions_of(predictions.files, guesses),
        actuals_of(actuals.files, truths, besides=besides),
        Moment(now_s=now_s, join_window_days=join_window_days, since_s=since_s),
    )
