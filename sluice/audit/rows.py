"""Whether the counts of one sealed entry agree with each other: balance, files, parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.audit.findings import BRING_BACK, Finding
from sluice.errors import LedgerDamaged
from sluice.ledger import masks
from sluice.ledger.entries import Derived, Sealed, StagedFile
from sluice.ledger.names import EntryName
from sluice.offsets import OffsetRange


def check_rows(name: EntryName, entry: Sealed) -> Iterator[Finding]:
    """Check that what is sent of the staged rows is what the balance says, and the parts; and so of the other files.

    Of the rows that are not sent all are repeated, but those that are among the rejected records, too.
    Of an entry that takes its rows from another one only the parts: `check_derived` compares it with that one.
    """
    sent, in_file = sent_rows(entry), "in its staged file" + _less_unsent(entry)
    if sent is None:
        yield unlike(name, entry, f"{rows_of(entry.staged):,} rows in its staged file", "and its mask is one of others")
    elif (parts := entry.rows_sent) != sent:
        yield unlike(name, entry, f"{parts:,} rows in its parts", f"{sent:,} {in_file}")
    if isinstance(entry, Derived) and entry.purpose != "redo":
        return
    balance = entry.balance
    if sent is not None and sent != balance.staged:
        yield unlike(name, entry, f"{sent:,} rows {in_file}", f"{balance.staged:,} in its balance")
    if sent is not None:
        yield from _unsent(name, entry, rows_of(entry.staged) - sent)
    if (rejected := rows_of(entry.rejected)) != balance.rejected:
        yield unlike(name, entry, f"{rejected:,} rejected records in its file", f"{balance.rejected:,} in its balance")
    if entry.raw is not None and entry.raw.rows != balance.records:
        yield unlike(name, entry, f"{entry.raw.rows:,} raw records in its file", f"{balance.records:,} in its balance")


def check_expired(name: EntryName, entry: Sealed) -> Iterator[Finding]:
    """Tell of offsets that Kafka had dropped before they were read: the pipeline file says that they are let go of."""
    for item in () if isinstance(entry, Derived) else entry.ranges:
        if gone := item.counted.balance.expired:
            what = f"{gone:,} offsets were gone from Kafka before they were read: counted, and lost"
            yield Finding(severity="warning", check="expired", what=what, entry=name, range=item.range)


def rows_of(file: StagedFile | None) -> int:
    return file.rows if file is not None else 0


def sent_rows(entry: Sealed) -> int | None:
    """Count the rows of an entry's staged file that are sent; None where its mask is one of other rows."""
    rows = rows_of(entry.staged)
    if entry.unsent is None:
        return rows
    try:
        return rows - int(masks.decode(entry.unsent, rows).sum())
    except LedgerDamaged:
        return None


def unlike(name: EntryName, entry: Sealed, one: str, other: str) -> Finding:
    """Tell of two counts of an entry that should be one."""
    what = f"{one}, {other}"
    return Finding(severity="error", check="rows", what=what, entry=name, range=only_range(entry), next_step=BRING_BACK)


def only_range(entry: Sealed) -> OffsetRange | None:
    """The range of an entry that has one; None where it has several."""
    return entry.ranges[0].range if len(entry.ranges) == 1 else None


def _unsent(name: EntryName, entry: Sealed, unsent: int) -> Iterator[Finding]:
    balance = entry.balance
    if balance.repeated <= unsent <= balance.repeated + balance.rejected:
        return
    others = f" and {balance.rejected:,} rejected" if balance.rejected else ""
    in_balance = f"{balance.repeated:,} repeated{others} in its balance"
    yield unlike(name, entry, f"{unsent:,} rows in its staged file are not sent", in_balance)


def _less_unsent(entry: Sealed) -> str:
    return "" if entry.unsent is None else ", less those that are not sent"
