"""Watch a pipeline's ledger from outside, and say each window as it is sealed and delivered."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sluice.ledger import Ledger, entries
from sluice.ledger.deliveries import Deliveries
from sluice.settings import Settings
from sluice.stores.opening import open_store

_EVERY_S = 0.3


class LedgerWatch:
    """Reads the ledger in the store, as anybody may; `look` says what is new."""

    def __init__(self, pipeline: str, say: Callable[[str], None]) -> None:
        store = open_store(Settings.from_environment(os.environ).store())
        self._ledger = Ledger(store, pipeline).load()
        self._deliveries = Deliveries(store, self._ledger.keys)
        self._say = say
        self._waiting: dict[int, entries.Sealed] = {}
        self._next = self.entries

    @property
    def entries(self) -> int:
        return self._ledger.state.next_number if self._ledger.exists else 0

    def look(self) -> bool:
        """Say the windows that were sealed and those that were delivered since the last look. Always False."""
        if not self._ledger.exists:
            self._ledger.load()
        else:
            self._ledger.refresh()
        for number in range(self._next, self.entries):
            entry = self._ledger.entry(number)
            if isinstance(entry, entries.Sealed):
                self._waiting[number] = entry
        self._next = self.entries
        self._say_delivered()
        return False

    @contextmanager
    def following(self) -> Iterator[None]:
        """Look every moment while the block runs, and once behind it."""
        done = threading.Event()

        def follow() -> None:
            while not done.wait(_EVERY_S):
                self.look()

        thread = threading.Thread(target=follow, name="watch")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.look()

    def _say_delivered(self) -> None:
        ends = self._deliveries.ends({number: entry.id for number, entry in self._waiting.items()})
        for number, entry in list(self._waiting.items()):
            if len(ends[number]) == len(entry.parts):
                rows = sum(end.outcome.rows or 0 for end in ends[number].values())
                self._say(f"entry {number:>3}  {entry.balance.arithmetic()}  →  {rows:,} accepted")
                del self._waiting[number]
