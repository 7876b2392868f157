"""The import jobs of a pipeline, one for each generation of its prefixes, as they stand beside the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sluice.ledger.codec import checked, encode
from sluice.ledger.keys import Keys
from sluice.store import Store


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    written_at: str
    run: str


class Generation(_Object):
    """A prefix of the bucket that one import job reads, and no other one ever.

    It is written before its job is made, and only who wrote it makes that job, once. So a job that was made though its
    answer got lost is found by its prefix, and where none is found the prefix is given up.

    Attributes:
        prefix: of the bucket; ends in a slash.
        managed: whether Sluice makes the job; a person does otherwise.
        schema_: names and prefixes of columns by Arize's fields, in the file `schema`.
        entry: the number of the ledger's next entry when it was written: so many files at most went elsewhere.
        duration_s: from when it was written, on the store's clock; who wrote it has asked for the job by then.
    """

    kind: Literal["generation"] = "generation"
    bucket: str
    prefix: str
    managed: bool
    space: str
    model: str
    type: str
    environment: str
    schema_: dict[str, str] = Field(alias="schema")
    entry: int
    duration_s: float


class JobRecord(_Object):
    """The job of a generation. by: whoever made it or found it, or a person who said so, and then `job` may be None."""

    kind: Literal["job"] = "job"
    generation: str
    job: str | None = None
    by: Literal["made", "found", "person"]


_GENERATION: TypeAdapter[Generation] = TypeAdapter(Generation)
_JOB: TypeAdapter[JobRecord] = TypeAdapter(JobRecord)


class Imports:
    """The generations of one pipeline, numbered from 1."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def newest(self) -> tuple[int, Generation] | None:
        """Return the last generation with its number, None before the first."""
        return self.newest_where(lambda _: True)

    def newest_where(self, fits: Callable[[Generation], bool]) -> tuple[int, Generation] | None:
        """Return the last generation that fits, with its number; None where none does."""
        numbers = sorted(map(self._keys.generation_number, self._store.keys(self._keys.generations)), reverse=True)
        found = ((number, self.generation(number)) for number in numbers)
        return next((item for item in found if fits(item[1])), None)

    def generation(self, number: int) -> Generation:
        key = self._keys.generation(number)
        return checked(key, self._store.read(key) or b"", _GENERATION)

    def begin(self, number: int, generation: Generation) -> bool:
        """Write a generation; False where another run took the number."""
        data = encode(generation)
        return self._store.put_once(self._keys.generation(number), data) == data

    def is_over(self, number: int, generation: Generation) -> bool:
        """Whether who wrote the generation is done with asking for its job, by the store's clock."""
        written = self._store.stat(self._keys.generation(number))
        if written is None:
            return True
        return self._store.now_s() > written.modified_s + generation.duration_s + self._store.clock_error_s

    def job(self, number: int) -> JobRecord | None:
        key = self._keys.job(number)
        data = self._store.read(key)
        return checked(key, data, _JOB) if data is not None else None

    def know_job(self, number: int, record: JobRecord) -> JobRecord:
        """Write down a generation's job, and return what holds: another run may have been first."""
        key = self._keys.job(number)
        return checked(key, self._store.put_once(key, encode(record)), _JOB)
