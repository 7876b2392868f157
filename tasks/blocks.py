"""Prefect blocks as a source of connections, behind variables and environment files: one block a connection, by name.

`prefect block register -m tasks.blocks` makes the two types known to a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from httpx import HTTPError
from prefect.blocks.core import Block
from prefect.exceptions import PrefectException
from prefect.types import SecretDict
from pydantic import Field, SecretStr

from sluice.errors import PrefectUnavailable, WrongSettings
from sluice.settings import Kind, broken_properties
from sluice.settings.connection import problems_of


class SluiceKafka(Block):
    """A Kafka connection of Sluice: what a pipeline file calls `source.kafka.connection`."""

    _block_type_name = "Sluice Kafka connection"
    _block_type_slug = "sluice-kafka"
    _description = "A Kafka connection of Sluice, by the name that pipeline files use."

    properties: SecretDict = Field(
        description='Properties of librdkafka, at least bootstrap.servers: {"bootstrap.servers": "kafka:9092"}.'
    )

    def attributes(self) -> dict[str, str]:
        return {name: _text(value) for name, value in self.properties.get_secret_value().items()}

    def problems(self) -> Iterator[tuple[str, str]]:
        return broken_properties(self.attributes())


class SluiceArize(Block):
    """An Arize connection of Sluice: what a pipeline file calls `arize.connection`."""

    _block_type_name = "Sluice Arize connection"
    _block_type_slug = "sluice-arize"
    _description = "A space of Arize AX, by the name that pipeline files use."

    api_key: SecretStr = Field(description="The space's key.")
    space_id: str = Field(description="The space's id.")
    host: str = Field(default="", description="The API's host; empty: api.arize.com. A region has its own.")
    port: int = Field(default=0, description="0: the scheme's own.")
    scheme: str = Field(default="https", description="https or http.")
    rows_per_second: float = Field(default=0, description="What all runs of the space may send together; 0: no bound.")
    developer_key: SecretStr = Field(default=SecretStr(""), description="The key of Arize's GraphQL, for import jobs.")
    app_url: str = Field(default="", description="Where that GraphQL is; empty: https://app.arize.com.")

    def attributes(self) -> dict[str, str]:
        given = {"api_key": self.api_key.get_secret_value(), "space_id": self.space_id, "host": self.host}
        given |= {"port": str(self.port), "scheme": self.scheme}
        given |= {"rows_per_second": str(self.rows_per_second)} if self.rows_per_second else {}
        given |= {"developer_key": self.developer_key.get_secret_value(), "app_url": self.app_url}
        return {name: value for name, value in given.items() if value}

    def problems(self) -> Iterator[tuple[str, str]]:
        given = self.attributes()
        yield from ((name, "missing") for name in ("api_key", "space_id") if name not in given)
        yield from problems_of(given)


_TYPES: Mapping[str, type[SluiceKafka | SluiceArize]] = {"kafka": SluiceKafka, "arize": SluiceArize}


def find_block(kind: Kind, name: str) -> Mapping[str, str] | None:
    """Return the attributes of a connection from its block; None where there is no block of that name.

    Raises:
        WrongSettings: the block holds what cannot be.
        PrefectUnavailable: the API does not answer.
    """
    if kind not in _TYPES:
        return None
    try:
        block: Any = _TYPES[kind].load(name, _sync=True)  # type: ignore[call-arg]
    except ValueError:  # how Prefect says that there is none
        return None
    except (HTTPError, PrefectException, RuntimeError) as error:
        raise PrefectUnavailable(
            f"Prefect's API does not tell whether there is a block {name} ({type(error).__name__})",
            "Is PREFECT_API_URL right, and the server up?",
        ) from None
    at = f"Prefect block {block._block_type_slug}/{name}"
    problems = [": ".join(part for part in (at, key, words) if part) for key, words in block.problems()]
    if problems:
        raise WrongSettings("\n".join(problems))
    attributes: dict[str, str] = block.attributes()
    return attributes


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
