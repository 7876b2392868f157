"""The limit that all runs of one Arize space share, wherever they run, if Prefect has one by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from prefect import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound

from tasks.never_failing import never_failing

_LEASE_S = 60  # the slot of a run that was killed is free after it; the least that Prefect allows


def limit_of(space: str) -> str:
    """Name the limit of a space's runs: `arize-space-…`."""
    return for_space("arize-space", space)


def for_space(kind: str, space: str) -> str:
    """Name a limit of a space; what a limit's name may not hold is a hyphen."""
    return f"{kind}-" + re.sub(r"[^\w=-]", "-", space)


@contextmanager
def slot_of(space: str) -> Iterator[None]:
    """Hold one slot for the whole run, once a run and not once a part: each costs some requests.

    Waits for a slot. A space without a limit waits for nothing; a Prefect that cannot say holds nobody up.
    """
    held = ExitStack()
    _take_slot(held, limit_of(space))
    try:
        yield
    finally:
        _give_slot_back(held)


@never_failing
def _take_slot(held: ExitStack, name: str) -> None:
    if _exists(name):  # asked first, for Prefect warns in each run of a limit that nobody made
        held.enter_context(concurrency(name, lease_duration=_LEASE_S, strict=False))


@never_failing
def _give_slot_back(held: ExitStack) -> None:
    held.close()


def _exists(name: str) -> bool:
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            return False
    return True
