"""The messages of librdkafka as `Records`: columns by unbound accessors, with no Python for each good record."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Final, cast

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from sluice.offsets import Partition
from sluice.records import Headers, Record

NO_NAME: Final = "\ufffd"


class MessageRecords:
    """The records of one range, as librdkafka handed them over."""

    __slots__ = ("_messages", "_partition")

    def __init__(self, partition: Partition, messages: Sequence[Message]) -> None:
        self._partition = partition
        self._messages = messages

    def __len__(self) -> int:
        return len(self._messages)

    def values(self) -> list[bytes | None]:
        return list(map(Message.value, self._messages))

    def offsets(self) -> list[int]:
        if not self._messages:
            return []
        first, last = offset_of(self._messages[0]), offset_of(self._messages[-1])
        if last - first + 1 == len(self._messages):  # dense: a range is 40 times as fast as asking each
            return list(range(first, last + 1))
        return list(map(offset_of, self._messages))

    def timestamps_ms(self) -> list[int | None]:
        return list(map(_timestamp_ms, self._messages))

    def keys(self) -> list[bytes | None]:
        return list(map(Message.key, self._messages))

    def headers(self) -> list[Headers]:
        return list(map(_headers, self._messages))

    def record(self, index: int) -> Record:
        message = self._messages[index]
        return Record(
            partition=self._partition,
            offset=offset_of(message),
            timestamp_ms=_timestamp_ms(message),
            key=message.key(),
            value=message.value(),
            headers=_headers(message),
        )


def offset_of(message: Message) -> int:
    return cast(int, message.offset())


def epoch_of(message: Message) -> int | None:
    """Return the leader epoch in which a record was written; None from brokers that do not say."""
    epoch = message.leader_epoch()
    return None if epoch is None or epoch < 0 else epoch


def weight_of(messages: Sequence[Message]) -> int:
    """Return the bytes of keys and values."""
    return sum(map(len, messages)) + sum(map(len, filter(None, map(Message.key, messages))))


def _timestamp_ms(message: Message) -> int | None:
    kind, milliseconds = message.timestamp()
    return None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds


def _headers(message: Message) -> Headers:
    # librdkafka hands headers over as a list of pairs; only producers may give a dict.
    try:
        # By way of `map`, which looks whether the call failed: it fails and gives a list, too, and beside a result a
        # warm interpreter looks for no failure of a usual call.
        (found,) = map(Message.headers, (message,))
    except SystemError:
        return _named_anew(message)
    return tuple(cast(list[tuple[str, bytes | None]], found or ()))


def _named_anew(message: Message) -> Headers:
    """Return the headers of a record of which one has a name that is not UTF-8, under `NO_NAME`.

    The client fails for such a name when it is first asked, and from then on hands over a pair with nothing at all in
    the name's place, on which Python crashes. `get_referents` alone sees what is in a pair without touching the rest.
    """
    pairs = cast(list[tuple[str, bytes | None]], message.headers())
    named = [pair if len(inside := gc.get_referents(pair)) == 2 else (NO_NAME, inside[0]) for pair in pairs]
    message.set_headers(cast(list[tuple[str, str | bytes | None]], named))  # for whoever asks next
    return tuple(named)
