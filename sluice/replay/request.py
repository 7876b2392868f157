"""What a person asks a replay for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from sluice.aim import aimed_at, check_version
from sluice.errors import WrongUse
from sluice.ledger.entries import Destination
from sluice.ledger.names import EntryName, shown
from sluice.pipeline import LoadedPipeline

Path = Literal["sdk", "object_store"]
SourceName = Literal["staged", "kafka", "either"]
What = Literal["rows", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Entries whose rows are to go out once more, or whose rejected records are to be tried once more.

    Attributes:
        entries: numbers of the log, or slots of claims; each goes by itself.
        source: of rows: the staged file; Kafka, read and mapped again by the file that the entry names; or Kafka only
            where the staged file is gone.
        model, path: where rows go, in place of what the pipeline file says today.
        version: of the model, for all rows, in place of what they have.
        count_twice: they may go where Arize has them already.
        take_differences: rows from Kafka may be others than those that were delivered.
        reason: in a person's words; kept in the ledger.
    """

    entries: tuple[EntryName, ...]
    what: What = "rows"
    source: SourceName = "either"
    model: str | None = None
    version: str | None = None
    path: Path | None = None
    count_twice: bool = False
    take_differences: bool = False
    reason: str = ""

    def check(self) -> None:
        """Check what can be told without a ledger.

        Raises:
            WrongUse: it contradicts itself.
        """
        if not self.entries:
            raise WrongUse("No entry is named", "Name one at least: 12, or 12/3 for a backfill's")
        own = (self.model, self.version, self.path, self.count_twice, self.take_differences)
        if self.what == "rejected" and (any(own) or self.source == "kafka"):
            raise WrongUse(
                "Rejected records are tried from what was kept of them, and go where the pipeline file says",
                "Leave out model, version, path, source, count-twice and take-differences",
            )

    def check_reason(self) -> None:
        """Check that there is a reason, which a look needs not.

        Raises:
            WrongUse: there is none.
        """
        if not self.reason.strip():
            raise WrongUse("A replay is kept in the ledger, with its reason", "Give a reason")

    def aimed(self, loaded: LoadedPipeline) -> LoadedPipeline:
        """Return the pipeline as the replay runs it.

        Raises:
            WrongUse: its rows cannot go there.
        """
        if self.version is not None:
            check_version(loaded.pipeline, self.version)
        return replace(loaded, pipeline=aimed_at(loaded.pipeline, model=self.model, path=self.path))

    def target(self, to: Destination) -> str:
        """Where the rows of an entry go, as a short hash: the same for whoever asks for the same.

        Neither path nor connection tell two targets apart: the model counts a row by whatever way it comes. What may
        be counted twice is another target for another reason.
        """
        again = self.reason.strip() if self.count_twice else None
        where = [to.space, to.model, to.environment, self.version, again]
        return hashlib.sha256(json.dumps(where).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        return {
            "entries": [shown(name) for name in self.entries],
            "what": self.what,
            "source": self.source,
            "model": self.model,
            "version": self.version,
            "path": self.path,
            "count_twice": self.count_twice,
            "take_differences": self.take_differences,
            "reason": self.reason,
        }
