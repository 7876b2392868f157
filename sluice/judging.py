"""What is not sent of a window of actuals, in the classes of its balance and among its rejected records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sluice.offsets import CountedRange, Partition
from sluice.records import ReadRange, Rejected
from sluice.repeats import Decided

if TYPE_CHECKING:
    from sluice.windows import MappedWindow

_CORRECTS: Final = "an earlier actual of this id says otherwise, and policies.corrections is reject"


def judged(
    read: Sequence[ReadRange], mapped: MappedWindow, decided: Decided
) -> tuple[tuple[CountedRange, ...], tuple[Rejected, ...]]:
    """Return ranges and rejected records of a window of actuals with what is not sent of it in their classes."""
    dropped = decided.unsent & decided.corrected
    repeated, corrected = decided.counted(decided.repeated & decided.unsent), decided.counted(dropped)
    counted = tuple(_recounted(item, repeated, corrected) for item in mapped.counted)
    wanted = decided.offsets(dropped)
    records = (item.records.record(at) for item in read for at in _at(item, wanted)) if wanted else ()
    found = [*mapped.rejected, *(Rejected(record=record, reason=_CORRECTS) for record in records)]
    return counted, tuple(sorted(found, key=lambda item: (item.record.partition, item.record.offset)))


def _at(read: ReadRange, wanted: Collection[tuple[Partition, int]]) -> Iterator[int]:
    """Yield where in what was read of a range some offsets are."""
    partition = read.range.partition
    return (at for at, offset in enumerate(read.records.offsets()) if (partition, offset) in wanted)


def _recounted(item: CountedRange, repeated: Counter[Partition], corrected: Counter[Partition]) -> CountedRange:
    again, others = repeated[item.range.partition], corrected[item.range.partition]
    balance = item.balance
    return replace(
        item,
        balance=replace(
            balance, staged=balance.staged - again - others, repeated=again, rejected=balance.rejected + others
        ),
    )
