"""Write the sample events, once, and remember what was written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from deployments.local.events.arrivals import arrivals
from deployments.local.events.departures import departures
from deployments.local.events.flights import TOTAL
from deployments.local.events.produced import PartitionProduced, Produced
from deployments.local.events.records import SHARES, of_arrivals, of_departures
from deployments.local.events.topic import EventsError, create, delete, end_offsets, write

TOPIC = "flights.predictions"
ARRIVALS = "flights.actuals"
COUNT = 150_000
SEED = 13


def produce(
    bootstrap_servers: str,
    topic: str = TOPIC,
    *,
    count: int = COUNT,
    summary: Path | None = None,
    reference: date | None = None,
    seed: int = SEED,
) -> Produced:
    """Write the first `count` departures to a topic, which is made if need be; do nothing if they are there already.

    summary: a JSON file that remembers what was written; without it a topic that holds anything is refused.
    reference: the day before which the departures lie, by default today.

    Raises:
        EventsError: the topic holds records that the summary does not know of.
    """
    begun = _begun(topic, reference or datetime.now(UTC).date(), seed)
    opened = _opened(bootstrap_servers, begun, summary)
    return opened if opened.complete else _append_departures(bootstrap_servers, opened, count, summary)


def more(bootstrap_servers: str, *, count: int, summary: Path) -> Produced:
    """Write the `count` departures that follow those that the summary remembers, and give the new sum of all.

    Raises:
        EventsError: the topic holds something else than the summary says, or the data set is used up.
    """
    known = Produced.load(summary)
    ends = end_offsets(bootstrap_servers, known.topic)
    if not known.complete or known.ends != ends:
        raise EventsError(_unknown(known.topic, ends, summary))
    return _append_departures(bootstrap_servers, known, count, summary)


def produce_arrivals(
    bootstrap_servers: str,
    departed: Produced,
    topic: str = ARRIVALS,
    *,
    count: int | None = None,
    summary: Path | None = None,
) -> Produced:
    """Write the arrivals of the first `count` departures to a topic, as `produce` does; those that are there stay.

    departed: what is known of the departures; None for `count` is all of them, so that those that became more since the
    last time arrive behind the others.

    Raises:
        EventsError: as `produce`; the arrivals that are there are of other departures, or there are not so many.
    """
    wanted = departed.departures if count is None else count
    if wanted > departed.departures:
        raise EventsError(f"{departed.topic} holds {departed.departures} departures: {wanted} cannot arrive")
    opened = _opened(bootstrap_servers, _begun(topic, departed.reference, departed.seed), summary)
    if (opened.reference, opened.seed) != (departed.reference, departed.seed):
        raise EventsError(f"{topic} holds the arrivals of other departures: delete the topic, or write to another one")
    if opened.complete and opened.departures >= wanted:
        return opened
    return _append_arrivals(bootstrap_servers, opened, wanted, summary)


def _begun(topic: str, reference: date, seed: int) -> Produced:
    return Produced(
        topic=topic,
        reference=reference,
        seed=seed,
        departures=0,
        versions={},
        partitions=tuple(PartitionProduced(partition=number) for number in range(len(SHARES))),
        complete=False,
    )


def _opened(bootstrap_servers: str, begun: Produced, summary: Path | None) -> Produced:
    """Give what is known of a topic that was written; make one that was not, or only by half, and give `begun`."""
    known = Produced.load(summary) if summary is not None and summary.exists() else None
    ends = end_offsets(bootstrap_servers, begun.topic)
    if known is not None and (known.topic, known.ends, known.complete) == (begun.topic, ends, True):
        return known
    if any(ends):
        if known is None or known.topic != begun.topic or known.complete:
            raise EventsError(_unknown(begun.topic, ends, summary))
        delete(bootstrap_servers, begun.topic)  # ours, and only half written
    if not ends or any(ends):
        create(bootstrap_servers, begun.topic)
    if summary is not None:
        begun.save(summary)
    return begun


def _append_departures(bootstrap_servers: str, known: Produced, count: int, summary: Path | None) -> Produced:
    start, stop = known.departures, known.departures + count
    if stop > TOTAL:
        raise EventsError(f"{TOTAL} departures are all there are; {start} of them are written already")
    scored = departures(known.reference, start=start, stop=stop)
    counts = write(bootstrap_servers, known.topic, of_departures(scored, seed=known.seed, start=start))
    return _settled(bootstrap_servers, known.plus(count, counts, versions=_counted(scored["version"])), summary)


def _append_arrivals(bootstrap_servers: str, known: Produced, stop: int, summary: Path | None) -> Produced:
    reported = arrivals(known.reference, seed=known.seed, start=known.departures, stop=stop)
    records = of_arrivals(reported, seed=known.seed, start=known.total("good"))
    counts = write(bootstrap_servers, known.topic, records)
    written = known.plus(stop - known.departures, counts, arrivals=_counted(reported["kind"]))
    return _settled(bootstrap_servers, written, summary)


def _counted(kinds: pl.Series) -> dict[str, int]:
    return dict(kinds.value_counts().iter_rows())


def _settled(bootstrap_servers: str, produced: Produced, summary: Path | None) -> Produced:
    found = end_offsets(bootstrap_servers, produced.topic)
    if found != produced.ends:
        raise EventsError(f"{produced.topic} ends at {found}, not at {produced.ends}: does someone else write to it?")
    if summary is not None:
        produced.save(summary)
    return produced


def _unknown(topic: str, ends: list[int], summary: Path | None) -> str:
    known = f"{summary} does not tell of" if summary is not None else "no summary tells of"
    return f"{topic} ends at {ends}, which {known}: delete the topic, or write to another one"
