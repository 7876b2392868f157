"""The environment's variables: addresses and secrets of the connections that pipeline files call `default`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NoReturn, SupportsIndex
from urllib.parse import urlsplit

from pydantic import SecretStr

from sluice.errors import WrongSettings
from sluice.nearest import nearest

Need = Literal["kafka", "store", "arize", "hash"]

KAFKA: Final = "SLUICE_KAFKA_"
SERVERS: Final = f"{KAFKA}BOOTSTRAP_SERVERS"
STORE: Final = "SLUICE_STORE"
PIPELINES: Final = "SLUICE_PIPELINES"
API_KEY: Final = "ARIZE_API_KEY"
SPACE_ID: Final = "ARIZE_SPACE_ID"
HOST: Final = "ARIZE_API_HOST"
PORT: Final = "ARIZE_API_PORT"
SCHEME: Final = "ARIZE_API_SCHEME"
HASH_KEY: Final = "SLUICE_HASH_KEY"
MIN_HASH_KEY: Final = 16
VARIABLES: Final = (SERVERS, STORE, PIPELINES, HASH_KEY, API_KEY, SPACE_ID, HOST, PORT, SCHEME)
OWN_PIPELINES: Final = Path(__file__).resolve().parent.parent / "deployments" / "pipelines"

# The only settable properties of librdkafka with an underscore in their name.
UNDERSCORED: Final = {name.replace("_", "."): name for name in ("log_level", "enabled_events", "enable_sasl_queue")}
# Sluice's guarantee hangs on these: it sets them itself.
SET_BY_SLUICE: Final = frozenset(
    {
        *("group.id", "group.instance.id", "group.protocol", "group.remote.assignor", "partition.assignment.strategy"),
        *("enable.auto.commit", "auto.commit.interval.ms", "auto.commit.enable", "enable.auto.offset.store"),
        *("auto.offset.reset", "offset.store.method", "isolation.level", "enable.partition.eof", "check.crcs"),
        *("allow.auto.create.topics", "transactional.id", "max.poll.interval.ms", "statistics.interval.ms"),
    }
)
# A property of such a name may hold a secret: its value is shown nowhere.
SECRET: Final = re.compile(r"passw|passphrase|secret|token|jaas|pem|credential|private|assertion|oauthbearer|\bkey\b")
# The SDK would take these before the host; Sluice hands it a host and hides them from it.
NOT_READ: Final = ("ARIZE_REGION", "ARIZE_SINGLE_HOST", "ARIZE_SINGLE_PORT", "ARIZE_BASE_DOMAIN")


class _StaysHere:
    """What holds secrets is not pickled: a pickle shows them, and ends up in caches and logs."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled: read it where it is needed")


class KafkaProperties(_StaysHere, dict[str, str]):
    """Properties of librdkafka by name. `repr()` and `str()` mask every one that may be a secret, by its name."""

    def __repr__(self) -> str:
        return repr({name: "**********" if SECRET.search(name) else value for name, value in self.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArizeConnection(_StaysHere):
    """Where Arize is, and with what key. None is the SDK's default: api.arize.com, the scheme's port.

    Attributes:
        port: 1 to 65535.
        scheme: `https` or `http`.
    """

    api_key: SecretStr
    space_id: str
    host: str | None = None
    port: int | None = None
    scheme: str = "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(_StaysHere):
    """What the environment says; what it does not say is empty, and `require` names it.

    Attributes:
        store: `s3://bucket/prefix`, `file:///directory`, or a directory.
        pipelines: the directory of the pipeline files.
        hash_key: of the fields that a pipeline hashes.
    """

    kafka: KafkaProperties
    store: str
    arize: ArizeConnection
    pipelines: Path = OWN_PIPELINES
    hash_key: SecretStr = field(default_factory=lambda: SecretStr(""))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables; an empty one counts as not set.

        Raises:
            WrongSettings: with every variable that is wrong or misspelt, one a line, and no value of any.
        """
        given = {name: _trimmed(name, value) for name, value in environ.items() if value.strip()}
        problems = [*_misspelt(given), *_refused(given)]
        if problems:
            raise WrongSettings("\n".join(problems))
        arize = ArizeConnection(
            api_key=SecretStr(given.get(API_KEY, "")),
            space_id=given.get(SPACE_ID, ""),
            host=given.get(HOST),
            port=int(given.get(PORT, "0")) or None,
            scheme=given.get(SCHEME, "https").lower(),
        )
        pipelines = Path(given.get(PIPELINES, OWN_PIPELINES)).expanduser()
        return cls(
            kafka=_kafka(given),
            store=given.get(STORE, ""),
            arize=arize,
            pipelines=pipelines,
            hash_key=SecretStr(given.get(HASH_KEY, "")),
        )

    def require(self, *needs: Need) -> None:
        """Check that what is needed is there.

        Raises:
            WrongSettings: with every variable that is missing, by what needs it.
        """
        missing = {need: names for need in needs if (names := self._missing(need))}
        if missing:
            words = "; ".join(f"{need} needs {', '.join(names)}" for need, names in missing.items())
            raise WrongSettings(f"not set: {words}", "Set it in the environment; .env.example explains each")

    def _missing(self, need: Need) -> list[str]:
        if need == "kafka":
            return [] if {"bootstrap.servers", "metadata.broker.list"} & self.kafka.keys() else [SERVERS]
        if need == "store":
            return [] if self.store else [STORE]
        if need == "hash":
            return [] if self.hash_key.get_secret_value() else [HASH_KEY]
        given = {API_KEY: self.arize.api_key.get_secret_value(), SPACE_ID: self.arize.space_id}
        return [name for name, value in given.items() if not value]


def kafka_property(variable: str) -> str:
    """Return the property that a variable sets: `sasl.username` for `SLUICE_KAFKA_SASL_USERNAME`."""
    name = variable.removeprefix(KAFKA).lower().replace("_", ".")
    return UNDERSCORED.get(name, name)


def _trimmed(name: str, value: str) -> str:
    """A password of Kafka's may begin or end with a space; nothing else does on purpose."""
    return value if name.startswith(KAFKA) else value.strip()


def _kafka(given: Mapping[str, str]) -> KafkaProperties:
    return KafkaProperties({kafka_property(name): value for name, value in given.items() if name.startswith(KAFKA)})


def _misspelt(given: Mapping[str, str]) -> Iterator[str]:
    """A variable counts as misspelt where it is very near to one of ours that is not set."""
    not_set = [name for name in VARIABLES if name not in given]
    for name in given:
        near = None if name in VARIABLES else nearest(name, not_set, at_least=0.9)
        if near:
            yield f"{name}: unknown; did you mean {near}?"


def _refused(given: Mapping[str, str]) -> Iterator[str]:
    for name in given:
        if name.startswith(KAFKA) and kafka_property(name) in SET_BY_SLUICE:
            yield f"{name}: Sluice itself sets {kafka_property(name)}; leave it out"
    for name in NOT_READ:
        if name in given:
            yield f"{name}: not read; set {HOST} (api.<region>.arize.com for a region), and {PORT} where it is another"
    checks = {STORE: _is_store, HASH_KEY: _is_hash_key, HOST: _is_host, PORT: _is_port, SCHEME: _is_scheme}
    for name, is_right in checks.items():
        if name in given and not is_right(given[name]):
            yield f"{name}: {ALLOWED[name]}"


ALLOWED: Final = {
    STORE: "allowed: s3://bucket/prefix, file:///directory, or a directory",
    HASH_KEY: f"allowed: at least {MIN_HASH_KEY} characters, such as openssl rand -hex 32 makes",
    HOST: f"allowed: a host name (api.arize.com); the scheme and the port have {SCHEME} and {PORT}",
    PORT: "allowed: a port from 1 to 65535; 0 or left out: the scheme's own",
    SCHEME: "allowed: https, http",
}


def _is_store(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that are no IPv6 address
        return False
    if parts.scheme == "s3":
        return bool(parts.netloc)
    return (not parts.netloc and parts.path.startswith("/")) if parts.scheme == "file" else not parts.scheme


def _is_hash_key(value: str) -> bool:
    return len(value) >= MIN_HASH_KEY


def _is_host(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]+", value) is not None


def _is_port(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", value) is not None and int(value) <= 65535


def _is_scheme(value: str) -> bool:
    return value.lower() in ("https", "http")
