"""Why a connection was refused, as librdkafka words it, and what a person does then.

librdkafka has one code for most of it, so its words are all there is to go by. These were taken down from librdkafka
2.16 against Apache Kafka 4.1; others are passed on as they are, with a next step that fits most.
"""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaError

from sluice.errors import SluiceError, SourceRefused, SourceUnavailable

_CODES: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
# By TLS 1.3 a client is through before the broker misses its certificate: for librdkafka the connection just broke.
_NO_CERTIFICATE: Final = r"SSL routines::.*alert.*(?:certificate|unknown ca)"
_NO_ANSWER: Final = "Failed to acquire SASL OAUTHBEARER token: "
_FIT_MOST: Final = "Fix the credentials, or the TLS settings, of the connection"
_ENDPOINT: Final = "sasl.oauthbearer.token.endpoint.url"

# Words; kind; what happened ({0}, {1}: groups of the words); the next step.
_REFUSALS: Final[tuple[tuple[str, type[SluiceError], str, str], ...]] = (
    (
        r"^token\.callback (.*)$",
        SourceRefused,
        "token.callback {0}",
        "Call that function by itself, where the run runs. What it said is not shown, for it may hold a token",
    ),
    (
        rf"{_NO_ANSWER}OAuth callback",
        SourceRefused,
        "token.callback gave no token",
        "Call that function by itself, where the run runs",
    ),
    (
        rf'{_NO_ANSWER}.*"error"\s*:\s*"([\w.-]+)"',
        SourceRefused,
        "the token endpoint gave no token: {0}",
        f"Fix sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret, sasl.oauthbearer.scope or {_ENDPOINT}",
    ),
    (
        rf"{_NO_ANSWER}(.*(?:trust anchors|certificate|SSL|TLS).*)$",
        SourceRefused,
        "the token endpoint's TLS could not be verified: {0}",
        "Set https.ca.location to a file with its authority, such as /etc/ssl/certs/ca-certificates.crt",
    ),
    (
        rf"{_NO_ANSWER}(.*(?:[Cc]onnect|resolve|[Tt]imed? ?out|Empty reply|Recv|Send).*)$",
        SourceUnavailable,
        "the token endpoint does not answer: {0}",
        f"The next run tries again; if it lasts, look at {_ENDPOINT}",
    ),
    (
        # What an endpoint answers may be anything, a token for instance.
        rf"{_NO_ANSWER}([^{{<]*)",
        SourceRefused,
        "the token endpoint gave no token: {0}",
        f"Is {_ENDPOINT} the address at which tokens are given?",
    ),
    (
        r"certificate verify failed",
        SourceRefused,
        "the broker's certificate could not be verified",
        "Is its authority in ssl.ca.location, and the host of bootstrap.servers in it? See docs/connecting.md#tls",
    ),
    (
        _NO_CERTIFICATE,
        SourceRefused,
        "the broker wants a client certificate, and got none that it trusts",
        "Set ssl.certificate.location and ssl.key.location to one in force, of an authority that the brokers know",
    ),
    (
        r"Unsupported SASL mechanism: broker's supported mechanisms: ([\w,-]+)",
        SourceRefused,
        "the broker does not take this sasl.mechanism; it takes {0}",
        "Set sasl.mechanism to one of these",
    ),
    (
        r"not valid in current SASL state",
        SourceRefused,
        "nobody logs in at this port",
        "Set security.protocol to PLAINTEXT or SSL, or bootstrap.servers to a port where the brokers want a login",
    ),
    (
        r'SASL authentication error: \{"status":"([\w-]+)"',
        SourceRefused,
        "the broker did not take the token: {0}",
        "Are its issuer, its audience and its scope those that the brokers expect?",
    ),
    (
        r"SASL authentication error: (.*)$",
        SourceRefused,
        "the broker did not take the login: {0}",
        "Fix sasl.username, sasl.password or sasl.mechanism",
    ),
)

# Words, from the broker's name on; what they mean; the next step.
_SILENCES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"\S+: (?:SSL handshake failed: )?Disconnected: SSL connection closed by peer.*$",
        "the port ends TLS at once, as one does that speaks none",
        "Fix security.protocol, or the port in bootstrap.servers",
    ),
    (
        r"\d+/\d+ brokers are down$",
        "connections are taken and ended at once, as by a port with another security.protocol",
        "The next run tries again; if it lasts, fix security.protocol, or the port in bootstrap.servers",
    ),
)


def is_refusal(error: KafkaError) -> bool:
    """Say whether a connection is refused for good: waiting any longer would not help."""
    return error.code() in _CODES or re.search(_NO_CERTIFICATE, error.str()) is not None


def refused(text: str, where: str) -> SluiceError:
    """Return the error that librdkafka's words for a refusal mean.

    Args:
        where: the addresses or the group that were asked, in words.
    """
    for words, kind, what, next_step in _REFUSALS:
        if found := re.search(words, text, re.DOTALL):
            verb = "refused the connection" if kind is SourceRefused else "does not answer"
            return kind(f"Kafka {verb} ({where}): {what.format(*found.groups())}", next_step)
    return SourceRefused(f"Kafka refused the connection ({where}): {text}", _FIT_MOST)


def unavailable(where: str, text: str) -> SourceUnavailable:
    """Return the error for no answer, with why, so far as librdkafka's words tell."""
    for words, what, next_step in _SILENCES:
        if found := re.search(words, text, re.DOTALL):
            return SourceUnavailable(f"Kafka does not answer ({where}): {text[: found.start()]}{what}", next_step)
    return SourceUnavailable(
        f"Kafka does not answer ({where}): {text}",
        "The next run tries again; if it lasts, look at the brokers, the addresses and security.protocol",
    )
