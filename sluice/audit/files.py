"""Whether the files that an entry names are in the store, and are what it says of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sluice.audit.derived import SAME_ROWS
from sluice.audit.findings import Finding
from sluice.audit.reading import read
from sluice.audit.rows import only_range
from sluice.clock import epoch_s_of
from sluice.errors import StagedFileDamaged, WrongPipelineFile
from sluice.ledger.entries import Derived, Sealed, StagedFile
from sluice.ledger.names import EntryName
from sluice.pipeline import Keep, parse_pipeline
from sluice.run import Run

if TYPE_CHECKING:
    import polars as pl

_DAY_S: Final = 86_400.0  # a file is older than its entry: by the time of the read, or of an earlier one that was cut
_FROM_BACKUP: Final = "Find out who deletes or writes there, and bring the file back from a backup or a version"
Files = Mapping[str, StagedFile]


class FileCheck:
    """Looks at files.

    Args:
        deep: reads each one: its sha256, and its rows by partition and offset. Otherwise only that it is there, and its
            size.
    """

    def __init__(self, run: Run, *, deep: bool) -> None:
        self._run = run
        self._deep = deep
        self._now_s = run.store.now_s()
        self._keeps: dict[str, Keep | None] = {}
        self._one_at_a_time = threading.Lock()  # a file may be a gigabyte

    def of(self, name: EntryName, entry: Sealed, *, is_wanted: bool) -> Iterator[Finding]:
        """Check each file of an entry.

        Args:
            is_wanted: it waits for delivery, or for a person: none of its files may be let go of, however old.
        """
        for kind, file in files_of(entry).items():
            stored = self._run.store.stat(file.key)
            if stored is None:
                if is_wanted or not self._may_be_gone(kind, entry):
                    yield _found(name, entry, f"its {kind} file {file.key} is gone from the store")
            elif stored.size != file.bytes:
                yield _found(name, entry, f"its {kind} file {file.key} has {stored.size:,} bytes, not {file.bytes:,}")
            elif self._deep:
                yield from self._read(name, entry, kind, file)

    def _may_be_gone(self, kind: str, entry: Sealed) -> bool:
        """Whether a sweep may have let go of it: by what the pipeline file says now, or said when it was sealed."""
        maker = self._maker(entry)
        age_s = self._now_s - epoch_s_of(maker.written_at)
        keeps = (self._run.pipeline.keep, self._keep_of_then(maker))
        lifetimes = (keep.staged if kind == "staged" else keep.rejected for keep in keeps if keep is not None)
        return any(lifetime is not None and age_s > lifetime - _DAY_S for lifetime in lifetimes)

    def _maker(self, entry: Sealed) -> Sealed:
        """Return the entry that made the file: one that takes out what was held, or refused, makes none."""
        while isinstance(entry, Derived) and entry.purpose in SAME_ROWS:
            origin = read(self._run, entry.origin_name).entry
            if not isinstance(origin, Sealed):
                break
            entry = origin
        return entry

    def _keep_of_then(self, maker: Sealed) -> Keep | None:
        sha256 = maker.pipeline_sha256
        if sha256 not in self._keeps:
            text = self._run.store.read(self._run.ledger.keys.pipeline_file(sha256))
            self._keeps[sha256] = None
            if text is not None:
                with suppress(WrongPipelineFile):  # of an older Sluice, which took other keys
                    self._keeps[sha256] = parse_pipeline(text, sha256, maker.destination.aim).keep
        return self._keeps[sha256]

    def _read(self, name: EntryName, entry: Sealed, kind: str, file: StagedFile) -> Iterator[Finding]:
        # Here and not above: only this reads files.
        from sluice.audit.contents import check_contents, check_unsent

        try:
            frame = self._places(file)
        except StagedFileDamaged as damage:
            yield _found(name, entry, damage.what)
            return
        for what in check_contents(entry, kind, file, frame):
            yield _found(name, entry, what)
        if kind != "staged" or entry.unsent is None or (isinstance(entry, Derived) and entry.purpose in SAME_ROWS):
            return
        with suppress(StagedFileDamaged):  # that is told of the rejected file itself
            rejected = self._places(entry.rejected) if entry.rejected is not None else frame.clear()
            for what in check_unsent(entry, frame, rejected):
                yield _found(name, entry, what)

    def _places(self, file: StagedFile) -> pl.DataFrame:
        """Return topic, partition and offset of a file's rows."""
        import polars as pl

        with self._one_at_a_time:
            frame = pl.read_parquet(self._run.staging.local_copy(file), columns=["topic", "partition", "offset"])
            self._run.staging.discard(file)
        return frame


def files_of(entry: Sealed) -> Files:
    """The files that an entry names, by kind."""
    named = {"staged": entry.staged, "rejected": entry.rejected, "raw": entry.raw}
    return {kind: file for kind, file in named.items() if file is not None}


def _found(name: EntryName, entry: Sealed, what: str) -> Finding:
    at = only_range(entry)
    return Finding(severity="error", check="file", what=what, entry=name, range=at, next_step=_FROM_BACKUP)
