"""Sets of offsets as merged, sorted ranges: what is in an entry, partition by partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.offsets import OffsetRange, Partition

Intervals = tuple[tuple[int, int], ...]
Coverage = Mapping[Partition, Intervals]


def add(covered: Coverage, ranges: Iterable[OffsetRange]) -> dict[Partition, Intervals]:
    """Return the coverage with `ranges` in it; those that touch are merged."""
    grown = dict(covered)
    for item in ranges:
        if item.span:
            grown[item.partition] = _merged((*grown.get(item.partition, ()), (item.start, item.stop)))
    return grown


def without(covered: Coverage, ranges: Iterable[OffsetRange]) -> dict[Partition, Intervals]:
    """Return the coverage with nothing of `ranges` in it."""
    gone = add({}, ranges)
    left = (
        part
        for partition, intervals in covered.items()
        for start, stop in intervals
        for part in missing(gone, OffsetRange(partition, start, stop))
    )
    return add({}, left)


def union(coverages: Iterable[Coverage]) -> dict[Partition, Intervals]:
    """Return what is in any of them."""
    found: dict[Partition, list[tuple[int, int]]] = {}
    for covered in coverages:
        for partition, intervals in covered.items():
            found.setdefault(partition, []).extend(intervals)
    return {partition: _merged(intervals) for partition, intervals in found.items()}


def missing(covered: Coverage, wanted: OffsetRange) -> tuple[OffsetRange, ...]:
    """Return what of `wanted` is not covered, in order."""
    found, at = [], wanted.start
    for start, stop in covered.get(wanted.partition, ()):
        if start >= wanted.stop:
            break
        if start > at:
            found.append(OffsetRange(wanted.partition, at, start))
        at = max(at, stop)
    if at < wanted.stop:
        found.append(OffsetRange(wanted.partition, at, wanted.stop))
    return tuple(found)


def present(covered: Coverage, wanted: OffsetRange) -> tuple[OffsetRange, ...]:
    """Return what of `wanted` is covered, in order."""
    found = (
        OffsetRange(wanted.partition, max(start, wanted.start), min(stop, wanted.stop))
        for start, stop in covered.get(wanted.partition, ())
        if start < wanted.stop and stop > wanted.start and start < stop
    )
    return tuple(found)


def _merged(parts: Iterable[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(parts):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)
