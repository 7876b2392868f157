"""Write sample events, or more of them, from the command line.

``python -m deployments.local.events --bootstrap-servers HOST:PORT --summary FILE [--topic T] [--count N] [--more N]
[--arrivals FILE [--arrivals-topic T] [--arrived N]]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deployments.local.events.produced import Produced
from deployments.local.events.producing import ARRIVALS, COUNT, TOPIC, more, produce, produce_arrivals


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.local.events", description="Write sample events to Kafka."
    )
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--count", type=int, default=COUNT, help="departures to begin with")
    parser.add_argument("--more", type=int, default=0, metavar="N", help="then append the N departures that follow")
    parser.add_argument("--summary", type=Path, required=True, help="JSON file that remembers what was written")
    parser.add_argument(
        "--arrivals", type=Path, metavar="FILE", help="write the departures' arrivals, too; FILE remembers them"
    )
    parser.add_argument("--arrivals-topic", default=ARRIVALS, metavar="TOPIC")
    parser.add_argument("--arrived", type=int, metavar="N", help="only the arrivals of the first N departures")
    args = parser.parse_args()

    produced = produce(args.bootstrap_servers, args.topic, count=args.count, summary=args.summary)
    if args.more:
        produced = more(args.bootstrap_servers, count=args.more, summary=args.summary)
    _tell(produced, args.summary)
    if args.arrivals:
        arrived = produce_arrivals(
            args.bootstrap_servers, produced, args.arrivals_topic, count=args.arrived, summary=args.arrivals
        )
        _tell(arrived, args.arrivals)
        print(", ".join(f"{count:,} {kind}" for kind, count in arrived.arrivals.items()))


def _tell(produced: Produced, summary: Path) -> None:
    roles = ", ".join(
        f"{produced.total(role):,} {role}" for role in ("good", "tombstones", "broken", "aborted", "markers")
    )
    print(f"{produced.topic}: {roles}; {summary} has them by partition")


if __name__ == "__main__":
    main()
