"""How far one partition has been read: what arrived and waits for a window, what is proven empty, what expired."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from confluent_kafka import Message

from sluice.errors import START_ANEW, EpochLost
from sluice.offsets import OffsetRange, Partition
from sluice.sources.kafka_records import epoch_of, offset_of, weight_of
from sluice.sources.limits import ReadLimits


class Room:
    """What a window still has room for."""

    __slots__ = ("_bytes", "_empty", "_records", "is_full")

    def __init__(self, limits: ReadLimits) -> None:
        self._records = limits.max_records
        self._bytes = limits.max_bytes
        self._empty = True
        self.is_full = False

    def holds(self, count: int, weight: int) -> bool:
        return count <= self._records and weight <= self._bytes

    def first_that_fit(self, messages: Sequence[Message]) -> int:
        """Return how many go in, at least one into an empty window; the window is full where not all do."""
        left, fit = self._bytes, 0
        for message in messages[: self._records]:
            left -= weight_of((message,))
            if left < 0 and not (self._empty and fit == 0):
                break
            fit += 1
        self.is_full |= fit < len(messages)
        return fit

    def fill(self, count: int, weight: int) -> None:
        self._records -= count
        self._bytes -= weight
        self._empty &= count == 0
        self.is_full |= self._records <= 0 or self._bytes <= 0


class Cursor:
    """A partition in the hands of a reader.

    Below `head` everything was given to a window, is invisible, or expired. From `head` to `seen` all that Kafka will
    ever show has arrived and waits here. From `seen` on Kafka is asked, if the partition is assigned.

    Args:
        start: the next offset to read.
        epoch: the leader epoch of the last record before `start`, None where it is not known.
    """

    def __init__(self, partition: Partition, start: int, epoch: int | None) -> None:
        self.partition = partition
        self.seen = start
        self.cut_at = start  # where the last window ended, and so where the next one should start
        self.ended_at: int | None = None  # where Kafka said last that the partition ends
        self.assigned = False
        self.looks_back = True
        self.carried_bytes = 0
        self._epoch = epoch
        self._expected: int | None = None
        self._runs: deque[tuple[list[Message], int]] = deque()  # with their weights, so that each is weighed once
        self._gaps: list[tuple[int, int]] = []

    @property
    def head(self) -> int:
        return offset_of(self._runs[0][0][0]) if self._runs else self.seen

    def ask(self) -> int:
        """Note that the partition is assigned from now on; return the offset to fetch from.

        That is one too early where the epoch of the record before is known: librdkafka takes an epoch with an
        assignment, but checks it only when the leader changes, so a log that was cut and written anew goes unnoticed.
        """
        self.assigned = True
        self.ended_at = None
        self._expected = epoch_of(self._runs[-1][0][-1]) if self._runs else self._epoch
        if not self.looks_back or self.seen == 0:
            self._expected = None
        return self.seen if self._expected is None else self.seen - 1

    def receive(self, messages: list[Message]) -> int:
        """Take what Kafka handed over, in its order; return its weight.

        Raises:
            EpochLost: the records tell of another log than the one that was read before.
        """
        if self._expected is not None:
            self._check_epoch(messages[0], self._expected)
        if offset_of(messages[0]) < self.seen:
            messages = messages[bisect_left(messages, self.seen, key=offset_of) :]
        weight = weight_of(messages)
        self._carry(messages, weight)
        if messages:
            self.seen = offset_of(messages[-1]) + 1
            self.looks_back = True
        return weight

    def reach(self, end: int) -> None:
        """Note that Kafka said: the partition ends here. What lies below and never arrived is invisible."""
        self.ended_at = end
        self.seen = max(self.seen, end)

    def expire(self, earliest: int) -> None:
        """Note that everything from `seen` to here is gone from Kafka."""
        self._gaps.append((self.seen, earliest))
        self.seen = earliest

    def expired_in(self, span: OffsetRange) -> int:
        return sum(max(0, min(stop, span.stop) - max(start, span.start)) for start, stop in self._gaps)

    def take(self, stop: int, room: Room) -> list[Message]:
        """Give out what waits below `stop`, as far as there is room."""
        taken: list[Message] = []
        while self._runs and self.head < stop and not room.is_full:
            messages, weight = self._runs.popleft()
            self.carried_bytes -= weight
            if offset_of(messages[-1]) >= stop or not room.holds(len(messages), weight):
                fit = room.first_that_fit(messages[: bisect_left(messages, stop, key=offset_of)])
                messages, rest = messages[:fit], messages[fit:]
                whole, weight = weight, weight_of(messages)
                self._carry(rest, whole - weight, first=True)
            room.fill(len(messages), weight)
            taken += messages
        if taken:
            self._epoch = epoch_of(taken[-1])
        return taken

    def drop(self) -> None:
        """Forget what waits here: it is asked for again when it is needed."""
        self.seen = self.head
        self._gaps = [gap for gap in self._gaps if gap[0] < self.seen]
        self._runs.clear()
        self.carried_bytes = 0

    def _carry(self, messages: list[Message], weight: int, *, first: bool = False) -> None:
        if messages:
            (self._runs.appendleft if first else self._runs.append)((messages, weight))
            self.carried_bytes += weight

    def _check_epoch(self, message: Message, expected: int) -> None:
        """A record just before `seen` is the very one that was read, and epochs never fall along a log."""
        self._expected = None
        offset, epoch = offset_of(message), epoch_of(message)
        is_lost = epoch is not None and (epoch != expected if offset == self.seen - 1 else epoch < expected)
        if not is_lost:
            return
        raise EpochLost(
            f"{self.partition}: the log was cut below offset {self.seen} and written anew: offset {offset} is of"
            f" leader epoch {epoch}, what was read before it was of {expected}",
            START_ANEW,
        )
