"""Settings: what a connection's name means here. The environment comes before the file, and that before a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from sluice.errors import WrongSettings
from sluice.settings.connection import (
    MIN_HASH_KEY,
    SECRET,
    SET_BY_SLUICE,
    ArizeConnection,
    KafkaProperties,
    StaysHere,
    StoreConnection,
    arize_connection,
    broken_properties,
    wrong_bucket,
)
from sluice.settings.environment import EnvironmentFile, load_environment
from sluice.settings.variables import KAFKA, NOT_READ, VARIABLES, Variables, kafka_property, read_variables

__all__ = [
    "DEFAULT",
    "KAFKA",
    "MIN_HASH_KEY",
    "NOT_READ",
    "SECRET",
    "SET_BY_SLUICE",
    "VARIABLES",
    "ArizeConnection",
    "KafkaProperties",
    "Kind",
    "Settings",
    "StoreConnection",
    "broken_properties",
    "kafka_property",
]

DEFAULT: Final = "default"
Kind = Literal["kafka", "arize", "store", "import_store", "hash_key"]
# Finds the attributes of a connection that neither variables nor file know; None: there is none of that name.
Blocks = Callable[[Kind, str], Mapping[str, str] | None]


def no_blocks(kind: Kind, name: str) -> Mapping[str, str] | None:
    """Where there is no Prefect, there is no block."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StaysHere):
    """What this environment says; what it does not say, `require` names.

    Attributes:
        file: of the environment that SLUICE_ENVIRONMENT picks.
    """

    variables: Variables
    file: EnvironmentFile | None = None
    blocks: Blocks = field(default=no_blocks, repr=False)
    _known: dict[tuple[Kind, str], tuple[str, Mapping[str, str]] | None] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], blocks: Blocks = no_blocks) -> Settings:
        """Read the variables, and the file of the environment that they pick.

        Raises:
            WrongSettings: with everything that is wrong or misspelt, one a line, and no value of a variable.
        """
        variables = read_variables(environ)
        file = None
        if variables.environment:
            beside = variables.pipelines.parent / "environments"
            file = load_environment(variables.environment, beside, environ)
        return cls(variables=variables, file=file, blocks=blocks)

    @property
    def pipelines(self) -> Path:
        """The directory of the pipeline files."""
        return self.variables.pipelines

    def kafka(self, name: str = DEFAULT) -> KafkaProperties:
        return KafkaProperties(self._attributes("kafka", name))

    def arize(self, name: str = DEFAULT) -> ArizeConnection:
        return arize_connection(self._attributes("arize", name))

    def store(self) -> StoreConnection:
        return _store(self._attributes("store", DEFAULT))

    def import_store(self) -> StoreConnection:
        """The bucket that Arize reads: the staging store's, where nothing else is said.

        Raises:
            WrongSettings: that is no bucket.
        """
        found = self._find("import_store", DEFAULT)
        connection = _store(found[1] if found else self._attributes("store", DEFAULT))
        if words := wrong_bucket(connection.url):
            raise WrongSettings(f"the import store is {connection.url}; {words}", "Set SLUICE_IMPORT_STORE")
        return connection

    def hash_key(self) -> SecretStr:
        return SecretStr(self._attributes("hash_key", DEFAULT)["hash_key"])

    def origin(self, kind: Kind, name: str = DEFAULT) -> str:
        """Say where a connection is from, in words; empty where there is none."""
        found = self._find(kind, name)
        return found[0] if found else ""

    def require(
        self, *, kafka: str | None = None, arize: str | None = None, store: bool = False, hash_key: bool = False
    ) -> None:
        """Check that what is needed is there: connections by their names.

        Raises:
            WrongSettings: with everything that is missing, by what needs it.
        """
        asked: list[tuple[Kind, str | None]] = [
            ("kafka", kafka),
            ("store", DEFAULT if store else None),
            ("arize", arize),
            ("hash_key", DEFAULT if hash_key else None),
        ]
        missing = [(kind, name) for kind, name in asked if name is not None and self._find(kind, name) is None]
        if missing:
            raise self._not_set(missing)

    def _attributes(self, kind: Kind, name: str) -> Mapping[str, str]:
        found = self._find(kind, name)
        if found is None:
            raise self._not_set([(kind, name)])
        return found[1]

    def _find(self, kind: Kind, name: str) -> tuple[str, Mapping[str, str]] | None:
        """Return where a connection is from, and its attributes; asked once, for a block costs requests."""
        if (kind, name) not in self._known:
            self._known[kind, name] = self._look_for(kind, name)
        return self._known[kind, name]

    def _look_for(self, kind: Kind, name: str) -> tuple[str, Mapping[str, str]] | None:
        if name == DEFAULT and not self.variables.missing(kind):
            return "variables", self.variables.of(kind)
        if self.file and (given := self.file.connection(kind, name)) is not None:
            return str(self.file.path), given
        given = self.blocks(kind, name)
        return None if given is None else (f"Prefect block {name}", given)

    def _not_set(self, missing: list[tuple[Kind, str]]) -> WrongSettings:
        words = "; ".join(self._missing_words(kind, name) for kind, name in missing)
        if all(name == DEFAULT for _, name in missing):
            return WrongSettings(f"not set: {words}", "Set it in the environment; .env.example explains each")
        return WrongSettings(
            f"not set: {words}", "Say what the name means in the environment's file, or in a Prefect block of that name"
        )

    def _missing_words(self, kind: Kind, name: str) -> str:
        if name == DEFAULT:
            return f"{kind} needs {', '.join(self.variables.missing(kind))}"
        if self.file is None:
            return f"the {kind} connection {name} (SLUICE_ENVIRONMENT picks no environment)"
        return f"the {kind} connection {name} ({self.file.path} has {', '.join(self.file.names(kind)) or 'none'})"


def _store(given: Mapping[str, str]) -> StoreConnection:
    attributes = dict(given)
    secret = attributes.pop("secret_access_key", None)
    return StoreConnection(**attributes, secret_access_key=None if secret is None else SecretStr(secret))
