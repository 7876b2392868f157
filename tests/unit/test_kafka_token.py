"""The user's own function for tokens: what is refused before anything is read, and what becomes of what it does."""

from __future__ import annotations

import base64
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sluice.errors import SourceRefused, WrongSettings
from sluice.settings import KafkaProperties, kafka_property
from sluice.sources.kafka import KafkaSource
from sluice.sources.kafka_errors import Trouble
from sluice.sources.kafka_token import TokenCallback, token_callback

SECRET = "s3cr3t-token"
BY_TOKEN = {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}
BY_OIDC = {**BY_TOKEN, "sasl.oauthbearer.method": "oidc"}
MSK = {**BY_TOKEN, "token.callback": "msk-iam"}
AWS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}


def good(_config: str | None = None) -> tuple[str, float]:
    return SECRET, time.time() + 60


def raising(_config: str | None) -> tuple[str, float]:
    raise LookupError(SECRET)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that can be imported, with a function and something that is none."""
    made = types.ModuleType("tokens_of_ours")
    vars(made).update(token=good, number=5)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made.__name__


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Made-up credentials and nothing else that boto3 could find."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def served(ask: Callable[[str | None], Any], trouble: Trouble | None = None) -> Callable[[str | None], Any]:
    return TokenCallback("ours:token", ask, deadline_s=0.05).serving(None, trouble or Trouble(), "h:1")


# --- before anything is read


def test_its_variable_is_its_property_in_capitals() -> None:
    assert kafka_property("SLUICE_KAFKA_TOKEN_CALLBACK") == "token.callback"


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({**BY_TOKEN, "sasl.mechanism": "PLAIN"}, "goes with sasl.mechanism OAUTHBEARER"),
        ({**BY_TOKEN, "security.protocol": "SSL"}, "security.protocol SASL_SSL or SASL_PLAINTEXT"),
        ({}, "goes with sasl.mechanism OAUTHBEARER"),
        (BY_OIDC, "two sources of tokens"),
    ],
)
def test_a_callback_beside_what_it_does_not_go_with_is_refused(
    module: str, properties: dict[str, str], words: str
) -> None:
    with pytest.raises(WrongSettings, match=words):
        token_callback({**properties, "token.callback": f"{module}:token"})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "allowed: module:function, or msk-iam"),
        (":token", "allowed: module:function"),
        ("tokens_of_ours:", "allowed: module:function"),
        ("no_such_module:token", "module no_such_module cannot be imported: ModuleNotFoundError"),
        ("tokens_of_ours:nothing", "module tokens_of_ours has no function nothing"),
        ("tokens_of_ours:number", "module tokens_of_ours has no function number"),
    ],
)
def test_a_function_that_is_not_there_is_named_when_the_source_is_made(module: str, name: str, words: str) -> None:
    assert module == "tokens_of_ours"
    with pytest.raises(WrongSettings, match=words):
        KafkaSource({"bootstrap.servers": "localhost:1", **BY_TOKEN, "token.callback": name}, group="g")


def test_tokens_from_nowhere_are_refused() -> None:
    with pytest.raises(WrongSettings, match="no source of tokens") as wrong:
        token_callback(BY_TOKEN)
    assert "token.callback" in wrong.value.next_step
    assert "sasl.oauthbearer.method" in wrong.value.next_step
    with pytest.raises(WrongSettings, match="no source of tokens"):
        token_callback({"sasl.mechanisms": "oauthbearer"})


@pytest.mark.parametrize("properties", [{}, BY_OIDC, {**BY_TOKEN, "enable.sasl.oauthbearer.unsecure.jwt": "true"}])
def test_whoever_needs_no_callback_has_none(properties: dict[str, str]) -> None:
    assert token_callback(properties) is None


# --- what it does


def test_its_first_token_is_there_before_a_client_asks_and_each_later_one_is_asked_for() -> None:
    asked: list[str | None] = []

    def token(config: str | None) -> tuple[str, float, str, dict[str, str]]:
        asked.append(config)
        return f"{SECRET}-{len(asked)}", time.time() + 60, "sluice", {"a": "b"}

    ours = TokenCallback("ours:token", token).serving("scope=x", Trouble(), "h:1")
    assert asked == ["scope=x"]
    assert [ours("scope=x")[0] for _ in range(3)] == [f"{SECRET}-{number}" for number in (1, 2, 3)]
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "no pair of a token"),
        (SECRET, "no pair of a token"),
        ((SECRET,), "no pair of a token"),
        ((SECRET, "60"), "no pair of a token"),
        ((SECRET.encode(), 60), "no pair of a token"),
        ((SECRET, 60, "sluice"), "no pair of a token"),
        ((SECRET, 60), "a token that has expired"),
        ((SECRET, 1.8e12), "an expiry in milliseconds"),
    ],
)
def test_what_is_no_token_is_told_without_its_value(answer: Any, words: str) -> None:
    with pytest.raises(SourceRefused, match=f"token.callback ours:token returned {words}") as refused:
        served(lambda _: answer)
    assert SECRET not in str(refused.value)


def test_what_it_raises_is_told_by_its_type_alone() -> None:
    with pytest.raises(SourceRefused, match=r"\(h:1\): token.callback ours:token raised LookupError") as refused:
        served(raising)
    assert SECRET not in f"{refused.value!r}{refused.value.__cause__!r}"
    assert refused.value.__suppress_context__


def test_one_that_hangs_is_given_up() -> None:
    released = threading.Event()
    with pytest.raises(SourceRefused, match=r"gave none within 0\.05 s"):
        served(lambda _: released.wait())
    released.set()


def test_one_that_fails_later_is_told_to_whoever_waits() -> None:
    trouble, answers = Trouble(), [good()]
    ours = served(lambda _: answers.pop(), trouble)
    assert ours(None)[0] == SECRET
    assert trouble.refusal is None
    with pytest.raises(Exception, match="ours:token raised IndexError"):
        ours(None)
    assert trouble.refusal is not None
    assert trouble.refusal.str() == "token.callback ours:token raised IndexError"


def test_its_name_shows_nowhere_as_a_value() -> None:
    assert SECRET not in repr(KafkaProperties({"token.callback": SECRET}))


# --- msk-iam


def test_amazon_s_signer_signs_for_the_region_and_its_milliseconds_become_seconds(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_REGION", "eu-west-1")
    aws.setenv("AWS_DEFAULT_REGION", "us-east-1")
    callback = token_callback(MSK)
    assert callback is not None
    token, expiry = callback.serving(None, Trouble(), "h:1")(None)
    assert 800 < expiry - time.time() <= 900
    url = urlsplit(base64.urlsafe_b64decode(token + "==").decode())
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.hostname == "kafka.eu-west-1.amazonaws.com"
    assert asked["Action"] == "kafka-cluster:Connect"
    assert asked["X-Amz-Credential"].startswith("AKIAEXAMPLE/")
    assert "/eu-west-1/kafka-cluster/" in asked["X-Amz-Credential"]


def test_a_region_that_boto3_knows_will_do_and_none_is_refused(aws: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongSettings, match=r"msk-iam has no region. Set AWS_REGION"):
        token_callback(MSK)
    aws.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert token_callback(MSK) is not None


def test_without_the_extra_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(WrongSettings, match=r"pip install 'sluice\[msk\]'"):
        token_callback(MSK)


def test_a_machine_without_credentials_is_told_so(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_REGION", "eu-west-1")
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    callback = token_callback(MSK)
    assert callback is not None
    with pytest.raises(SourceRefused, match="msk-iam raised NoCredentialsError"):
        callback.serving(None, Trouble(), "h:1")
