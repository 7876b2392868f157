"""librdkafka's words for a refusal, taken down from it, and what a person is told instead."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from sluice.errors import SluiceError, SourceRefused, SourceUnavailable
from sluice.sources.kafka_errors import Trouble, translated
from sluice.sources.kafka_refusals import is_refusal, refused, unavailable

TOKEN = "Failed to acquire SASL OAUTHBEARER token: "
ALERT = "ssl://h:1/bootstrap: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required"


@pytest.mark.parametrize(
    ("words", "kind", "what", "step"),
    [
        (
            "ssl://h:1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: verify that",
            SourceRefused,
            "the broker's certificate could not be verified",
            "ssl.ca.location",
        ),
        (f"{ALERT}: SSL alert number 116", SourceRefused, "wants a client certificate", "ssl.certificate.location"),
        (
            "ssl://h:1: SSL handshake failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48",
            SourceRefused,
            "wants a client certificate",
            "ssl.key.location",
        ),
        (
            "sasl_ssl://h:1: SASL authentication error: Authentication failed: Invalid username or password",
            SourceRefused,
            "did not take the login: Authentication failed: Invalid username or password",
            "sasl.password",
        ),
        (
            'sasl_ssl://h:1: SASL authentication error: {"status":"invalid_token"}',
            SourceRefused,
            "did not take the token: invalid_token",
            "audience",
        ),
        (
            "h:1: handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: A,B",
            SourceRefused,
            "it takes A,B",
            "sasl.mechanism",
        ),
        (
            f'{TOKEN}{{"error": "invalid_scope", "error_description": "shh"}}',
            SourceRefused,
            "gave no token: invalid_scope",
            "sasl.oauthbearer.scope",
        ),
        (
            f"{TOKEN}SSL certificate problem: unable to get local issuer certificate",
            SourceRefused,
            "the token endpoint's TLS could not be verified",
            "https.ca.location",
        ),
        (
            f"{TOKEN}error adding trust anchors from file: /etc/pki/tls/certs/ca-bundle.crt",
            SourceRefused,
            "the token endpoint's TLS could not be verified",
            "https.ca.location",
        ),
        (
            f"{TOKEN}Operation timed out after 5000 milliseconds with 0 bytes received",
            SourceUnavailable,
            "the token endpoint does not answer",
            "token.endpoint.url",
        ),
        (f"{TOKEN}<html>shh</html>", SourceRefused, "gave no token", "token.endpoint.url"),
        (f'{TOKEN}{{"access": "shh"}}', SourceRefused, "gave no token", "token.endpoint.url"),
        (f"{TOKEN}OAuth callback raised exception", SourceRefused, "token.callback gave no token", "by itself"),
        ("words that nobody has taken down {0}", SourceRefused, "(h:1): words that nobody has taken down {0}", "TLS"),
    ],
)
def test_words_become_what_happened_and_what_to_do(words: str, kind: type[SluiceError], what: str, step: str) -> None:
    error = refused(words, "h:1")
    assert type(error) is kind
    assert what in error.what
    assert step in error.next_step
    assert "shh" not in str(error)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("ssl://h:1/bootstrap: Disconnected: SSL connection closed by peer", "the port ends TLS at once"),
        ("2/2 brokers are down", "connections are taken and ended at once"),
        ("h:1: Connection refused", "h:1: Connection refused"),
    ],
)
def test_silence_keeps_what_it_was_waiting_for(words: str, what: str) -> None:
    error = unavailable("h:1", f"no answer within 3 s; {words}")
    assert f"no answer within 3 s; {what}" in error.what
    assert "security.protocol" in error.next_step


def test_a_missing_client_certificate_is_a_refusal_though_the_connection_just_broke() -> None:
    broken = KafkaError(KafkaError._TRANSPORT, f"{ALERT}: SSL alert number 116")
    assert is_refusal(broken)
    assert type(translated(broken, "h:1")) is SourceRefused
    assert not is_refusal(KafkaError(KafkaError._TRANSPORT, "h:1: Connection refused"))


def test_the_first_refusal_is_the_one_that_is_told() -> None:
    trouble = Trouble()
    for words in ("token.callback ours raised KeyError", f"{TOKEN}OAuth callback raised exception"):
        trouble(KafkaError(KafkaError._AUTHENTICATION, words))
    assert trouble.refusal is not None
    assert trouble.refusal.str() == "token.callback ours raised KeyError"
