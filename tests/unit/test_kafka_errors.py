"""Every error of librdkafka that is known becomes one of ours, and no value of a property is ever told."""

import json
import pickle

import pytest
from confluent_kafka import KafkaError, KafkaException

from sluice.errors import (
    EpochLost,
    GroupInUse,
    GroupNotAllowed,
    SluiceError,
    SourceRefused,
    SourceUnavailable,
    TopicMissing,
    TopicNotAllowed,
    WrongSettings,
)
from sluice.offsets import OffsetRange, Partition
from sluice.sources.kafka_cursor import Cursor
from sluice.sources.kafka_errors import Trouble, plain, translated, without, wrong_properties
from sluice.sources.kafka_silence import Silence
from sluice.sources.kafka_window import Intake


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._AUTHENTICATION, SourceRefused),
        (KafkaError._SSL, SourceRefused),
        (KafkaError.SASL_AUTHENTICATION_FAILED, SourceRefused),
        (KafkaError.UNSUPPORTED_SASL_MECHANISM, SourceRefused),
        (KafkaError.ILLEGAL_SASL_STATE, SourceRefused),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, SourceRefused),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicMissing),
        (KafkaError.UNKNOWN_TOPIC_ID, TopicMissing),
        (KafkaError.TOPIC_EXCEPTION, TopicMissing),
        (KafkaError._UNKNOWN_TOPIC, TopicMissing),
        (KafkaError._UNKNOWN_PARTITION, TopicMissing),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, TopicNotAllowed),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, GroupNotAllowed),
        (KafkaError.UNKNOWN_MEMBER_ID, GroupInUse),
        (KafkaError.REBALANCE_IN_PROGRESS, GroupInUse),
        (KafkaError.FENCED_INSTANCE_ID, GroupInUse),
        (KafkaError._LOG_TRUNCATION, EpochLost),
        (KafkaError.INVALID_GROUP_ID, WrongSettings),
        (KafkaError.OFFSET_METADATA_TOO_LARGE, WrongSettings),
        (KafkaError._TRANSPORT, SourceUnavailable),
        (KafkaError._ALL_BROKERS_DOWN, SourceUnavailable),
        (KafkaError._TIMED_OUT, SourceUnavailable),
        (KafkaError._RESOLVE, SourceUnavailable),
        (KafkaError.NOT_LEADER_FOR_PARTITION, SourceUnavailable),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, SourceUnavailable),
        (KafkaError._BAD_MSG, SourceUnavailable),
    ],
)
def test_each_known_error_has_a_meaning(code: int, kind: type[SluiceError]) -> None:
    error = translated(KafkaError(code), "topic flights {not a template}")
    assert type(error) is kind
    assert "topic flights {not a template}" in str(error)
    assert isinstance(pickle.loads(pickle.dumps(error)), kind)


def test_what_is_said_is_without_timings() -> None:
    text = "h:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused (after 0ms in state CONNECT)"
    assert plain(KafkaError(KafkaError._TRANSPORT, text)).endswith("failed: Connection refused")
    more = "h:1: Connection refused (after 3ms in state CONNECT, 30 identical error(s) suppressed)"
    assert plain(KafkaError(KafkaError._TRANSPORT, more)) == "h:1: Connection refused"


def test_values_are_taken_out_as_whole_words() -> None:
    assert without(["ssl", "a b"], 'ssl.ca.location: "ssl" and a b, not ssly') == 'ssl.ca.location: "…" and …, not ssly'
    assert without(["", "x"], "") == ""
    assert without([], "all of it") == "all of it"


def test_wrong_properties_are_told_by_name_only() -> None:
    cause = KafkaException(
        KafkaError(KafkaError._INVALID_ARG, 'Invalid value "s3cret" for configuration property "a.b"')
    )
    assert 'Invalid value "…" for configuration property "a.b"' in str(wrong_properties(cause, {"a.b": "s3cret"}))
    assert "s3cret" not in str(wrong_properties(TypeError("s3cret"), {"a.b": "s3cret"}))


def test_trouble_prefers_a_reason_to_all_brokers_are_down() -> None:
    trouble = Trouble()
    assert trouble.why("unknown") == "unknown"
    trouble(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    trouble(KafkaError(KafkaError._TRANSPORT, "refused"))
    trouble(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert (trouble.why("unknown"), trouble.refusal) == ("refused", None)
    trouble(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    assert trouble.refusal is not None
    trouble.clear()
    assert trouble.why("unknown") == "unknown"


class ScriptedClock:
    def __init__(self) -> None:
        self.now = 0.0

    def elapsed_s(self) -> float:
        return self.now

    def epoch_s(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


AT = Partition("t", 0)


class Waiting:
    """A reader that hears nothing, second by second."""

    def __init__(self, *, stall_s: float = 45) -> None:
        self.clock, self.trouble, self.asked = ScriptedClock(), Trouble(), [*range(0)]
        self.silence = Silence(
            addresses="h:1", trouble=self.trouble, check=self.check, clock=self.clock, stall_s=stall_s
        )
        self.open = {AT: Intake(OffsetRange(AT, 5, 9), Cursor(AT, 5, None))}

    def check(self, topics: object) -> None:
        assert topics == ["t"]
        self.asked.append(int(self.clock.now))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.wait(1)
            self.silence.mind(self.open)

    def fetched_to(self, offset: int) -> None:
        self.silence.note(json.dumps({"topics": {"t": {"partitions": {"0": {"next_offset": offset}}}}}))


class TestSilence:
    def test_it_asks_once_whether_the_topic_is_there_and_then_gives_up(self) -> None:
        waiting = Waiting()
        waiting.wait(44)
        assert waiting.asked == [5]
        with pytest.raises(SourceUnavailable, match=r"h:1.*nothing of t\[0\] 5\.\.9 came within 45 s"):
            waiting.wait(1)

    def test_fetching_on_without_a_record_is_no_silence(self) -> None:
        waiting = Waiting()
        for offset in range(100):
            waiting.fetched_to(offset)
            waiting.wait(10)

    def test_fetching_nowhere_is(self) -> None:
        waiting = Waiting()
        for _ in range(8):
            waiting.fetched_to(7)
            waiting.wait(5)
        waiting.fetched_to(7)
        with pytest.raises(SourceUnavailable):
            waiting.wait(5)

    def test_the_reason_is_told(self) -> None:
        waiting = Waiting()
        waiting.trouble(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
        with pytest.raises(SourceUnavailable, match="Connection refused"):
            waiting.wait(45)

    def test_a_refusal_ends_it_at_once_only_if_nothing_was_ever_heard(self) -> None:
        refusal = KafkaError(KafkaError._AUTHENTICATION, "wrong password")
        waiting = Waiting()
        waiting.trouble(refusal)
        with pytest.raises(SourceRefused, match="wrong password"):
            waiting.wait(1)
        waiting = Waiting()
        waiting.silence.heard()
        waiting.trouble(refusal)
        waiting.wait(44)
        with pytest.raises(SourceRefused):
            waiting.wait(1)
