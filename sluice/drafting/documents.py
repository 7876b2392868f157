"""The JSON objects among the values of records, judged as a run does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sluice.decoding.projection import Projection
from sluice.decoding.strict import fault

_ANY: Final = Projection(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What the values of a sample are.

    Attributes:
        objects: the JSON objects.
        tombstones: how many values are null.
        faults: how many values are no JSON object, by the reason that a run would give.
    """

    objects: list[dict[str, Any]]
    tombstones: int
    faults: Mapping[str, int]

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Self:
        objects, faults, tombstones = list[dict[str, Any]](), Counter[str](), 0
        for value in values:
            if value is None:
                tombstones += 1
                continue
            if reason := fault(value, _ANY, thorough=True):
                faults[reason] += 1
                continue
            try:
                objects.append(json.loads(value))
            except (ValueError, RecursionError):  # an integer of thousands of digits, nesting of thousands of levels
                faults["not read by a draft"] += 1
        return cls(objects=objects, tombstones=tombstones, faults=faults)

    @property
    def total(self) -> int:
        return len(self.objects) + self.tombstones + sum(self.faults.values())
