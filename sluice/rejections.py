"""Which records of an entry were rejected, and why: offsets and reasons, never values."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sluice.errors import WrongUse
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName, shown
from sluice.run import Run


def rejections(run: Run, name: EntryName) -> dict[str, Any]:
    """List the rejected records of an entry, in the order of topic, partition and offset. Nothing is written.

    `redeemed` of them passed later, and went out by a replay.

    Raises:
        WrongUse: there is no such entry, or it seals no records.
    """
    import polars as pl  # here and not above: the other commands start without it

    file = _sealed(run, name).rejected
    rows: list[dict[str, Any]] = []
    if file is not None:
        columns = ["topic", "partition", "offset", "reason"]
        frame = pl.read_parquet(run.staging.local_copy(file), columns=columns)
        rows = frame.sort("topic", "partition", "offset").to_dicts()
    return {
        "pipeline": run.pipeline.name,
        "entry": shown(name),
        "rejected": len(rows),
        "redeemed": sum(run.ledger.state.once_more.redeemed_of(name).values()),
        "reasons": dict(Counter(row["reason"] for row in rows).most_common()),
        "file": file.key if file else None,
        "records": rows,
    }


def _sealed(run: Run, name: EntryName) -> Sealed:
    last = run.ledger.state.next_number - 1
    entry = run.ledger.find(name)
    if isinstance(entry, Sealed):
        return entry
    raise WrongUse(f"Entry {name} of {run.pipeline.name} holds no records; entries are 0 to {last}", "Name another")
