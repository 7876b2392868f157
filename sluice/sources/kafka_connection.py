"""Clients of one Kafka connection: its properties, ours, and what keeps librdkafka quiet."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from sluice.errors import WrongSettings
from sluice.settings import SECRET
from sluice.sources.kafka_errors import Trouble, without, wrong_properties
from sluice.sources.kafka_token import PROPERTY, token_callback

_log = logging.getLogger("sluice.kafka")
_log.addHandler(logging.NullHandler())  # else Python's last resort writes to stderr where nobody set logging up

_Client = TypeVar("_Client")

# A connection may choose otherwise.
_DEFAULTS = {
    "client.id": "sluice",
    "socket.timeout.ms": "20000",
    "socket.connection.setup.timeout.ms": "10000",
    "socket.keepalive.enable": "true",
    "reconnect.backoff.max.ms": "1000",
}
READER_DEFAULTS = {
    "queued.max.messages.kbytes": "32768",
    "fetch.message.max.bytes": str(1 << 20),
    "fetch.max.bytes": str(16 << 20),
    # After a full queue librdkafka pauses a whole second by default: a third of the speed.
    "fetch.queue.backoff.ms": "1",
    # The end of a partition is reported when a fetch finds nothing, so this is what a drained partition waits for.
    "fetch.wait.max.ms": "100",
}
# Nobody may: with any of these otherwise, offsets are lost, or moved, in silence.
READER_LAW = {
    "auto.offset.reset": "error",
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": "false",
    "check.crcs": "true",
    "max.poll.interval.ms": "86400000",
    "statistics.interval.ms": "5000",
}
_FILES = frozenset(
    {
        *("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location"),
        *("ssl.crl.location", "https.ca.location"),
    }
)


class Connection:
    """The librdkafka properties of a connection, which may hold secrets: only the addresses are ever shown."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = {name: value for name, value in properties.items() if name != PROPERTY}
        self.addresses = properties.get("bootstrap.servers") or properties.get("metadata.broker.list") or ""
        if not self.addresses:
            raise WrongSettings("The Kafka connection has no addresses", "Set its bootstrap.servers, host:port")
        _check_files(properties)
        self._token = token_callback(properties)

    def __repr__(self) -> str:
        return f"Connection({self.addresses!r})"

    def admin(self, trouble: Trouble) -> AdminClient:
        """Make a client for everything but reading.

        Raises:
            WrongSettings: librdkafka does not take the properties.
            SourceRefused: the function that is to give a token gave none.
        """
        return self._made(AdminClient, {**_DEFAULTS, **self._properties}, trouble)

    def consumer(self, group: str, trouble: Trouble, on_statistics: Callable[[str], None]) -> Consumer:
        """Make a client for reading.

        Raises:
            WrongSettings: librdkafka does not take the properties.
            SourceRefused: the function that is to give a token gave none.
        """
        properties = {**_DEFAULTS, **READER_DEFAULTS, **self._properties, **READER_LAW, "group.id": group}
        return self._made(Consumer, properties, trouble, stats_cb=on_statistics)

    def _made(
        self, make: Callable[..., _Client], properties: dict[str, str], trouble: Trouble, **callbacks: Any
    ) -> _Client:
        if self._token is not None:
            config = properties.get("sasl.oauthbearer.config")
            callbacks["oauth_cb"] = self._token.serving(config, trouble, self.addresses)
        try:
            return make({**properties, **callbacks, "error_cb": trouble}, logger=_Chatter(self._secrets()))
        except (KafkaException, TypeError, ValueError) as error:
            raise wrong_properties(error, self._properties) from None  # the cause may show a value

    def _secrets(self) -> list[str]:
        return [value for name, value in self._properties.items() if SECRET.search(name)]


def _check_files(properties: Mapping[str, str]) -> None:
    """Find out what librdkafka, or rather OpenSSL, says only of a "BIO lib"."""
    for name, path in properties.items():
        if name in _FILES and path != "probe" and not os.access(path, os.R_OK):
            raise WrongSettings(
                f"The Kafka connection cannot be used: the file that {name} gives does not exist, or may not be read",
                f"Fix {name}: it is a path on the machine where the run runs",
            )


class _Chatter:
    """librdkafka's log lines, for who asks for them: what matters of them is raised as an error besides."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets

    def log(self, level: int, words: str, *args: object) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s", without(self._secrets, words % args))
