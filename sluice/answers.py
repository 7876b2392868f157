"""What a destination says of one send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sluice.errors import DeliveryRefused, DestinationRefused, DestinationUnavailable, SluiceError

_AT_THE_DOOR = (401, 403, 404, 405, 407)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a send.

    Attributes:
        kind: `accepted`: Arize answered 2xx. `refused`: proven not to have been accepted. `unknown`: it may have been,
            and is never taken for either.
        status: Arize's HTTP status, None where it gave none.
        reason: words, codes and column names; never a value of an event, never the key. Empty if accepted.
        rows: how many were accepted; None otherwise.
        retry: of a refusal, whether the same send may be accepted later though nobody mended anything.
    """

    kind: Literal["accepted", "refused", "unknown"]
    status: int | None = None
    reason: str = ""
    rows: int | None = None
    retry: bool = False

    @property
    def error(self) -> type[SluiceError] | None:
        """The error that a refusal is; None for the other two."""
        if self.kind != "refused":
            return None
        if self.retry:
            return DestinationUnavailable
        redirected = self.status is not None and self.status < 400
        return DestinationRefused if redirected or self.status in _AT_THE_DOOR else DeliveryRefused
