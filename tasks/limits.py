"""The limit that all runs of one Arize space share, wherever they run, if Prefect has one by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from prefect import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger

_LEASE_S = 60  # the slot of a run that was killed is free after it; the least that Prefect allows


def limit_of(space: str) -> str:
    """Name the limit of a space: `arize-space-…`; what a limit's name may not hold is a hyphen."""
    return "arize-space-" + re.sub(r"[^\w=-]", "-", space)


@contextmanager
def slot_of(space: str) -> Iterator[None]:
    """Hold one slot for the whole run, once a run and not once a part: it costs a quarter of a second.

    Waits for a slot. A space without a limit waits for nothing; a Prefect that cannot say holds nobody up.
    """
    slot = concurrency(limit_of(space), lease_duration=_LEASE_S, strict=False)
    is_held = False
    try:
        if _exists(limit_of(space)):  # asked first, for Prefect warns in each run of a limit that nobody made
            slot.__enter__()
            is_held = True
    except Exception as error:  # noqa: BLE001 - a courtesy to Arize, on which no delivery depends
        get_run_logger().warning("no slot of %s: %s", limit_of(space), type(error).__name__)
    try:
        yield
    finally:
        if is_held:
            _let_go(slot)


def _exists(name: str) -> bool:
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            return False
    return True


def _let_go(slot: AbstractContextManager[None]) -> None:
    try:
        slot.__exit__(None, None, None)
    except Exception as error:  # noqa: BLE001 - its lease ends by itself
        get_run_logger().warning("a slot was not given back: %s", type(error).__name__)
