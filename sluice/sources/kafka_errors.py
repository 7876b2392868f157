"""What librdkafka reports, as the errors of Sluice: translated here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException

from sluice.errors import (
    START_ANEW,
    EpochLost,
    GroupInUse,
    GroupNotAllowed,
    SluiceError,
    TopicMissing,
    TopicNotAllowed,
    WrongSettings,
)
from sluice.sources.kafka_refusals import is_refusal, refused, unavailable

_MISSING = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
_IN_USE = frozenset(
    {
        # A commit from outside carries no member id: the broker takes it only while the group has no members.
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.NON_EMPTY_GROUP,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.UNRELEASED_INSTANCE_ID,
    }
)
_WRONG = frozenset({KafkaError.INVALID_GROUP_ID, KafkaError.OFFSET_METADATA_TOO_LARGE, KafkaError._INVALID_ARG})
_MEANINGS: tuple[tuple[Collection[int], type[SluiceError], str, str], ...] = (
    (_MISSING, TopicMissing, "Kafka has no {where}", "Fix source.kafka.topics, or create the topic"),
    (
        {KafkaError.TOPIC_AUTHORIZATION_FAILED},
        TopicNotAllowed,
        # Of a topic that does not exist a broker says the same, to a user whom it would not show it.
        "Kafka forbids {where}, or hides that it does not exist",
        "Allow the user to Read and Describe the topic (an ACL)",
    ),
    (
        {KafkaError.GROUP_AUTHORIZATION_FAILED},
        GroupNotAllowed,
        "Kafka forbids {where}",
        "Allow the user to Read the group (an ACL), or name another group",
    ),
    (
        _IN_USE,
        GroupInUse,
        "Kafka took no offsets for {where}: it has live members",
        "Stop the consumers that use it, or give the pipeline a group of its own",
    ),
    (
        {KafkaError._LOG_TRUNCATION},
        EpochLost,
        "{where}: the log was cut below the position",
        START_ANEW,
    ),
    (_WRONG, WrongSettings, "Kafka cannot take {where}: {text}", ""),
)
_REFERENCE = "https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md"


def translated(error: KafkaError, where: str) -> SluiceError:
    """Return the error of Sluice that says what a KafkaError means.

    Args:
        where: the topic, partition, group or addresses that were asked about, in words.
    """
    if is_refusal(error):
        return refused(plain(error), where)
    for codes, kind, what, next_step in _MEANINGS:
        if error.code() in codes:
            return kind(what.format(where=where, text=plain(error)), next_step)
    return unavailable(where, plain(error))


def wrong_properties(error: Exception, properties: Mapping[str, str]) -> WrongSettings:
    """Say what librdkafka dislikes about a connection's properties, without any of their values."""
    text = plain(error.args[0]) if isinstance(error, KafkaException) else "a property has the wrong type"
    text = text.removeprefix("Failed to create admin client: ").removeprefix("Failed to create consumer: ")
    return WrongSettings(
        f"The Kafka connection cannot be used: {without(properties.values(), text)}",
        f"Fix its properties; they are librdkafka's: {_REFERENCE}",
    )


def without(values: Iterable[str], text: str) -> str:
    """Take values out of a text, wherever they stand as whole words."""
    words = [re.escape(value) for value in sorted(values, key=len, reverse=True) if value]
    return re.sub(rf"(?<![\w.])(?:{'|'.join(words)})(?![\w.])", "…", text) if words else text


def plain(error: KafkaError) -> str:
    """Return librdkafka's words without the timing at their end."""
    return re.sub(r" \(after \d+ms in state \w+(?:, .*)?\)$", "", error.str())


class Trouble:
    """What a client's background threads complained of last: given to librdkafka as its `error_cb`.

    A call that gets no answer in time says only that; why is known here.
    """

    def __init__(self) -> None:
        self.last: KafkaError | None = None
        self.refusal: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        if self.refusal is None and is_refusal(error):
            self.refusal = error  # the first says most: others follow from it
        # "1/1 brokers are down" follows each failed connection and says less than it.
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self.last is None:
            self.last = error

    def clear(self) -> None:
        self.last = self.refusal = None

    def why(self, otherwise: str) -> str:
        return otherwise if self.last is None else plain(self.last)
