"""The pace that all runs of an Arize space keep together, on whatever machine: a rate limit of Prefect's."""

from __future__ import annotations

import math
import threading

from prefect import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectNotFound

from sluice.opening import machine_pace
from sluice.pacing import Pace
from sluice.settings import ArizeConnection
from tasks.limits import for_space

_SECONDS = 10  # so much may go at once; a part takes its rows in steps of it, each a request


def shared_pace(arize: ArizeConnection) -> Pace:
    """Return the pace of a space; without a rate, none. What Prefect cannot say, this machine keeps alone."""
    if arize.rows_per_second is None:
        return machine_pace(arize)
    return _PrefectPace(for_space("arize-rows", arize.space_id), arize.rows_per_second, machine_pace(arize))


class _PrefectPace:
    def __init__(self, name: str, rows_per_second: float, otherwise: Pace) -> None:
        self._name = name
        self._rate = rows_per_second
        self._at_once = max(math.ceil(rows_per_second * _SECONDS), 1)
        self._otherwise = otherwise
        self._made = False
        self._lock = threading.Lock()

    def __call__(self, rows: int) -> None:
        try:
            self._make()
            for taken in range(0, rows, self._at_once):
                rate_limit(self._name, occupy=min(self._at_once, rows - taken), strict=True)
        except Exception:  # noqa: BLE001 - whatever Prefect's trouble is, rows are not held up by it
            self._otherwise(rows)

    def _make(self) -> None:
        """Make the limit, or bring it to the rate that the settings say now: once a run."""
        with self._lock:
            if self._made:
                return
            name, at_once, rate = self._name, self._at_once, self._rate
            with get_client(sync_client=True) as client:
                try:
                    found = client.read_global_concurrency_limit_by_name(name)
                except ObjectNotFound:
                    made = GlobalConcurrencyLimitCreate(name=name, limit=at_once, slot_decay_per_second=rate)
                    client.create_global_concurrency_limit(made)
                else:
                    if (found.limit, found.slot_decay_per_second) != (at_once, rate):
                        changed = GlobalConcurrencyLimitUpdate(limit=at_once, slot_decay_per_second=rate)
                        client.update_global_concurrency_limit(name, changed)
            self._made = True
