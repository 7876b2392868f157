"""Where an audit begins: behind the last one's mark, or at the genesis."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.audit.findings import BRING_BACK, COMPARE, Finding
from sluice.audit.mark import AuditMark, Marks
from sluice.audit.reading import Read, read
from sluice.audit.totals import Totals
from sluice.errors import LedgerDamaged
from sluice.ledger import LedgerState
from sluice.ledger.checkpoints import as_state
from sluice.ledger.entries import Genesis
from sluice.ledger.names import EntryName, name_of
from sluice.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is known before anything is walked.

    Attributes:
        stop: behind the log's last entry; 0 where there is no ledger.
        state: of the ledger before the first entry that is walked; None where there is no genesis to begin with.
        log_sha256: of the entries before that.
        mark: of the last audit, where it is gone by.
        suspects: entries before that are looked at again.
        told: errors of the log that an earlier audit found, which nobody can see in what is walked.
        findings: what is wrong with the genesis, or with the marks themselves.
        marks: by the number that it goes up to, each earlier audit's hash of the log; only where all of it is walked.
    """

    stop: int
    state: LedgerState | None = None
    log_sha256: str | None = None
    totals: Totals = field(default_factory=Totals)
    mark: AuditMark | None = None
    suspects: tuple[EntryName, ...] = ()
    told: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    marks: Mapping[int, Sequence[str]] = field(default_factory=dict)


def beginning_of(run: Run, marks: Marks, *, full: bool) -> Beginning:
    """Find out where to begin.

    Raises:
        LedgerOfAnotherVersion: see there.
    """
    genesis = read(run, 0)
    if not isinstance(genesis.entry, Genesis):
        return _without_genesis(run, genesis)
    newest = None if full else next(marks.newest_first(), None)
    warnings: tuple[Finding, ...] = ()
    if newest is not None:
        try:
            begun = _behind(run, marks.read(newest), genesis.entry)
        except LedgerDamaged as damage:
            warnings = (_warning(f"{damage.what}: the whole ledger was audited, and not what is new alone"),)
        else:
            if begun is not None:
                return begun
    return _at_genesis(run, marks, genesis.entry, chained("", genesis.data), warnings)


def chained(log_sha256: str, data: bytes) -> str:
    """Return the hash of a log with one more entry."""
    return hashlib.sha256(log_sha256.encode() + data).hexdigest()


def _without_genesis(run: Run, read_as: Read) -> Beginning:
    stop = _stop(run)
    if not stop:
        return Beginning(stop=0)
    other = _error(f"{run.ledger.keys.entry(0)} is no genesis")
    return Beginning(stop=stop, findings=(read_as.finding or other,))


def _behind(run: Run, mark: AuditMark, genesis: Genesis) -> Beginning | None:
    """Begin behind a mark; None where that is of another ledger, or of a longer one."""
    state = as_state(mark.state, run.ledger.entry)
    stop = _stop(run, state.next_number - 1)
    if state.ledger_id != genesis.id or stop < state.next_number:
        return None
    return Beginning(
        stop=stop,
        state=state,
        log_sha256=mark.log_sha256,
        totals=Totals.of(mark.totals),
        mark=mark,
        suspects=tuple(map(name_of, mark.suspects)),
        told=tuple(item.finding for item in mark.findings),
    )


def _at_genesis(run: Run, marks: Marks, genesis: Genesis, log_sha256: str, warnings: tuple[Finding, ...]) -> Beginning:
    """Begin at entry 0, with what the earlier audits knew of the log."""
    stop = _stop(run)
    findings, hashes = [*warnings], dict[int, list[str]]()
    for key in marks.newest_first():
        try:
            mark = marks.read(key)
        except LedgerDamaged as damage:
            findings += [] if warnings else [_warning(damage.what)]
            continue
        if mark.log_sha256 is not None:
            hashes.setdefault(mark.state.next_number, []).append(mark.log_sha256)
        if mark.state.ledger_id != genesis.id:
            findings.append(_error(f"{key} is of the ledger {mark.state.ledger_id}, which is not the one there is now"))
        elif mark.state.next_number > stop:
            words = f"the log was audited up to entry {mark.state.next_number - 1} at {mark.written_at}"
            findings.append(_error(f"{words}, and its last one is {stop - 1}: the newest are gone"))
    state = LedgerState.begin(genesis)
    if genesis.pipeline != run.pipeline.name:
        findings.append(_error(f"the genesis is of the pipeline {genesis.pipeline}"))
    return Beginning(stop=stop, state=state, log_sha256=log_sha256, findings=tuple(findings), marks=hashes)


def _stop(run: Run, known: int = 0) -> int:
    """Return the number behind the last entry.

    Args:
        known: one that should be there; what lies before it is not listed, unless nothing else is.
    """
    keys = run.ledger.keys
    listed = run.store.keys(keys.entries, keys.entry(known - 1) if known else "")
    last = max(map(keys.entry_number, listed), default=None)
    if last is None:
        return _stop(run) if known else 0
    return last + 1


def _error(what: str) -> Finding:
    return Finding(severity="error", check="mark", what=what, next_step=COMPARE)


def _warning(what: str) -> Finding:
    return Finding(severity="warning", check="mark", what=what, next_step=BRING_BACK)
