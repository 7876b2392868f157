"""The events of every benchmark: what a scoring service writes, nested JSON of about 490 bytes.

Standard library only, and no import of ours: peers read it, too, in a virtualenv where nothing else of ours is.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

TEXTS: Final = ("carrier", "origin", "dest")
INTS: Final = ("distance", "hour", "month", "weekday", "scheduled_minute")
FLOATS: Final = ("precip", "visibility", "wind_speed", "temperature", "pressure", "humidity")
BOOLS: Final = ("night",)
FEATURES: Final = (*TEXTS, *INTS, *FLOATS, *BOOLS)  # 15
TAGS: Final = ("region", "host", "customer")
VERSION: Final = "2013.4"

_CARRIERS = ("UA", "AA", "DL", "B6", "EV", "MQ", "US", "WN", "9E", "VX")
_AIRPORTS = ("JFK", "LGA", "EWR", "ATL", "ORD", "LAX", "BOS", "MCO", "CLT", "SFO", "MIA", "DCA")
_REGIONS = ("us-east-1", "us-west-2", "eu-central-1")


def columns() -> dict[str, str]:
    """Return the flat columns that every system must write, each with its type: string, int, float or bool."""
    typed = [(TEXTS, "string"), (INTS, "int"), (FLOATS, "float"), (BOOLS, "bool")]
    features = {name: type_ for names, type_ in typed for name in names}
    tags = dict.fromkeys(TAGS, "string")
    return {"id": "string", "scored_at": "int", "label": "string", "score": "float", **features, **tags}


def path(column: str) -> tuple[str, ...]:
    """Return where in the event a column stands."""
    if column in FEATURES:
        return ("features", column)
    if column in TAGS:
        return ("tags", column)
    return ("prediction", column) if column in ("label", "score") else (column,)


def id_of(number: int) -> str:
    return f"p-{number:012d}"


class Events:
    """Makes events, each other than all others, the same ones for the same seed.

    Args:
        now_ms: the events lie in the week before it, in order.
    """

    def __init__(self, *, now_ms: int, seed: int = 13) -> None:
        self._random = random.Random(seed)
        self._start_ms = now_ms - 7 * 86_400_000

    def event(self, number: int) -> dict[str, Any]:
        chance = self._random.random
        score = round(chance(), 6)
        return {
            "id": id_of(number),
            "scored_at": self._start_ms + number,
            "model": {"version": VERSION},
            "prediction": {"label": "delayed" if score > 0.5 else "on_time", "score": score},
            "features": {
                "carrier": _CARRIERS[int(chance() * 10)],
                "origin": _AIRPORTS[int(chance() * 12)],
                "dest": _AIRPORTS[int(chance() * 12)],
                "distance": int(chance() * 2500),
                "hour": int(chance() * 24),
                "month": 1 + int(chance() * 12),
                "weekday": 1 + int(chance() * 7),
                "scheduled_minute": int(chance() * 1440),
                "night": chance() > 0.6,
                "precip": round(chance(), 2),
                "visibility": round(chance() * 10, 1),
                "wind_speed": round(chance() * 40, 5),
                "temperature": round(chance() * 100, 2),
                "pressure": round(980 + chance() * 50, 1),
                "humidity": round(chance() * 100, 2),
            },
            "tags": {
                "region": _REGIONS[int(chance() * 3)],
                "host": f"scorer-{int(chance() * 40)}",
                "customer": f"c{int(chance() * 100_000)}",
            },
            "meta": {"producer": "scoring-7", "attempt": 1},  # which nobody maps
        }

    def value(self, number: int) -> bytes:
        return json.dumps(self.event(number), separators=(",", ":")).encode()
