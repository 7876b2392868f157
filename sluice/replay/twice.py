"""Which rows Arize would count once more: those that were in the same space, model, environment and version. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sluice.ledger.went import Sent

Versions = Mapping[str | None, int]


def counted_twice(to: Sent, before: Iterable[Sent], rows: int, versions: Callable[[], Versions | None]) -> int:
    """Return how many of an entry's rows have been where they would go, in the same version.

    Args:
        before: where all its rows went already.
        rows: of the entry.
        versions: counts its rows by their own versions; asked only where it matters. None where nobody can tell: then
            it may be all of them.
    """
    there = {item.version for item in before if item.place == to.place}
    if not there:
        return 0
    if to.version in there:
        return rows
    # Rows that keep their own version here went there with one for all; or the other way round.
    same = there if to.version is None else {to.version} if None in there else set()
    counts = versions() if same else {}
    return rows if counts is None else sum(counts.get(version, 0) for version in same)
