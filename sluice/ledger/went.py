"""Where the offsets of windows and slots went: what Arize would count twice if they went there once more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sluice.ledger import coverage
from sluice.ledger.coverage import Coverage
from sluice.ledger.entries import Destination
from sluice.offsets import OffsetRange, Partition

END_OF_OFFSETS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Where rows went, or would go: Arize tells them apart by nothing else.

    Attributes:
        version: of all rows; None: each has its own.
    """

    space: str
    model: str
    environment: str
    version: str | None = None

    @classmethod
    def to(cls, destination: Destination, *, version: str | None = None, space: str | None = None) -> Sent:
        """Return where rows of a destination go; `space` is where a person sent them in its place."""
        return cls(
            space=space or destination.space,
            model=destination.model,
            environment=destination.environment,
            version=version,
        )

    @property
    def place(self) -> tuple[str, str, str]:
        return self.space, self.model, self.environment

    def may_meet(self, other: Sent) -> bool:
        """Whether a row may be in both; where rows have versions of their own nobody can tell."""
        return self.place == other.place and (self.version == other.version or None in (self.version, other.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAgain:
    """What a claim with `again` took, as far as its slots are known.

    Attributes:
        claim: its number.
        request: of the claim.
    """

    claim: int
    request: str
    to: Sent
    covered: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """Where offsets went.

    Attributes:
        first: what was taken for the first time, by where it went.
        derived: what replays, and rejected records that passed, are of, by where they went.
        again: what was taken again, a claim and a place each.
        ends: of each request with `again`, where the ledger stood when it was first claimed.
    """

    first: Mapping[Sent, Coverage] = field(default_factory=dict)
    derived: Mapping[Sent, Coverage] = field(default_factory=dict)
    again: tuple[TakenAgain, ...] = ()
    ends: Mapping[str, Mapping[Partition, int]] = field(default_factory=dict)

    def with_first(self, to: Sent, ranges: Iterable[OffsetRange]) -> Went:
        return replace(self, first={**self.first, to: coverage.add(self.first.get(to, {}), ranges)})

    def with_derived(self, to: Sent, ranges: Iterable[OffsetRange]) -> Went:
        return replace(self, derived={**self.derived, to: coverage.add(self.derived.get(to, {}), ranges)})

    def with_again(self, claim: int, request: str, to: Sent, ranges: Iterable[OffsetRange]) -> Went:
        mine = [item for item in self.again if (item.claim, item.to) == (claim, to)]
        others = [item for item in self.again if item not in mine]
        covered = coverage.add(mine[0].covered if mine else {}, ranges)
        return replace(self, again=(*others, TakenAgain(claim=claim, request=request, to=to, covered=covered)))

    def with_request(self, request: str, ends: Mapping[Partition, int]) -> Went:
        """Return the same where a request with `again` is claimed: later claims of it take nothing that came since."""
        return self if request in self.ends else replace(self, ends={**self.ends, request: ends})

    def closed_to(self, request: str, partitions: Iterable[Partition]) -> Coverage:
        """What a request with `again` may not take: what it took before, and what came since it was first claimed."""
        ends = self.ends.get(request)
        since = {} if ends is None else {at: ((ends.get(at, 0), END_OF_OFFSETS),) for at in partitions}
        return coverage.union([since, *(item.covered for item in self.again if item.request == request)])

    def again_to(self, to: Sent, *, behind: int = 0, but: int | None = None) -> Coverage:
        """What was taken again to a place, as far as rows may meet there.

        Args:
            behind: only by claims behind this entry.
            but: not by this claim.
        """
        found = (item for item in self.again if item.claim > behind and item.claim != but and item.to.may_meet(to))
        return coverage.union(item.covered for item in found)

    def taken_to(self, to: Sent, *, but: int | None = None) -> Coverage:
        """What was taken to a place, for the first time or again, as far as rows may meet there."""
        return coverage.union([_meeting(self.first, to), self.again_to(to, but=but)])

    def ever_to(self, to: Sent) -> Coverage:
        """The same, with what derived entries brought there."""
        return coverage.union([self.taken_to(to), _meeting(self.derived, to)])


def _meeting(went: Mapping[Sent, Coverage], to: Sent) -> Coverage:
    return coverage.union(covered for place, covered in went.items() if place.may_meet(to))
