"""What Arize says of the files of an import job. Asking costs what is pending, not the history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.destinations.arize_words import without_values
from sluice.destinations.imports.graphql import Graphql, NotFound, next_page
from sluice.importing.jobs import FileStatus, SettledStatus, Status

_PAGE: Final = 50
# The rare ones first: whoever is found there need not be looked for among all that were taken.
_SETTLED: Final[tuple[SettledStatus, ...]] = ("failed", "canceled", "skipped", "complete")
_COUNTED: Final[tuple[Status, ...]] = ("complete", "failed")  # Arize counts no others
_LOOKS_BETWEEN_SCANS: Final = 10


class ImportFiles:
    """The files of one job.

    Args:
        columns: names that may be told where Arize says why a file was refused.
        last: of the newest file that an earlier run saw settled: the look begins where it was; None: at the first one.
    """

    def __init__(
        self, graphql: Graphql, job: str, columns: Collection[str] = (), last: FileStatus | None = None
    ) -> None:
        self._columns = columns
        self._listings = {
            status: _Listing(graphql, job, status, last if status == "complete" else None) for status in _SETTLED
        }
        self._accounted = last.counted if last else None
        self._looks_since_scan = _LOOKS_BETWEEN_SCANS

    def settled(self, keys: Collection[str], counts: Mapping[Status, int]) -> dict[str, FileStatus]:
        """What became of some files, by key in the bucket; those that are pending, or not seen yet, are left out.

        Args:
            counts: of the job's files, read just before.
        """
        self._looks_since_scan += 1
        found = self._look(set(keys))
        counted = sum(counts.get(status, 0) for status in _COUNTED)
        mine = sum(file.status in _COUNTED for file in found.values())
        if self._accounted is None:
            self._accounted = counted  # nothing was passed over
        elif counted > self._accounted + mine and len(found) < len(keys) and self._may_scan:
            # Arize counts files that are listed neither at the front nor at the end, or that other runs ask for.
            self._looks_since_scan = 0
            for listing in self._listings.values():
                listing.scan()
            found = self._look(set(keys))
            self._accounted = counted
        else:
            self._accounted += mine
        return {key: replace(file, counted=self._accounted) for key, file in found.items()}

    @property
    def _may_scan(self) -> bool:
        """Whether all pages may be read: not at each look, where other runs are at work on the same job."""
        return self._looks_since_scan >= _LOOKS_BETWEEN_SCANS

    def _look(self, keys: Collection[str]) -> dict[str, FileStatus]:
        wanted, found = set(keys), dict[str, FileStatus]()
        for status, listing in self._listings.items():
            if wanted:
                listing.look_for(wanted)
                found |= self._found(status, listing, wanted)
                wanted -= found.keys()
        return found

    def _found(self, status: SettledStatus, listing: _Listing, wanted: Collection[str]) -> dict[str, FileStatus]:
        return {
            key: FileStatus(status=status, reason=without_values(file.message, self._columns), page=file.page)
            for key, file in listing.known.items()
            if key in wanted
        }


@dataclass(frozen=True, slots=True)
class _File:
    message: str
    page: str | None


class _Listing:
    """The files of one status. In what order Arize lists them is not documented, so none is relied upon."""

    def __init__(self, graphql: Graphql, job: str, status: SettledStatus, last: FileStatus | None) -> None:
        self.known: dict[str, _File] = {}
        self._graphql = graphql
        self._job = job
        self._status = status
        self._is_begun = last is not None
        self._end = last.page if last else None
        # The newest file stood on the first of many pages: new ones come at the front, and the end is long past.
        self._has_end = last is None or last.page is not None or last.counted <= _PAGE

    def look_for(self, wanted: Collection[str]) -> None:
        """Read where new files are: at the front if the newest come first, and at the end if they come last."""
        if self._is_begun:
            self._read_front(wanted)
        if self._has_end:
            self._read_on(self._end, wanted)
        self._is_begun = True

    def scan(self) -> None:
        self._read_on(None, None)
        self._has_end = True

    def _read_front(self, wanted: Collection[str]) -> None:
        """Read the first page, and on to one that is known."""
        page, reaches_known = None, bool(self.known)
        while not self._knows(wanted):
            page, is_new = self._read(page)
            if page is None or not (is_new and reaches_known):
                return

    def _read_on(self, page: str | None, wanted: Collection[str] | None) -> None:
        """Read from a page to the last one, or until what is wanted is found; None: to the last."""
        following = page
        while wanted is None or not self._knows(wanted):
            page = following
            following, _ = self._read(page)
            self._end = page
            if following is None:
                return

    def _read(self, page: str | None) -> tuple[str | None, bool]:
        """Read the page behind a cursor; return that of the next one, and whether a file of it was not known."""
        try:
            answer = self._graphql.query("files", job=self._job, status=self._status.upper(), after=page)
        except NotFound:  # the job was deleted a moment ago
            answer = {"node": None}
        listed: dict[str, Any] = (answer["node"] or {}).get("files") or {}
        files = [edge["node"] for edge in listed.get("edges", ())]
        is_new = any(file["filePath"] not in self.known for file in files)
        for file in files:
            message = str((file.get("error") or {}).get("message") or "")
            self.known[file["filePath"]] = _File(message, page)
        return next_page(listed), is_new

    def _knows(self, wanted: Collection[str]) -> bool:
        return all(key in self.known for key in wanted)
