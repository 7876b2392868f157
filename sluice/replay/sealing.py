"""A derived entry is sealed behind its file, whose name in the store holds the entry's number."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from sluice.ledger import LedgerState, entries
from sluice.ledger.names import EntryName, shown
from sluice.ledger.names import parts_of as number_and_slot
from sluice.run import Run
from sluice.sealing import parts_of
from sluice.steps import step


def seal(
    run: Run,
    origin: EntryName,
    file: entries.StagedFile,
    still_right: Callable[[LedgerState], bool],
    *,
    ranges: tuple[entries.LedgerRange, ...],
    **fields: Any,
) -> int:
    """Seal an entry that takes the rows of a local file to where the run's pipeline goes, and return its number.

    Args:
        fields: of the entry: purpose, which rows, reason, the file that mapped them, target and version.

    Raises:
        LedgerMoved: it is not right any more; whatever was put for it is swept.
    """
    entry_id, (number, slot) = uuid.uuid4().hex, number_and_slot(origin)
    made = {
        **fields,
        "id": entry_id,
        "written_at": run.now(),
        "run": run.run_id,
        "origin": number,
        "slot": slot,
        "ranges": ranges,
        "parts": parts_of(_versions(run.staging.local_copy(file)), run.pipeline),
        "destination": run.sealing.destination(entry_id, ranges[0].range, file),
    }

    def entry_at(number: int) -> entries.Derived:
        entry = entries.Derived(**made, staged=run.staging.stage_for(number, file))
        step("replay.staged", entry=number, of=shown(origin), rows=file.rows)
        return entry

    sealed_as = run.ledger.append_numbered(entry_at, still_right)
    step("replay.sealed", entry=sealed_as, of=shown(origin), rows=file.rows)
    return sealed_as


def _versions(file: Path) -> pl.DataFrame:
    """The rows of a staged file with no other column than the version, if there is one."""
    column = "version" if "version" in pl.read_parquet_schema(file) else "topic"
    return pl.read_parquet(file, columns=[column])
