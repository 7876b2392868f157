"""An artifact that a person names, and what is believed of a ledger page: its key, and which entries it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from sluice.errors import WrongUse
from sluice.ledger import entries
from sluice.ledger.names import EntryName, SlotName
from tasks.artifacts import sealed_columns
from tasks.ledger_artifacts import notes_on, reference_of
from tests import parts

ID = "2432ee2c-2a03-44c4-a3cd-06ef6fc479ab"
SLOT = SlotName(2, 0)
FILE = entries.StagedFile(key="staged/p/a", rows=4, bytes=9, sha256="5" * 64, content="c" * 64)
HEAD = "The artifact says otherwise than the ledger, which is gone by"
Rows = list[dict[str, Any]]


# ── an artifact by link, id or key


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID.upper()}\n",
        f"http://127.0.0.1:4200/v2/artifacts/artifact/{ID}",
        f"http://127.0.0.1:4200/artifacts/artifact/{ID}?tab=Raw",
        f"https://app.prefect.cloud/account/1/workspace/2/artifacts/artifact/{ID}#top",
        f"Ledger of flights: http://127.0.0.1:4200/v2/artifacts/artifact/{ID}",
    ],
)
def test_an_id_and_a_link_to_one_version_mean_that_version(text: str) -> None:
    assert reference_of(text) == UUID(ID)


@pytest.mark.parametrize(
    "text", ["offsets-my-flights-0a1b2c3d", "https://ui/v2/artifacts/key/offsets-my-flights-0a1b2c3d"]
)
def test_a_key_and_a_link_to_its_page_mean_the_newest(text: str) -> None:
    assert reference_of(text) == "offsets-my-flights-0a1b2c3d"
    assert reference_of(f"/artifacts/key/{ID}") == ID


@pytest.mark.parametrize(
    "text",
    [
        "two words",
        "Offsets-Flights",
        f"http://127.0.0.1:4200/v2/runs/flow-run/{ID}",
        "http://127.0.0.1:4200/v2/artifacts/artifact/offsets-my-flights-0a1b2c3d",
    ],
)
def test_what_is_neither_is_refused_with_what_would_be_one_and_the_way_without(text: str) -> None:
    with pytest.raises(WrongUse, match="neither link, id nor key") as refused:
        reference_of(text)
    assert text in str(refused.value)
    assert "Entries may be named by number, too" in str(refused.value)


# ── a page beside the ledger


@pytest.fixture
def ledger() -> Mapping[EntryName, Rows]:
    """Entry 1 has two ranges, slot 2/0 has one."""
    sealed: dict[EntryName, entries.Window] = {
        1: parts.window("a[0] 0..4", "a[1] 7..9", staged=FILE),
        SLOT: parts.window("b[0] 0..4", staged=FILE),
    }
    return {name: [sealed_columns(entry, item) for item in entry.ranges] for name, entry in sealed.items()}


@pytest.fixture
def page(ledger: Mapping[EntryName, Rows]) -> dict[EntryName, Rows]:
    """What a run has published of them."""
    told = {"status": "committed", "committed_at": "then", "receipt": "part 0: delivery 0, 4 rows"}
    return {name: [{"entry": str(name), **told, **row} for row in rows] for name, rows in ledger.items()}


def notes(page: Mapping[EntryName, Sequence[Mapping[str, Any]]], ledger: Mapping[EntryName, Rows]) -> tuple[str, ...]:
    head, *others = notes_on(page, ledger)
    assert head == HEAD
    return tuple(others)


def test_a_page_as_it_was_published_says_what_the_ledger_has(page: dict[EntryName, Rows], ledger: Any) -> None:
    assert notes_on(page, ledger) == ()
    for row in page[1]:
        row |= {"status": "sealed", "committed_at": "", "receipt": "", "a note": "of a person"}
    assert notes_on(page, ledger) == (), "of a page that was published earlier, or that somebody wrote on"
    page[1].reverse()
    assert notes_on(page, ledger) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"start": 1}, "start"),
        ({"stop": "4"}, "stop"),
        ({"staged": 3, "rejected": 1}, "rejected, staged"),
        ({"file": "staged/p/b", "sha256": None}, "file, sha256"),
        ({"content": "secret"}, "content"),
        ({"rejected": None}, "rejected"),
        ({"path": "object_store", "imported_as": "s3://b/k"}, "imported_as, path"),
    ],
)
def test_what_was_changed_on_a_page_is_told_by_entry_range_and_column_and_never_repeated(
    page: dict[EntryName, Rows], ledger: Any, changed: dict[str, Any], told: str
) -> None:
    page[1][0] |= changed
    (note,) = notes(page, ledger)
    named, _, columns = note.partition(" differs in ")
    assert (named, ", ".join(sorted(columns.split(", ")))) == ("Entry 1: a[0] 0..4", told)


def test_a_column_that_is_gone_differs_unless_it_counted_nothing(page: dict[EntryName, Rows], ledger: Any) -> None:
    del page[SLOT][0]["tombstones"]
    assert notes_on(page, ledger) == ()
    del page[SLOT][0]["start"], page[SLOT][0]["sha256"]
    assert notes(page, ledger) == ("Entry 2/0: b[0] 0..4 differs in start, sha256",)


def test_rows_that_are_gone_and_rows_that_were_added_are_told(page: dict[EntryName, Rows], ledger: Any) -> None:
    page[1][1] |= {"topic": {"a secret": 1}}
    page[SLOT] += [dict(page[SLOT][0]), {"entry": "2/0"}]
    assert notes(page, ledger) == (
        "Entry 1: a[1] 7..9 is missing; 1 row on the page that it has not",
        "Entry 2/0: 2 rows on the page that it has not",
    )


def test_of_many_that_differ_the_first_are_told_and_how_many_there_are_more(ledger: Mapping[EntryName, Rows]) -> None:
    many: dict[EntryName, Rows] = dict.fromkeys(range(23), ledger[SLOT])
    told = notes({name: [{**rows[0], "stop": 5}] for name, rows in many.items()}, many)
    assert (len(told), told[0][:8], told[-1]) == (21, "Entry 0:", "So it does of 3 more")
