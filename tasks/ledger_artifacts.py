"""A ledger page as Prefect has it now, and what the ledger says of it: a page may be changed, or deleted, by anybody.

All that is believed of a page is its key, which nobody can change, and which entries it names. What differs is told by
entry, range and column: what stands on a changed page may be anything, and is not repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from httpx import HTTPError
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterId, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import PrefectException

from sluice.errors import PrefectUnavailable, WrongUse
from sluice.ledger.entries import Sealed
from sluice.ledger.names import EntryName, name_of
from sluice.offsets import Balance, OffsetRange, Partition
from sluice.run import Run
from sluice.words import counted
from tasks.artifacts import LEDGER_PAGE, ledger_key, sealed_columns

_ADDRESS = re.compile(r"/artifacts/(artifact|key)/([^/?#\s]+)")
_PLACE: Final = ("topic", "partition")
_NONE_OF: Final = Balance().as_dict()  # a class that is not on a page has no offset
_MOST_NOTES: Final = 20
_READERS: Final = 8
_BY_NUMBER = "Entries may be named by number, too, which needs no artifact"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """One version of a ledger page, that of one run, as it is now.

    Attributes:
        names: the entries on it, each once, in its order.
        rows: as they stand there, by entry.
    """

    id: UUID
    key: str
    rows: Mapping[EntryName, Sequence[Row]]

    @property
    def names(self) -> tuple[EntryName, ...]:
        return tuple(self.rows)


def read_page(text: str) -> LedgerPage:
    """Return the ledger page that a person names by a link to it, its id, or its key, which means the newest version.

    Raises:
        WrongUse: there is none, or it is something else.
        PrefectUnavailable: the API does not answer.
    """
    wanted = reference_of(text)
    found = _artifact(wanted)
    if found is None:
        raise WrongUse(f"There is no artifact {wanted}: it was deleted, or is on another server", _BY_NUMBER)
    if found.type != "table" or not (found.key or "").startswith(LEDGER_PAGE):
        raise WrongUse(
            f"The artifact {found.key or found.id} is no ledger page",
            f"Name one whose key begins with {LEDGER_PAGE}: the log of each run links its own. {_BY_NUMBER}",
        )
    return LedgerPage(id=found.id, key=str(found.key), rows=_rows(found))


def newest_page(run: Run) -> LedgerPage | None:
    """Return the newest page of a run's ledger; None where there is none any more.

    Raises:
        WrongUse: somebody changed it, so that nothing can be read from it.
        PrefectUnavailable: the API does not answer.
    """
    found = _artifact(ledger_key(run))
    return LedgerPage(id=found.id, key=str(found.key), rows=_rows(found)) if found is not None else None


def reference_of(text: str) -> UUID | str:
    """Return the id or key of an artifact, of words that are one, or of a link to its page in any of Prefect's UIs.

    Raises:
        WrongUse: they are neither.
    """
    link = _ADDRESS.search(text)
    kind, word = (link[1], link[2]) if link else ("", text.strip())
    try:
        return word if kind == "key" else UUID(word)
    except ValueError:
        if kind == "" and re.fullmatch(r"[a-z0-9-]+", word):
            return word
    raise WrongUse(
        f"{text[:100]!r} is neither link, id nor key of an artifact",
        f"The link of a page has /artifacts/artifact/… or /artifacts/key/… in it. {_BY_NUMBER}",
    )


def check_page(run: Run, page: LedgerPage) -> tuple[str, ...]:
    """Check a page against the ledger, and return notes of where it says otherwise than that does.

    Raises:
        WrongUse: it is of another pipeline or ledger, or names an entry that the ledger has not.
    """
    if page.key != (key := ledger_key(run)):
        raise WrongUse(
            f"The artifact {page.key} is of another pipeline, or of another ledger of it",
            f"The pages of this one have the key {key}. {_BY_NUMBER}",
        )
    with ThreadPoolExecutor(_READERS) as readers:
        found = dict(zip(page.names, readers.map(run.ledger.find, page.names), strict=True))
    sealed = {name: entry for name, entry in found.items() if isinstance(entry, Sealed)}
    if unknown := [str(name) for name in page.names if name not in sealed]:
        raise WrongUse(
            f"The artifact {page.id} names entry {', '.join(unknown[:3])}, and the ledger has no such window",
            f"Somebody changed the page. {_BY_NUMBER}",
        )
    ledger = {name: [sealed_columns(entry, item) for item in entry.ranges] for name, entry in sealed.items()}
    return notes_on(page.rows, ledger)


def notes_on(page: Mapping[EntryName, Sequence[Row]], ledger: Mapping[EntryName, Sequence[Row]]) -> tuple[str, ...]:
    """Say of each entry where its rows on a page are not what the ledger has. Pure.

    Args:
        ledger: the rows that it has, of each entry that is on the page.
    """
    told = {name: list(_differences(rows, ledger[name])) for name, rows in page.items()}
    wrong = [f"Entry {name}: {'; '.join(found)}" for name, found in told.items() if found]
    if not wrong:
        return ()
    more = [f"So it does of {len(wrong) - _MOST_NOTES:,} more"] if len(wrong) > _MOST_NOTES else []
    return ("The artifact says otherwise than the ledger, which is gone by", *wrong[:_MOST_NOTES], *more)


def _differences(rows: Sequence[Row], ledger: Sequence[Row]) -> Iterator[str]:
    of_place: dict[tuple[str, ...], Row] = {}
    for row in rows:
        of_place.setdefault(_place(row), row)
    strange = len(rows)
    for wanted in ledger:
        place = OffsetRange(Partition(wanted["topic"], wanted["partition"]), wanted["start"], wanted["stop"])
        known = of_place.get(_place(wanted))
        if known is None:
            yield f"{place} is missing"
            continue
        strange -= 1
        columns = dict.fromkeys((*wanted, *_NONE_OF))
        if differ := [name for name in columns if known.get(name, _NONE_OF.get(name)) != wanted.get(name, 0)]:
            yield f"{place} differs in {', '.join(differ)}"
    if strange:
        yield f"{counted(strange, 'row')} on the page that it has not"


def _place(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in _PLACE)


def _artifact(wanted: UUID | str) -> Artifact | None:
    if isinstance(wanted, UUID):
        wanted_ones = ArtifactFilter(id=ArtifactFilterId(any_=[wanted]))
    else:
        wanted_ones = ArtifactFilter(key=ArtifactFilterKey(any_=[wanted]))
    try:
        with get_client(sync_client=True) as client:
            newest = ArtifactSort.CREATED_DESC
            return next(iter(client.read_artifacts(artifact_filter=wanted_ones, sort=newest, limit=1)), None)
    except (HTTPError, PrefectException, RuntimeError) as error:  # RuntimeError is how its client says "not reached"
        raise PrefectUnavailable(
            f"Prefect's API does not tell what the artifact {wanted} is ({type(error).__name__})",
            f"Is PREFECT_API_URL right, and the server up? {_BY_NUMBER}",
        ) from None


def _rows(artifact: Artifact) -> dict[EntryName, list[Row]]:
    found: dict[EntryName, list[Row]] = {}
    data: Any = artifact.data
    try:
        for row in json.loads(data) if isinstance(data, str) else data:
            found.setdefault(name_of(str(row["entry"])), []).append(row)
    except (ValueError, TypeError, LookupError):  # data may be anything
        found = {}
    if not found:
        raise WrongUse(
            f"The artifact {artifact.id} has a row that names no entry, or no row",
            f"Somebody changed the page. {_BY_NUMBER}",
        )
    return found
