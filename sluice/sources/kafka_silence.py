"""What a reader makes of hearing nothing: wait, ask whether the topics are still there, and give up in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice.clock import Clock
from sluice.errors import SluiceError, SourceUnavailable
from sluice.offsets import OffsetRange, Partition
from sluice.sources.kafka_errors import Trouble, translated
from sluice.sources.kafka_refusals import unavailable
from sluice.sources.kafka_window import Intake

_ASK_S = 5.0


class Silence:
    """How long nothing has come of the ranges that are being read.

    Args:
        check: raises where the topics cannot be read at all. librdkafka says nothing of a topic that was deleted while
            it was read.
        stall_s: the longest silence.
    """

    def __init__(
        self, *, addresses: str, trouble: Trouble, check: Callable[[Sequence[str]], None], clock: Clock, stall_s: float
    ) -> None:
        self._addresses = addresses
        self._trouble = trouble
        self._check = check
        self._clock = clock
        self._stall_s = stall_s
        self._ask_s = min(_ASK_S, stall_s / 2)
        self._since = clock.elapsed_s()
        self._has_asked = False
        self._heard_ever = False
        self._statistics = ""
        self._fetching: dict[Partition, int] = {}

    def start(self) -> None:
        self._since = self._clock.elapsed_s()
        self._has_asked = False

    def heard(self) -> None:
        self.start()
        self._heard_ever = True
        self._trouble.clear()

    def note(self, statistics: str) -> None:
        """Keep librdkafka's statistics, for the day that they are needed: given to it as its `stats_cb`."""
        self._statistics = statistics

    def mind(self, open_: Mapping[Partition, Intake]) -> None:
        """Raise if there is nothing more to wait for.

        Raises:
            SourceRefused: no connection was ever had, and this is why.
            TopicMissing, TopicNotAllowed: the topic is gone.
            SourceUnavailable: it has been silent for too long.
        """
        if self._trouble.refusal is not None and not self._heard_ever:
            raise translated(self._trouble.refusal, self._addresses)
        silent_s = self._clock.elapsed_s() - self._since
        if silent_s < self._ask_s or not open_:
            return
        if self._has_moved(open_):
            self.start()
        elif silent_s >= self._stall_s:
            raise self._given_up(open_)
        elif not self._has_asked:
            self._has_asked = True
            self._check(sorted({partition.topic for partition in open_}))

    def _has_moved(self, open_: Mapping[Partition, Intake]) -> bool:
        """Whether librdkafka fetches on, though it hands nothing over: gigabytes of aborted records look like this."""
        if not self._statistics:
            return False
        before, self._fetching = self._fetching, _positions(json.loads(self._statistics))
        self._statistics = ""
        return any(before.get(item, at) < at for item, at in self._fetching.items() if item in open_)

    def _given_up(self, open_: Mapping[Partition, Intake]) -> SluiceError:
        if self._trouble.refusal is not None:
            return translated(self._trouble.refusal, self._addresses)
        first = open_[min(open_)]
        rest = OffsetRange(first.range.partition, first.position, first.range.stop)
        silence = f"nothing of {rest} came within {self._stall_s:g} s"
        if first.cursor.ended_at is None:
            return unavailable(self._addresses, f"{silence}; {self._trouble.why('no reason is known')}")
        return SourceUnavailable(
            f"{silence}: Kafka says that {rest.partition} ends at offset {first.cursor.ended_at}",
            "The next run plans from what is there then",
        )


def _positions(statistics: Mapping[str, Any]) -> dict[Partition, int]:
    return {
        Partition(topic, int(number)): numbers["next_offset"]
        for topic, described in statistics["topics"].items()
        for number, numbers in described["partitions"].items()
    }
