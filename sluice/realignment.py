"""A person's word on a group that was moved: the ledger is right, or the group is."""

from __future__ import annotations

from sluice.errors import RealignNotPossible
from sluice.group import ahead, touched_by_open
from sluice.ledger import OpenEntry, entries
from sluice.ledger.deliveries import Doubt, PartName, end_of
from sluice.ledger.log import ways_out
from sluice.offsets import GroupOffset, OffsetRange
from sluice.outlook import Standing
from sluice.run import Run
from sluice.steps import step


def realign_to_ledger(run: Run, standing: Standing) -> list[GroupOffset]:
    """Overwrite the group with where the ledger stands, forward or back, and return what was written.

    What waits though the group was driven past it is sent again by that, and named.

    Raises:
        RealignNotPossible: a held entry was driven past: what a person said of it is lost, and comes first.
    """
    partitions = {*standing.partitions, *touched_by_open(standing.state)}
    committed = run.mirror.committed(partitions)
    run.catch_up()  # behind that look: who brought the group there had delivered all before it
    state = run.ledger.state
    numbers = ahead(state, committed)
    for number in numbers:
        if state.open[number].entry.held:
            raise RealignNotPossible(
                f"Entry {number} is held, and the group was driven past it", f"First: {ways_out(number)}"
            )
    for number in numbers:
        _doubt(run, state.open[number])
    return run.mirror.overwrite(state, partitions)


def _doubt(run: Run, item: OpenEntry) -> None:
    """Name what may be counted twice; a file is imported once, however often it is looked for."""
    if item.entry.destination.path == "object_store":
        return
    for part in range(len(item.entry.parts)):
        known = run.deliveries.of(PartName.of(item.number, item.entry, part))
        if end_of(known) is None:
            doubt = Doubt(entry=item.number, part=part, delivery=len(known), run=run.run_id, written_at=run.now())
            run.deliveries.doubt(doubt)


def realign_to_group(run: Run, standing: Standing, reason: str) -> tuple[OffsetRange, ...]:
    """Move the ledger forward to the group by a `skip`, and return what was skipped: a backfill can still take it.

    Raises:
        RealignNotPossible: something is not delivered yet, or the group stands behind the ledger.
    """
    skipped = _skippable(standing)
    if skipped:
        _skip(run, skipped, reason)
    run.mirror.overwrite(run.ledger.state, standing.partitions)
    return skipped


def _skip(run: Run, skipped: tuple[OffsetRange, ...], reason: str) -> None:
    skip = entries.Skip(written_at=run.now(), run=run.run_id, ranges=tuple(map(str, skipped)), reason=reason)
    entry = run.ledger.append(
        skip, lambda state: all(state.position(item.partition).offset == item.start for item in skipped)
    )
    step("ledger.skipped", entry=entry, ranges=", ".join(skip.ranges))


def _skippable(standing: Standing) -> tuple[OffsetRange, ...]:
    state = standing.state
    waiting = [number for number, item in state.open.items() if not item.holds_up_nothing]
    if waiting:
        raise RealignNotPossible(
            f"Entries {', '.join(map(str, waiting))} are not delivered yet",
            "Run the pipeline, or resolve them; then realign",
        )
    for partition, at in standing.committed.items():
        low, high = state.position(partition).offset, standing.bounds[partition].end
        if not low <= at.offset <= high:
            raise RealignNotPossible(
                f"The group stands at {partition} offset {at.offset}, outside {low}..{high}; it only goes forward",
                "Use --to ledger",
            )
    ranges = (OffsetRange(key, state.position(key).offset, at.offset) for key, at in sorted(standing.committed.items()))
    return tuple(item for item in ranges if item.span)
