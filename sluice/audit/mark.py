"""How far a ledger was audited: one small object an audit, so that the next one need not read the whole history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from sluice.audit.findings import Check, Finding
from sluice.ledger.checkpoints import Checkpoint, OriginText
from sluice.ledger.codec import checked, encode
from sluice.ledger.entries import PartitionText, RangeText
from sluice.ledger.keys import Keys
from sluice.ledger.names import name_of
from sluice.offsets import OffsetRange
from sluice.store import Store


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MarkedFinding(_Object):
    """An error of the log itself, told again by each audit until one of the whole ledger does not find it."""

    check: Check
    what: str
    entry: OriginText | None = None
    range: RangeText | None = None
    next: str

    @classmethod
    def of(cls, finding: Finding) -> MarkedFinding:
        return cls(
            check=finding.check,
            what=finding.what,
            entry=str(finding.entry) if finding.entry is not None else None,
            range=str(finding.range) if finding.range else None,
            next=finding.next_step,
        )

    @property
    def finding(self) -> Finding:
        return Finding(
            severity="error",
            check=self.check,
            what=self.what,
            entry=name_of(self.entry) if self.entry is not None else None,
            range=OffsetRange.parse(self.range) if self.range else None,
            next_step=self.next,
        )


class AuditMark(_Object):
    """What an audit leaves for the next one.

    Attributes:
        state: of the ledger before the first entry that was not audited, as a checkpoint has it.
        log_sha256: of the entries before that, each hashed behind the hash of those before it; None where one of them
            was not as it was written.
        totals: counts since the genesis; see `Totals`.
        suspects: entries and slots with errors that are looked at again.
        findings: errors that are told again.
        earliest: the lowest offset that Kafka had of each partition, when the mark was written.
    """

    format: Literal[1] = 1
    kind: Literal["audit"] = "audit"
    written_at: str
    run: str
    state: Checkpoint
    log_sha256: str | None = None
    totals: dict[str, int]
    suspects: tuple[OriginText, ...] = ()
    findings: tuple[MarkedFinding, ...] = ()
    earliest: dict[PartitionText, int] = {}


_MARK: TypeAdapter[AuditMark] = TypeAdapter(AuditMark)


class Marks:
    """The marks of one pipeline's audits, numbered from 0."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def newest_first(self) -> Iterator[str]:
        """The keys of all marks."""
        return self._store.keys(self._keys.audits)

    def next_number(self) -> int:
        newest = next(self.newest_first(), None)
        return 0 if newest is None else self._keys.audit_number(newest) + 1

    def read(self, key: str) -> AuditMark:
        """Read a mark.

        Raises:
            LedgerDamaged, LedgerOfAnotherVersion: see there.
        """
        return checked(key, self._store.read(key) or b"", _MARK)

    def write(self, number: int, mark: AuditMark) -> None:
        """Write a mark; where another audit was first, its mark holds, which says the same of the same entries."""
        self._store.put_once(self._keys.audit(number), encode(mark))
