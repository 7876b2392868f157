"""The consumer group, kept as a mirror of the ledger; what it should show is said by `group`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sluice.connections import Source
from sluice.group import ahead, ahead_of, check_delivered, check_group, group_offsets, touched_by_open
from sluice.ledger import Ledger, LedgerState
from sluice.offsets import GroupOffset, Partition
from sluice.outlook import Standing
from sluice.steps import step


class Mirror:
    """The consumer group of a pipeline."""

    def __init__(self, source: Source, group: str) -> None:
        self._source = source
        self._group = group

    def check_delivered(self, ledger: Ledger, catch_up: Callable[[], object]) -> None:
        """Check, before anything is sent, that the group was not driven past what waits, whatever the file says by now.

        Args:
            catch_up: learns what other runs delivered meanwhile.

        Raises:
            GroupAhead: see there.
            SluiceError: the group could not be asked.
        """
        committed = self.committed(touched_by_open(ledger.state))
        if ahead(ledger.state, committed):
            catch_up()
            check_delivered(ledger.state, self._group, committed)

    def committed(self, partitions: Collection[Partition]) -> dict[Partition, GroupOffset]:
        """Ask where the group stands; partitions without an offset are left out."""
        return self._source.committed(sorted(partitions)) if partitions else {}

    def drive(self, ledger: Ledger, partitions: Sequence[Partition]) -> list[GroupOffset]:
        """Drive the group to the end of what is contiguous and delivered, and return where it is.

        Raises:
            GroupMoved, GroupInUse, GroupNotAllowed: see there; what was delivered stays delivered.
        """
        committed = self._source.committed(partitions)
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

    def overwrite(self, state: LedgerState, partitions: Collection[Partition]) -> list[GroupOffset]:
        """Overwrite the group with where the ledger stands, forward or back, and return what was written."""
        offsets = group_offsets(state, sorted(partitions))
        self._source.commit(offsets)
        step("group.realigned", group=self._group, offsets=_shown(offsets))
        return offsets


def _shown(offsets: Sequence[GroupOffset]) -> str:
    return " ".join(f"{item.partition}:{item.offset}" for item in offsets)
