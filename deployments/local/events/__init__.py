"""Sample events: real departures, and beside them all that a real topic is full of.

Partitions of unequal size; transactions, some of them aborted; tombstones; records that no mapping can take; values
with newlines inside. All of it is decided by the number of a departure and the seed, so that a summary can tell, before
anybody has read the topic, what must arrive. An id that starts with ``aborted-`` or ``broken-`` never may.

Records carry the time of scoring as their Kafka timestamp, up to a year ago, so that a backfill by time has something
to find; the topic is therefore made with retention off.
"""

from deployments.local.events.departures import departures
from deployments.local.events.produced import PartitionProduced, Produced
from deployments.local.events.topic import COUNT, SEED, TOPIC, EventsError, more, produce

__all__ = ["COUNT", "SEED", "TOPIC", "EventsError", "PartitionProduced", "Produced", "departures", "more", "produce"]
