"""What is known of a part's way: what a destination said of one send, and the receipt of what was accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from sluice.errors import SluiceError


class Answer(Protocol):
    """What a destination says of one send.

    `refused` is proven not accepted; `unknown` is everything in between, and is never taken for either.
    """

    @property
    def kind(self) -> Literal["accepted", "refused", "unknown"]: ...
    @property
    def status(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def retry(self) -> bool:
        """Whether a refused send may succeed later with nobody doing anything."""

    @property
    def error(self) -> type[SluiceError] | None:
        """What a refusal is that a person must mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """A part of an entry; `str()` is `entry 12 part 0`.

    Attributes:
        ranges: of the entry, for the log.
    """

    entry: int
    part: int
    ranges: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"entry {self.entry} part {self.part}"

    def fields(self, delivery: int) -> dict[str, object]:
        """The fields of a log line on one of its deliveries."""
        return {"entry": self.entry, "part": self.part, "delivery": delivery, "ranges": self.ranges}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The accepted delivery of a part.

    Attributes:
        sent: whether this run sent it; False where it was found accepted.
        unknown: how many other deliveries of the part have no known outcome: so often more may it be counted.
    """

    entry: int
    part: int
    delivery: int
    rows: int
    sent: bool
    unknown: int = 0
