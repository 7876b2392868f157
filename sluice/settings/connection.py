"""What a connection is: addresses and secrets, which show themselves nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, SupportsIndex
from urllib.parse import urlsplit

from pydantic import SecretStr

MIN_HASH_KEY: Final = 16
# Sluice's guarantee hangs on these: it sets them itself.
SET_BY_SLUICE: Final = frozenset(
    {
        *("group.id", "group.instance.id", "group.protocol", "group.remote.assignor", "partition.assignment.strategy"),
        *("enable.auto.commit", "auto.commit.interval.ms", "auto.commit.enable", "enable.auto.offset.store"),
        *("auto.offset.reset", "offset.store.method", "isolation.level", "enable.partition.eof", "check.crcs"),
        *("allow.auto.create.topics", "transactional.id", "max.poll.interval.ms", "statistics.interval.ms"),
    }
)
SERVERS: Final = ("bootstrap.servers", "metadata.broker.list")
# A property of such a name may hold a secret: its value is shown nowhere.
SECRET: Final = re.compile(r"passw|passphrase|secret|token|jaas|pem|credential|private|assertion|oauthbearer|\bkey\b")
# And of such a name it is one: in a file it stands as a variable.
CERTAINLY_SECRET: Final = re.compile(r"(passwo?r?d|passphrase|secret|\bkey\.pem|jaas\.config|oauthbearer\.config)$")


_STORE: Final = "allowed: s3://bucket/prefix, file:///directory, or a directory"


class StaysHere:
    """What holds secrets is not pickled: a pickle shows them, and ends up in caches and logs."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled: read it where it is needed")


class KafkaProperties(StaysHere, dict[str, str]):
    """Properties of librdkafka by name. `repr()` and `str()` mask every one that may be a secret, by its name."""

    def __repr__(self) -> str:
        return repr({name: "**********" if SECRET.search(name) else value for name, value in self.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArizeConnection(StaysHere):
    """Where Arize is, and with what key. None is the SDK's default: api.arize.com, the scheme's port.

    Attributes:
        port: 1 to 65535.
        scheme: `https` or `http`.
        rows_per_second: what all runs of the space may send together; None: no bound.
        developer_key: of Arize's GraphQL, for import jobs; None: nobody is asked about them.
        app_url: where that GraphQL is, as `https://host:port`; None: app.arize.com.
    """

    api_key: SecretStr
    space_id: str
    host: str | None = None
    port: int | None = None
    scheme: str = "https"
    rows_per_second: float | None = None
    developer_key: SecretStr | None = None
    app_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConnection(StaysHere):
    """Where the staging store is, or the bucket that Arize reads.

    What is None is as boto3 finds it: its variables, `~/.aws`, the machine's role.

    Attributes:
        url: `s3://bucket/prefix`, `file:///directory`, or a directory.
        endpoint: the address of another S3 than Amazon's.
        profile: of `~/.aws/config`.
        role: the ARN of a role that is taken on with these credentials.
        kms_key: the id or ARN of the KMS key with which the bucket encrypts what is written (SSE-KMS).
    """

    url: str
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    role: str | None = None
    kms_key: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = field(default=None)


def wrong_url(value: str) -> str | None:
    """Say what is allowed where this is not the address of a store."""
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that are no IPv6 address
        return _STORE
    if parts.scheme == "s3":
        is_right = bool(parts.netloc)
    elif parts.scheme == "file":
        is_right = not parts.netloc and parts.path.startswith("/")
    else:
        is_right = not parts.scheme and bool(value)
    return None if is_right else _STORE


def wrong_bucket(value: str) -> str | None:
    is_right = value.startswith("s3://") and wrong_url(value) is None
    return None if is_right else "allowed: s3://bucket/prefix"


def wrong_app_url(value: str) -> str | None:
    is_right = re.fullmatch(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?", value)
    return None if is_right else "allowed: https://host, without a path (https://app.arize.com)"


def wrong_hash_key(value: str) -> str | None:
    words = f"allowed: at least {MIN_HASH_KEY} characters, such as openssl rand -hex 32 makes"
    return None if len(value) >= MIN_HASH_KEY else words


def wrong_host(value: str) -> str | None:
    """Say what is allowed where this is no host's name; scheme and port have keys of their own."""
    is_right = re.fullmatch(r"[A-Za-z0-9._-]+", value)
    return None if is_right else "allowed: a host name (api.arize.com), without scheme and port"


def wrong_port(value: str) -> str | None:
    is_right = re.fullmatch(r"[0-9]{1,5}", value) and int(value) <= 65535
    return None if is_right else "allowed: a port from 1 to 65535; 0 or left out: the scheme's own"


def wrong_scheme(value: str) -> str | None:
    return None if value.lower() in ("https", "http") else "allowed: https, http"


def wrong_rate(value: str) -> str | None:
    is_right = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.replace("_", "")) and float(value.replace("_", "")) > 0
    return None if is_right else "allowed: a number of rows per second, above 0"


def broken_properties(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the properties of a Kafka connection: the name, empty for the whole, and words."""
    if not given.keys() & set(SERVERS):
        yield "", f"missing: {SERVERS[0]}"
    yield from ((name, f"Sluice itself sets {name}; leave it out") for name in given if name in SET_BY_SLUICE)


def arize_connection(given: Mapping[str, str]) -> ArizeConnection:
    """Make a connection of texts by the names of its attributes, each checked before."""
    return ArizeConnection(
        api_key=SecretStr(given.get("api_key", "")),
        space_id=given.get("space_id", ""),
        host=given.get("host"),
        port=int(given.get("port", "0")) or None,
        scheme=given.get("scheme", "https").lower(),
        rows_per_second=float(given["rows_per_second"].replace("_", "")) if "rows_per_second" in given else None,
        developer_key=SecretStr(given["developer_key"]) if "developer_key" in given else None,
        app_url=given["app_url"].rstrip("/") if "app_url" in given else None,
    )


CHECKS: Final = {
    "url": wrong_url,
    "app_url": wrong_app_url,
    "host": wrong_host,
    "port": wrong_port,
    "scheme": wrong_scheme,
    "rows_per_second": wrong_rate,
    "hash_key": wrong_hash_key,
}


def problems_of(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the attributes of a connection: the name, and what is allowed."""
    for name, value in given.items():
        words = CHECKS[name](value) if name in CHECKS else None
        if words:
            yield name, words
