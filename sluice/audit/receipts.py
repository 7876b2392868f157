"""What became of an entry's parts, by their deliveries: delivered once, in doubt and named, or waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.audit.findings import BRING_BACK, Finding, Severity
from sluice.audit.rows import only_range
from sluice.errors import LedgerDamaged
from sluice.ledger.deliveries import Deliveries, Delivery, End, PartName, end_of
from sluice.ledger.entries import Sealed
from sluice.ledger.keys import Keys
from sluice.ledger.names import EntryName
from sluice.store import Store

_LOOK: Final = "Look in Arize how often it has these rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The deliveries of an entry's parts.

    Attributes:
        ends: what settled each part, where anything did.
    """

    ends: Mapping[int, End]
    findings: tuple[Finding, ...]


class Receipts:
    """Reads deliveries and doubts; writes none."""

    def __init__(self, store: Store, keys: Keys, deliveries: Deliveries) -> None:
        self._store = store
        self._keys = keys
        self._deliveries = deliveries

    def of(self, name: EntryName, entry: Sealed) -> Received:
        """Read and check the deliveries of an entry that is not held."""
        ends: dict[int, End] = {}
        findings: list[Finding] = []
        for part in range(len(entry.parts)):
            try:
                known = self._deliveries.of(PartName.of(name, entry, part))
            except LedgerDamaged as damage:
                findings.append(_found(name, entry, damage.what, damage.next_step or BRING_BACK))
                continue
            findings += self._check(name, entry, part, known)
            if end := end_of(known):
                ends[part] = end
        return Received(ends=ends, findings=tuple(findings))

    def _check(self, name: EntryName, entry: Sealed, part: int, known: Sequence[Delivery]) -> Iterator[Finding]:
        accepted = [item.outcome for item in known if item.outcome and item.outcome.kind == "accepted"]
        for outcome in accepted:
            if outcome.rows is not None and outcome.rows != (rows := entry.parts[part].rows):
                what = f"Arize took {outcome.rows:,} of the {rows:,} rows of part {part}"
                yield _found(name, entry, what, _LOOK)
        is_named = len(known) < 2 or self._store.stat(self._keys.doubt(name, part)) is not None
        if len(accepted) > 1 and not is_named:
            is_released = any(item.outcome and item.outcome.kind == "released" for item in known)
            words = "though a person said that Arize had it not" if is_released else "and no doubt names it"
            severity: Severity = "warning" if is_released else "error"
            yield _found(name, entry, f"part {part} was accepted {len(accepted)} times, {words}", _LOOK, severity)
        elif any(item.intent.resends for item in known) and not is_named:
            yield _found(name, entry, f"part {part} was sent again, and no doubt names it", _LOOK)


def _found(name: EntryName, entry: Sealed, what: str, next_step: str, severity: Severity = "error") -> Finding:
    at = only_range(entry)
    return Finding(severity=severity, check="delivery", what=what, entry=name, range=at, next_step=next_step)
