"""Whether the counts of one sealed entry agree with each other: balance, files, parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.audit.findings import BRING_BACK, Finding
from sluice.ledger.entries import Derived, Sealed, StagedFile
from sluice.ledger.names import EntryName
from sluice.offsets import OffsetRange


def check_rows(name: EntryName, entry: Sealed) -> Iterator[Finding]:
    """Check that what was staged is what the balance says, that the parts are all of it, and so of the raw records.

    Of an entry that takes its rows from another one only the parts: `check_derived` compares it with that one.
    """
    staged = rows_of(entry.staged)
    if (parts := sum(part.rows for part in entry.parts)) != staged:
        yield unlike(name, entry, f"{parts:,} rows in its parts", f"{staged:,} in its staged file")
    if isinstance(entry, Derived) and entry.purpose != "redo":
        return
    balance = entry.balance
    if staged != balance.staged:
        yield unlike(name, entry, f"{staged:,} rows in its staged file", f"{balance.staged:,} in its balance")
    if (rejected := rows_of(entry.rejected)) != balance.rejected:
        yield unlike(name, entry, f"{rejected:,} rejected records in its file", f"{balance.rejected:,} in its balance")
    records = balance.staged + balance.tombstones + balance.rejected + balance.filtered
    if entry.raw is not None and entry.raw.rows != records:
        yield unlike(name, entry, f"{entry.raw.rows:,} raw records in its file", f"{records:,} in its balance")


def check_expired(name: EntryName, entry: Sealed) -> Iterator[Finding]:
    """Tell of offsets that Kafka had dropped before they were read: the pipeline file says that they are let go of."""
    for item in () if isinstance(entry, Derived) else entry.ranges:
        if gone := item.counted.balance.expired:
            what = f"{gone:,} offsets were gone from Kafka before they were read: counted, and lost"
            yield Finding(severity="warning", check="expired", what=what, entry=name, range=item.range)


def rows_of(file: StagedFile | None) -> int:
    return file.rows if file is not None else 0


def unlike(name: EntryName, entry: Sealed, one: str, other: str) -> Finding:
    """Tell of two counts of an entry that should be one."""
    what = f"{one}, {other}"
    return Finding(severity="error", check="rows", what=what, entry=name, range=only_range(entry), next_step=BRING_BACK)


def only_range(entry: Sealed) -> OffsetRange | None:
    """The range of an entry that has one; None where it has several."""
    return entry.ranges[0].range if len(entry.ranges) == 1 else None
