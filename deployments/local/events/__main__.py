"""Write sample events, or more of them, from the command line.

``python -m deployments.local.events --bootstrap-servers HOST:PORT --summary FILE [--topic T] [--count N] [--more N]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deployments.local.events.topic import COUNT, TOPIC, more, produce


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.local.events", description="Write sample events to Kafka."
    )
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--count", type=int, default=COUNT, help="departures to begin with")
    parser.add_argument("--more", type=int, default=0, metavar="N", help="then append the N departures that follow")
    parser.add_argument("--summary", type=Path, required=True, help="JSON file that remembers what was written")
    args = parser.parse_args()

    produced = produce(args.bootstrap_servers, args.topic, count=args.count, summary=args.summary)
    if args.more:
        produced = more(args.bootstrap_servers, count=args.more, summary=args.summary)
    roles = ", ".join(
        f"{produced.total(role):,} {role}" for role in ("good", "tombstones", "broken", "aborted", "markers")
    )
    print(f"{produced.topic}: {roles}; {args.summary} has them by partition")


if __name__ == "__main__":
    main()
