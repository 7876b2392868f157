"""What bounds a window while it is read, for every source alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnExpired = Literal["fail", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Where a window is cut, whichever comes first; what is left of it is read next.

    Attributes:
        max_records: records handed over.
        max_bytes: of their keys and values; one record that is bigger comes alone.
        max_seconds: a read that has got anywhere by then stops; one that has got nowhere goes on.
    """

    max_records: int
    max_bytes: int
    max_seconds: float

    def __post_init__(self) -> None:
        if self.max_records < 1 or self.max_bytes < 1 or self.max_seconds <= 0:
            raise ValueError(f"a window needs room for a record: {self}")
