"""The first verb of a run: see where ledger, topics and group stand, and plan from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sluice.clock import timestamp
from sluice.connections import Connections
from sluice.errors import START_ANEW, GroupMoved, LedgerMoved, TopicMissing, TopicRecreated
from sluice.group import check_group, check_group_before_genesis
from sluice.ledger import Ledger, LedgerState, entries
from sluice.ledger.state import fold
from sluice.offsets import Bounds, GroupOffset, Partition
from sluice.pipeline import Pipeline
from sluice.planning import Plan, backlog_of, check_bounds, plan
from sluice.steps import step


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where everything stands, from one snapshot.

    Attributes:
        state: of the ledger; of the one that a first run would begin, where there is none.
        bounds: of every partition of the pipeline's topics.
        partitions: those that the pipeline reads.
        committed: where the group stands.
    """

    state: LedgerState
    bounds: Mapping[Partition, Bounds]
    partitions: tuple[Partition, ...]
    committed: Mapping[Partition, GroupOffset]


class Outlook:
    """Sees where a pipeline stands. It writes only to take up topics that the ledger does not know."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, connections: Connections, run_id: str) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._connections = connections
        self._run_id = run_id
        self._kafka = pipeline.source.kafka

    def look(self, *, write: bool) -> Standing:
        """Take the snapshot. With `write`, a ledger that does not know a topic yet takes it up for good.

        Raises:
            SluiceError: a topic, a partition or an authorization is missing.
        """
        bounds = self._connections.source.snapshot(self._kafka.topics)
        self._check_named(bounds)
        is_new = bool(self._new_topics)
        state = self._state(bounds, write=write)
        if is_new:  # others may have sealed, and starts may lie, behind the first snapshot
            bounds = self._connections.source.snapshot(self._kafka.topics)
        partitions = self._partitions(state, bounds)
        committed = self._connections.source.committed(partitions)
        return Standing(state=state, bounds=bounds, partitions=partitions, committed=committed)

    def check(self, standing: Standing) -> None:
        """Check that ledger, topics and group agree.

        Raises:
            SluiceError: they do not; nothing was read.
        """
        state = standing.state
        if self._ledger.exists:
            check_group(state, self._kafka.group, standing.committed, self._ledger.entry)
        for partition in standing.partitions:
            at = state.position(partition).offset
            self._check_bounds(at, standing.bounds[partition], state.topics[partition.topic])

    def plan(self, standing: Standing, until: datetime | None, max_windows: int | None) -> Plan:
        """Plan the windows from where the ledger stands to the snapshot's end, or to a moment, or so many at most."""
        positions = {item: standing.state.position(item).offset for item in standing.partitions}
        bounds = self._bounded(standing, positions, until)
        max_records = self._pipeline.limits.max_records
        return plan(backlog_of(positions, bounds), max_records=max_records, max_windows=max_windows)

    def is_ours(self, partition: Partition) -> bool:
        chosen = self._kafka.partitions
        return partition.topic in self._kafka.topics and (chosen == "all" or partition.number in chosen)

    def _bounded(
        self, standing: Standing, positions: Mapping[Partition, int], until: datetime | None
    ) -> Mapping[Partition, Bounds]:
        if until is None:
            return standing.bounds
        ends = self._connections.source.offsets_at(standing.partitions, int(until.timestamp() * 1000))
        return {
            item: replace(standing.bounds[item], end=max(positions[item], min(standing.bounds[item].end, ends[item])))
            for item in standing.partitions
        }

    def _state(self, bounds: Mapping[Partition, Bounds], *, write: bool) -> LedgerState:
        """The ledger's state with every topic of the file in it: by a genesis, or a pin for those that were added."""
        new = self._new_topics
        if not new:
            return self._ledger.state
        starts = self._starts([item for item in bounds if item.topic in new], bounds)
        committed = {} if self._ledger.exists else self._connections.source.committed(list(starts))
        self._ledger.refresh()  # behind these questions: whose marks they found, if another run was first
        if self._new_topics != new:
            return self._state(bounds, write=write)
        topics = tuple(_topic_start(topic, starts, bounds) for topic in new)
        if self._ledger.exists:
            return self._pin(topics, bounds, write=write)
        check_group_before_genesis(self._kafka.group, committed, starts)
        genesis = self._genesis(topics)
        if not write:
            return LedgerState.begin(genesis)
        self._ledger.begin(genesis)
        step("ledger.begun", ledger=self._ledger.state.ledger_id, topics=",".join(item.topic for item in topics))
        return self._state(bounds, write=write)

    @property
    def _new_topics(self) -> list[str]:
        known = self._ledger.state.topics if self._ledger.exists else {}
        return [topic for topic in self._kafka.topics if topic not in known]

    def _genesis(self, topics: tuple[entries.TopicStart, ...]) -> entries.Genesis:
        return entries.Genesis(written_at=self._now(), run=self._run_id, pipeline=self._pipeline.name, topics=topics)

    def _pin(
        self, topics: tuple[entries.TopicStart, ...], bounds: Mapping[Partition, Bounds], *, write: bool
    ) -> LedgerState:
        pin = entries.Pin(written_at=self._now(), run=self._run_id, topics=topics)
        if not write:
            return replace(fold(self._ledger.state, pin), next_number=self._ledger.next_number)
        try:
            self._ledger.append(pin, lambda state: not any(item.topic in state.topics for item in topics))
        except LedgerMoved:
            return self._state(bounds, write=write)  # another run took up one of them first: what is left to take up?
        return self._ledger.state

    def _starts(self, partitions: Sequence[Partition], bounds: Mapping[Partition, Bounds]) -> dict[Partition, int]:
        match self._kafka.start:
            case "earliest":
                return {item: bounds[item].earliest for item in partitions}
            case "latest":
                return {item: bounds[item].end for item in partitions}
            case "group":
                committed = self._connections.source.committed(partitions)
                self._check_can_start(committed)
                return {
                    item: committed[item].offset if item in committed else bounds[item].earliest for item in partitions
                }
            case moment:
                return self._connections.source.offsets_at(partitions, int(moment.timestamp() * 1000))

    def _check_bounds(self, offset: int, bounds: Bounds, topic_id: str) -> None:
        check_bounds(offset, bounds, topic_id, on_expired=self._pipeline.policies.on_expired)

    def _check_can_start(self, committed: Mapping[Partition, GroupOffset]) -> None:
        """Check where the group stands, before a ledger is begun or a topic taken up: its starts are for good."""
        bounds = self._connections.source.snapshot(self._kafka.topics)  # asked behind the group, which may go on
        for partition, at in sorted(committed.items()):
            if at.offset > bounds[partition].end:
                raise GroupMoved(
                    f"The group {self._kafka.group} stands at {partition} offset {at.offset}, behind the end "
                    f"{bounds[partition].end}",
                    "Was the topic recreated? Name another group in source.kafka.group",
                )
            self._check_bounds(at.offset, bounds[partition], bounds[partition].topic_id)

    def _check_named(self, bounds: Mapping[Partition, Bounds]) -> None:
        chosen = self._kafka.partitions
        named = [] if chosen == "all" else [Partition(self._kafka.topics[0], number) for number in chosen]
        for partition in named:
            if partition not in bounds:
                raise TopicMissing(f"{partition} does not exist", "Fix source.kafka.partitions")

    def _partitions(self, state: LedgerState, bounds: Mapping[Partition, Bounds]) -> tuple[Partition, ...]:
        for partition in state.positions:
            if self.is_ours(partition) and partition not in bounds:
                raise TopicRecreated(f"{partition} is in the ledger and gone from Kafka", START_ANEW)
        return tuple(sorted(item for item in bounds if self.is_ours(item)))

    def _now(self) -> str:
        return timestamp(self._connections.clock.epoch_s())


def _topic_start(topic: str, starts: Mapping[Partition, int], bounds: Mapping[Partition, Bounds]) -> entries.TopicStart:
    positions = {item.number: offset for item, offset in starts.items() if item.topic == topic}
    topic_id = next(item.topic_id for partition, item in bounds.items() if partition.topic == topic)
    return entries.TopicStart(topic=topic, topic_id=topic_id, positions=positions)
