"""What is sealed, looked at by itself: counts, deliveries, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.audit.files import FileCheck
from sluice.audit.findings import Finding
from sluice.audit.receipts import Receipts
from sluice.audit.rows import check_rows
from sluice.ledger.deliveries import End
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName
from sluice.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen of an entry or a slot.

    Attributes:
        ends: what settled each of its parts, where anything did.
    """

    name: EntryName
    entry: Sealed
    ends: Mapping[int, End]
    findings: tuple[Finding, ...]

    @property
    def is_settled(self) -> bool:
        """Whether all of it was accepted, placed or let go of; what is held is ended by another entry."""
        return not self.entry.held and len(self.ends) == len(self.entry.parts)


class Look:
    """Looks at entries, several at once. Nothing is written."""

    def __init__(self, run: Run, *, deep: bool) -> None:
        self._receipts = Receipts(run.store, run.ledger.keys, run.deliveries)
        self._files = FileCheck(run, deep=deep)

    def at(self, name: EntryName, entry: Sealed, *, ended: bool = False) -> Looked:
        """Look at an entry.

        Args:
            ended: another entry has ended it. Until then the files of a held one are looked at by `files_of`.
        """
        findings = [*check_rows(name, entry)]
        ends: Mapping[int, End] = {}
        if not entry.held:
            received = self._receipts.of(name, entry)
            ends, findings = received.ends, [*findings, *received.findings]
        if not entry.held or ended:
            is_wanted = not entry.held and len(ends) < len(entry.parts)
            findings += self._files.of(name, entry, is_wanted=is_wanted and not ended)
        return Looked(name=name, entry=entry, ends=ends, findings=tuple(findings))

    def is_dropped(self, name: EntryName, entry: Sealed) -> bool:
        """Whether a person let go of rows of an entry."""
        return any(end.is_dropped for end in self._receipts.of(name, entry).ends.values())

    def files_of(self, name: EntryName, entry: Sealed, *, is_wanted: bool) -> tuple[Finding, ...]:
        """Look at the files of a held entry: all of them are wanted until somebody has ended it."""
        return tuple(self._files.of(name, entry, is_wanted=is_wanted))
