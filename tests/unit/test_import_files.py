"""What Arize says of files: found in whatever order it lists them, and asked for at the price of what is pending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.destinations.imports.files import ImportFiles
from sluice.importing.jobs import FileStatus, Status

PAGE = 50
ORDERS: dict[str, Callable[[int, int], Any]] = {
    "oldest first": lambda made, _: made,
    "newest first": lambda made, _: -made,
    "by when it was settled": lambda _, settled: settled,
    "last settled first": lambda _, settled: -settled,
    "by name": lambda made, _: (made * 7919) % 1009,
}


class Arize:
    """The files of a job, listed page by page in some order; leaves everything else out."""

    def __init__(self, order: str) -> None:
        self.files: dict[str, tuple[str, int, int]] = {}
        self.asked = 0
        self._order = ORDERS[order]

    def settle(self, made: int, status: Status = "complete") -> None:
        self.files[key(made)] = (status.upper(), made, len(self.files))

    @property
    def counts(self) -> dict[Status, int]:
        counted = Counter(status for status, _, _ in self.files.values())
        return {"complete": counted["COMPLETE"], "failed": counted["FAILED"], "pending": 0}

    def query(self, _: str, *, job: str, status: str, after: str | None) -> dict[str, Any]:
        self.asked += 1
        listed = sorted(
            (self._order(made, settled), name) for name, (known, made, settled) in self.files.items() if known == status
        )
        behind = [name for _, name in listed]
        first = behind.index(after) + 1 if after else 0  # a cursor is an item, as in most servers
        page = behind[first : first + PAGE]
        return {
            "node": {
                "files": {
                    "pageInfo": {"hasNextPage": first + PAGE < len(behind), "endCursor": page[-1] if page else None},
                    "edges": [{"node": {"filePath": name, "error": {"message": f"bad {name}"}}} for name in page],
                }
            }
        }


def key(made: int) -> str:
    return f"import/ledger/g1/{made:06}.parquet"


def files(arize: Arize, last: FileStatus | None = None) -> ImportFiles:
    return ImportFiles(arize, "job", last=last)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ORDERS)
@given(data=st.data())
def test_whatever_is_settled_is_found_in_any_order(order: str, data: st.DataObject) -> None:
    arize = Arize(order)
    mine, pending = files(arize), set[int]()
    made = 0
    for _ in range(data.draw(st.integers(1, 4))):
        placed = set(range(made, made + data.draw(st.integers(0, 120))))
        made += len(placed)
        pending |= placed
        settled = set(data.draw(st.sets(st.sampled_from(sorted(pending)))) if pending else ())
        statuses: list[Status] = ["complete", "failed", "skipped", "canceled"]
        said = {number: data.draw(st.sampled_from(statuses)) for number in sorted(settled)}
        for number, status in said.items():
            arize.settle(number, status)
        found = mine.settled([key(number) for number in pending], arize.counts)
        assert {name: status.status for name, status in found.items()} == {key(n): s for n, s in said.items()}
        pending -= settled


@pytest.mark.parametrize("order", ["oldest first", "newest first", "by when it was settled", "last settled first"])
def test_a_run_behind_a_long_history_asks_no_more_than_one_behind_none(order: str) -> None:
    asked = {}
    for history in (0, 2_000):
        arize = Arize(order)
        for made in range(history):
            arize.settle(made)
        newest = key(history - 1)
        last = files(arize).settled([newest], arize.counts)[newest] if history else None
        arize.asked = 0
        mine = files(arize, last)
        for made in range(history, history + 3):
            assert not mine.settled([key(made)], arize.counts)
            arize.settle(made)
            assert key(made) in mine.settled([key(made)], arize.counts)
        asked[history] = arize.asked
    assert asked[2_000] <= asked[0] + 12


def test_words_on_a_file_are_without_values() -> None:
    arize = Arize("oldest first")
    arize.settle(1, "failed")
    assert files(arize).settled([key(1)], arize.counts)[key(1)].reason == "bad …"
