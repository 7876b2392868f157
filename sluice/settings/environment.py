"""Environment files: what each connection's name means where a pipeline runs, one file an environment.

A secret stands in it as `${VARIABLE}`; a literal one is refused. A variable is looked up when its connection is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sluice.documents.file import parse, told_of
from sluice.documents.strict import Name, Strict
from sluice.documents.yaml import Document, Place, Problem
from sluice.errors import WrongSettings
from sluice.nearest import nearest
from sluice.settings.connection import (
    CERTAINLY_SECRET,
    CHECKS,
    StaysHere,
    broken_properties,
    problems_of,
)

SUFFIX: Final = ".yaml"
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LITERAL: Final = "a secret is not written here: name a variable that holds it, ${VARIABLE}"


def _scalar(given: Any) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if not isinstance(given, str | int | float) or given == "":
        raise ValueError("allowed: a text, a number, true or false; ${VARIABLE} stands for a variable's value")
    text = str(given)
    if "${" in VARIABLE.sub("", text):
        raise ValueError("allowed: ${VARIABLE}, a variable's name in braces")
    return text


def _secret(given: str) -> str:
    if not VARIABLE.fullmatch(given):
        raise ValueError(_LITERAL)
    return given


def _kept(name: str) -> AfterValidator:
    """Check a text that has no variable in it; the others are checked when they are used."""

    def check(given: str) -> str:
        words = None if VARIABLE.search(given) else CHECKS[name](given)
        if words:
            raise ValueError(words)
        return given

    return AfterValidator(check)


Value = Annotated[
    str, PlainValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})
]
Secret = Annotated[
    Value, AfterValidator(_secret), WithJsonSchema({"type": "string", "pattern": f"^{VARIABLE.pattern}$"})
]
Url = Annotated[Value, _kept("url")]


class ArizeSpace(Strict):
    """One Arize space."""

    api_key: Secret = Field(description="The space's key, as ${VARIABLE}.")
    space_id: Value = Field(description="The space's id.")
    host: Annotated[Value, _kept("host")] = Field(
        default="", description="The API's host; left out: api.arize.com. A region has its own."
    )
    port: Annotated[Value, _kept("port")] = Field(default="", description="Left out: the scheme's own.")
    scheme: Annotated[Value, _kept("scheme")] = Field(default="", description="https or http.")
    rows_per_second: Annotated[Value, _kept("rows_per_second")] = Field(
        default="", description="What all runs of the space may send together; left out: no bound."
    )
    developer_key: Secret = Field(
        default="", description="The key of Arize's GraphQL, for import jobs, as ${VARIABLE}; another one than api_key."
    )
    app_url: Annotated[Value, _kept("app_url")] = Field(
        default="", description="Where that GraphQL is; left out: https://app.arize.com."
    )


class StagingStore(Strict):
    """A store. What is left out is as boto3 finds it: its variables, ~/.aws, the machine's role."""

    url: Url = Field(description="s3://bucket/prefix, file:///directory, or a directory.")
    endpoint: Value = Field(default="", description="The address of another S3 than Amazon's.")
    region: Value = Field(default="", description="The bucket's region.")
    profile: Value = Field(default="", description="A profile of ~/.aws/config.")
    role: Value = Field(default="", description="The ARN of a role to take on with these credentials.")
    kms_key: Value = Field(
        default="", description="The KMS key, id or ARN, with which what is written is encrypted (SSE-KMS)."
    )
    access_key_id: Value = Field(default="", description="The access key's id.")
    secret_access_key: Secret = Field(default="", description="The secret access key, as ${VARIABLE}.")


def _shape(given: Any) -> str:
    return "<StagingStore>" if isinstance(given, Mapping | StagingStore) else "<word>"


class Environment(Strict):
    """What the names in pipeline files mean in one environment: dev, stage, prod."""

    store: Annotated[
        Annotated[Url, Tag("<word>")] | Annotated[StagingStore, Tag("<StagingStore>")], Discriminator(_shape)
    ] = Field(default="", description="The staging store: its address, or a mapping with its address as url.")
    import_store: Annotated[
        Annotated[Url, Tag("<word>")] | Annotated[StagingStore, Tag("<StagingStore>")], Discriminator(_shape)
    ] = Field(default="", description="The bucket that Arize reads, in the same way; left out: the staging store.")
    hash_key: Secret = Field(default="", description="The key of fields that are hashed, as ${VARIABLE}.")
    kafka: dict[Name, dict[str, Value]] = Field(
        default_factory=dict,
        description="Kafka connections by name: properties of librdkafka, at least bootstrap.servers.",
    )
    arize: dict[Name, ArizeSpace] = Field(default_factory=dict, description="Arize connections by name.")

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Environment:
        broken = [
            problem for name, properties in self.kafka.items() for problem in _broken(("kafka", name), properties)
        ]
        if broken:
            raise PydanticCustomError("rules", "{words}", {"broken": broken, "words": "; ".join(w for _, w in broken)})
        return self


def _broken(place: Place, properties: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    yield from (((*place, name) if name else place, words) for name, words in broken_properties(properties))
    for name, value in properties.items():
        if CERTAINLY_SECRET.search(name) and not VARIABLE.fullmatch(value):
            yield (*place, name), _LITERAL


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFile(StaysHere):
    """An environment with the file it was read from, and the variables that its texts name."""

    path: Path
    environment: Environment = field(repr=False)
    document: Document = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)

    def names(self, kind: str) -> list[str]:
        """The connections of a kind, sorted: `kafka`, `arize`."""
        return sorted(getattr(self.environment, kind))

    def connection(self, kind: str, name: str) -> Mapping[str, str] | None:
        """The attributes of a connection, its variables looked up; None where the file has none of that name.

        Raises:
            WrongSettings: a variable is not set, or holds what cannot be.
        """
        match kind:
            case "kafka" | "arize":
                return self._looked_up(getattr(self.environment, kind).get(name), (kind, name))
            case "store" | "import_store":
                return self._looked_up(getattr(self.environment, kind), (kind,))
        hash_key = self.environment.hash_key
        return self._looked_up({"hash_key": hash_key} if hash_key else None, ())

    def _looked_up(self, given: Mapping[str, str] | Strict | str | None, at: Place) -> Mapping[str, str] | None:
        """Put in the variables: into a mapping, a model, or the store's address alone."""
        if not given:
            return None
        if isinstance(given, Strict):
            given = given.model_dump(exclude_defaults=True)
        texts = {"url": given} if isinstance(given, str) else given
        unset = [
            (attribute, f"the variable {name} is not set")
            for attribute, text in texts.items()
            for name in VARIABLE.findall(text)
            if not self.environ.get(name, "").strip()
        ]
        found = {
            attribute: VARIABLE.sub(lambda match: self.environ.get(match[1], ""), text)
            for attribute, text in texts.items()
        }
        problems = [
            Problem(self.document.line((*at, attribute)), (*at, attribute), words)
            for attribute, words in unset or problems_of(found)
        ]
        if problems:
            raise WrongSettings(told_of(str(self.path), problems))
        return found


def load_environment(name_or_path: str, directory: Path, environ: Mapping[str, str]) -> EnvironmentFile:
    """Read an environment file.

    Args:
        name_or_path: `prod` for `prod.yaml` in the directory; with a slash or a suffix, the path itself.

    Raises:
        WrongSettings: there is none, with the nearest name; or it is wrong, with every problem and its line.
    """
    is_path = "/" in name_or_path or name_or_path.endswith((SUFFIX, ".yml"))
    path = Path(name_or_path).expanduser() if is_path else directory / f"{name_or_path}{SUFFIX}"
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise _no_such(path) from error
    except OSError as error:
        raise WrongSettings(f"{path}: {error.strerror or error}") from error
    environment, document = parse(text, str(path), Environment, WrongSettings)
    return EnvironmentFile(path=path, environment=environment, document=document, environ=environ)


def _no_such(path: Path) -> WrongSettings:
    names = sorted(other.stem for other in path.parent.glob(f"*{SUFFIX}"))
    near = nearest(path.stem, names)
    beside = f"In {path.parent}: {', '.join(names)}" if names else f"No environment file is in {path.parent}"
    what = f"SLUICE_ENVIRONMENT: no environment file {path}" + (f"; did you mean {near}?" if near else "")
    return WrongSettings(what, beside)
