"""What a run asks of Prefect beside its delivery: a delivery never depends on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prefect.logging import get_run_logger

Given = ParamSpec("Given")


def never_failing(work: Callable[Given, None]) -> Callable[Given, None]:
    """Log what goes wrong, and go on."""

    @wraps(work)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, rows that Arize has stay delivered
            name = work.__name__.strip("_")
            get_run_logger().warning("%s failed: %s. The ledger has it all.", name, type(error).__name__)

    return guarded
