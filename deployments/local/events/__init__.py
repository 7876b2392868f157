"""Sample events: real departures and their arrivals, and beside them all that a real topic is full of.

Partitions of unequal size; transactions, some of them aborted; tombstones; records that no mapping can take; values
with newlines inside. Among the arrivals, also the same one twice, corrected ones, months late ones, ones before their
departure, and ones of which no departure is known. All of it is decided by the number of a departure and the seed, so
that a summary can tell, before anybody has read the topic, what must arrive. An id that starts with ``aborted-`` or
``broken-`` never may, and one that starts with ``unpredicted-`` finds no prediction.

Records carry the time of scoring, or of the report, as their Kafka timestamp, up to a year ago, so that a backfill by
time has something to find; the topics are therefore made with retention off.
"""

from deployments.local.events.arrivals import arrivals
from deployments.local.events.departures import departures
from deployments.local.events.flights import TOTAL
from deployments.local.events.produced import PartitionProduced, Produced
from deployments.local.events.producing import ARRIVALS, COUNT, SEED, TOPIC, more, produce, produce_arrivals
from deployments.local.events.topic import EventsError

__all__ = [
    "ARRIVALS",
    "COUNT",
    "SEED",
    "TOPIC",
    "TOTAL",
    "EventsError",
    "PartitionProduced",
    "Produced",
    "arrivals",
    "departures",
    "more",
    "produce",
    "produce_arrivals",
]
