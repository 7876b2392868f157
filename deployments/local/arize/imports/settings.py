"""What the import side is told: how often it looks, its limits, and the store that it may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

GIGABYTE = 1_000_000_000
_VARIABLE = "ARIZE_STAND_IN_OBJECTS_"


class ImportSettings(BaseModel):
    """How the importer works and what it refuses; the defaults are Arize's own.

    - look_every_s: how often each job lists its prefix; 0 is never, but when told.
    - max_file_bytes: a larger object fails. Whether Arize's 1 GB is 10^9 or 2^30 is not known: this is the stricter.
    - queries_per_minute, mutations_per_minute: of one key; 0 is no limit.
    - max_past_days: an older timestamp is a bad row. The documents say 90 days, 2 years or 5 years.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_every_s: float = Field(default=10.0, ge=0)
    max_file_bytes: int = Field(default=GIGABYTE, gt=0)
    queries_per_minute: int = Field(default=100, ge=0)
    mutations_per_minute: int = Field(default=300, ge=0)
    max_past_days: int = Field(default=5 * 365, gt=0)


class ObjectStore(BaseModel):
    """An S3 server and the credentials by which Arize reads it: not those of whoever writes there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str
    region: str = "us-east-1"
    access_key: str
    secret_key: str = Field(repr=False)

    def environment(self) -> dict[str, str]:
        """Give the variables by which a stand-in in a process of its own is told: arguments would show to anybody."""
        return {f"{_VARIABLE}{name.upper()}": value for name, value in self.model_dump().items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """Read those variables; None if there are none. Raises: pydantic.ValidationError."""
        given = {
            name.removeprefix(_VARIABLE).lower(): environment[name]
            for name in environment
            if name.startswith(_VARIABLE)
        }
        return cls.model_validate(given) if given else None
