"""The consumer group, kept as a mirror of the ledger; what it should show is said by `group`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice.connections import Source
from sluice.group import ahead_of, check_group, group_offsets, is_ahead
from sluice.ledger import Ledger
from sluice.offsets import GroupOffset, Partition
from sluice.outlook import Standing
from sluice.steps import step


class Mirror:
    """The consumer group of a pipeline."""

    def __init__(self, source: Source, group: str) -> None:
        self._source = source
        self._group = group

    def drive(
        self, ledger: Ledger, partitions: Sequence[Partition], catch_up: Callable[[], object]
    ) -> list[GroupOffset]:
        """Drive the group to the end of what is contiguous and delivered, and return where it is.

        Args:
            catch_up: learns what other runs delivered meanwhile.

        Raises:
            GroupMoved, GroupAhead, GroupInUse, GroupNotAllowed: see there; what was delivered stays delivered.
        """
        committed = self._source.committed(partitions)
        if is_ahead(ledger.state, committed):
            catch_up()
        check_group(ledger.state, self._group, committed, ledger.entry)
        wanted = group_offsets(ledger.state, list(partitions))
        forward = ahead_of(committed, wanted)
        if forward:
            step("group.committing", group=self._group, offsets=_shown(forward))
            self._source.commit(forward)
            step("group.committed", group=self._group, offsets=_shown(forward))
        return wanted

    def mend(self, standing: Standing) -> None:
        """Bring the group to where it should be by now, before anything is read: a run that died left it behind."""
        behind = ahead_of(standing.committed, group_offsets(standing.state, list(standing.partitions)))
        if behind:
            self._source.commit(behind)
            step("group.mended", group=self._group, offsets=_shown(behind))

    def overwrite(self, standing: Standing) -> list[GroupOffset]:
        """Overwrite the group with where the ledger stands, forward or back, and return what was written."""
        offsets = group_offsets(standing.state, list(standing.partitions))
        self._source.commit(offsets)
        step("group.realigned", group=self._group, offsets=_shown(offsets))
        return offsets


def _shown(offsets: Sequence[GroupOffset]) -> str:
    return " ".join(f"{item.partition}:{item.offset}" for item in offsets)
