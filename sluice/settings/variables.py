"""The environment's variables: what is picked, and the connections that pipeline files call `default`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluice.errors import WrongSettings
from sluice.nearest import nearest
from sluice.settings.connection import (
    SERVERS,
    SET_BY_SLUICE,
    KafkaProperties,
    StaysHere,
    wrong_app_url,
    wrong_bucket,
    wrong_hash_key,
    wrong_host,
    wrong_port,
    wrong_rate,
    wrong_scheme,
    wrong_url,
)

KAFKA: Final = "SLUICE_KAFKA_"
BOOTSTRAP_SERVERS: Final = f"{KAFKA}BOOTSTRAP_SERVERS"
STORE: Final = "SLUICE_STORE"
STORE_ROLE: Final = "SLUICE_STORE_ROLE"
STORE_KMS_KEY: Final = "SLUICE_STORE_KMS_KEY"
IMPORT_STORE: Final = "SLUICE_IMPORT_STORE"
PIPELINES: Final = "SLUICE_PIPELINES"
ENVIRONMENT: Final = "SLUICE_ENVIRONMENT"
HASH_KEY: Final = "SLUICE_HASH_KEY"
ROWS_PER_SECOND: Final = "SLUICE_ROWS_PER_SECOND"
API_KEY: Final = "ARIZE_API_KEY"
SPACE_ID: Final = "ARIZE_SPACE_ID"
HOST: Final = "ARIZE_API_HOST"
PORT: Final = "ARIZE_API_PORT"
SCHEME: Final = "ARIZE_API_SCHEME"
DEVELOPER_KEY: Final = "ARIZE_DEVELOPER_KEY"
APP_URL: Final = "ARIZE_APP_URL"
OF_STORE: Final = {STORE: "url", STORE_ROLE: "role", STORE_KMS_KEY: "kms_key"}
OF_IMPORT_STORE: Final = {f"{IMPORT_STORE}{name.removeprefix(STORE)}": what for name, what in OF_STORE.items()}
OF_ARIZE: Final = {
    API_KEY: "api_key",
    SPACE_ID: "space_id",
    HOST: "host",
    PORT: "port",
    SCHEME: "scheme",
    ROWS_PER_SECOND: "rows_per_second",
    DEVELOPER_KEY: "developer_key",
    APP_URL: "app_url",
}
VARIABLES: Final = (BOOTSTRAP_SERVERS, PIPELINES, ENVIRONMENT, HASH_KEY, *OF_STORE, *OF_IMPORT_STORE, *OF_ARIZE)
CHECKS: Final = {
    STORE: wrong_url,
    IMPORT_STORE: wrong_bucket,
    APP_URL: wrong_app_url,
    HASH_KEY: wrong_hash_key,
    HOST: wrong_host,
    PORT: wrong_port,
    SCHEME: wrong_scheme,
    ROWS_PER_SECOND: wrong_rate,
}
OWN_PIPELINES: Final = Path(__file__).resolve().parents[2] / "deployments" / "pipelines"

# The only settable properties of librdkafka with an underscore in their name.
UNDERSCORED: Final = {name.replace("_", "."): name for name in ("log_level", "enabled_events", "enable_sasl_queue")}
# The SDK would take these before the host; Sluice hands it a host and hides them from it.
NOT_READ: Final = ("ARIZE_REGION", "ARIZE_SINGLE_HOST", "ARIZE_SINGLE_PORT", "ARIZE_BASE_DOMAIN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables(StaysHere):
    """What the variables say, each text checked; what they do not say is not there."""

    kafka: KafkaProperties
    arize: Mapping[str, str]
    store: Mapping[str, str]
    import_store: Mapping[str, str]
    hash_key: Mapping[str, str]
    pipelines: Path
    environment: str

    def __repr__(self) -> str:
        return f"Variables(environment={self.environment!r}, pipelines={str(self.pipelines)!r}, …)"

    def missing(self, kind: str) -> list[str]:
        """The variables that the default connection of a kind needs, and that are not set."""
        match kind:
            case "kafka":
                return [] if self.kafka.keys() & set(SERVERS) else [BOOTSTRAP_SERVERS]
            case "arize":
                return [name for name in (API_KEY, SPACE_ID) if OF_ARIZE[name] not in self.arize]
            case "store":
                return [] if "url" in self.store else [STORE]
            case "import_store":
                return [] if "url" in self.import_store else [IMPORT_STORE]
        return [] if self.hash_key else [HASH_KEY]

    def of(self, kind: str) -> Mapping[str, str]:
        """The attributes of the default connection of a kind."""
        given: Mapping[str, str] = getattr(self, kind)
        return given


def read_variables(environ: Mapping[str, str]) -> Variables:
    """Read the variables; an empty one counts as not set.

    Raises:
        WrongSettings: with every variable that is wrong or misspelt, one a line, and no value of any.
    """
    given = {name: _trimmed(name, value) for name, value in environ.items() if value.strip()}
    problems = [*_misspelt(given), *_refused(given)]
    if problems:
        raise WrongSettings("\n".join(problems))
    return Variables(
        kafka=KafkaProperties({kafka_property(name): value for name, value in given.items() if name.startswith(KAFKA)}),
        arize={OF_ARIZE[name]: given[name] for name in OF_ARIZE if name in given},
        store={OF_STORE[name]: given[name] for name in OF_STORE if name in given},
        import_store={OF_IMPORT_STORE[name]: given[name] for name in OF_IMPORT_STORE if name in given},
        hash_key={"hash_key": given[HASH_KEY]} if HASH_KEY in given else {},
        pipelines=Path(given.get(PIPELINES, OWN_PIPELINES)).expanduser(),
        environment=given.get(ENVIRONMENT, ""),
    )


def kafka_property(variable: str) -> str:
    """Return the property that a variable sets: `sasl.username` for `SLUICE_KAFKA_SASL_USERNAME`."""
    name = variable.removeprefix(KAFKA).lower().replace("_", ".")
    return UNDERSCORED.get(name, name)


def _trimmed(name: str, value: str) -> str:
    """A password of Kafka's may begin or end with a space; nothing else does on purpose."""
    return value if name.startswith(KAFKA) else value.strip()


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
    for name, wrong in CHECKS.items():
        if name in given and (words := wrong(given[name])):
            yield f"{name}: {words}"
