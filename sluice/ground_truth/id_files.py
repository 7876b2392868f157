"""The ids of staged rows in the store: a small file beside each staged one, that outlives it.

Whoever needs one first makes it from the staged file and puts it, once; its name says of which file and in which format
it is, so that later runs take it as it is. It is still there when `keep` has let go of the staged file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from io import BytesIO
from typing import Final

import polars as pl

from sluice.errors import StagedFileDamaged
from sluice.ground_truth import ids
from sluice.ledger.entries import StagedFile
from sluice.ledger.keys import Keys
from sluice.staging import Staging
from sluice.steps import step
from sluice.store import Store

OF_PREDICTIONS: Final = f"predictions-{ids.FORMAT}"
OF_ACTUALS: Final = f"actuals-{ids.FORMAT}"
_MADE_OF: Final = "sluice.ids"
_DELETE: Final = "Delete it: as long as the staged file is there, the next run makes it anew"


class IdFiles:
    """The id files of one pipeline; several threads may share it.

    All methods return None where neither the ids nor the staged file are there any more: then nobody knows them.
    """

    def __init__(self, store: Store, keys: Keys, staging: Staging) -> None:
        self._store = store
        self._keys = keys
        self._staging = staging

    def predictions(self, staged: StagedFile, columns: Sequence[str] | None = None) -> pl.DataFrame | None:
        """Return the ids of a staged file of predictions; see `ids.prediction_ids`.

        Args:
            columns: the only ones that are wanted.

        Raises:
            StagedFileDamaged: the file in the store is not what its name says.
        """
        return self._ids(staged, OF_PREDICTIONS, columns, ids.prediction_ids)

    def actuals(
        self, staged: StagedFile, besides: Collection[str] = (), columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """Return the ids of a staged file of actuals, and what the rows say; see `ids.actual_ids`.

        Args:
            besides: columns that tell where or when the record was; see `ids.own_columns`.
        """
        form = OF_ACTUALS + (f"-{_short_hash(besides)}" if besides else "")
        return self._ids(staged, form, columns, lambda frame: ids.actual_ids(frame, besides))

    def _ids(
        self,
        staged: StagedFile,
        form: str,
        columns: Sequence[str] | None,
        make: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> pl.DataFrame | None:
        key = self._keys.ids(staged.key, form)
        made_of = f"{form} {staged.sha256}"
        stored = self._store.read(key)
        if stored is not None:
            return _read(key, stored, staged, made_of, columns)
        frame = self._staged(staged)
        if frame is None:
            return None
        made = make(frame)
        self._store.put_once(key, as_file(made, made_of))
        step("ids.made", key=key, rows=made.height)
        return made if columns is None else made.select(columns)

    def _staged(self, staged: StagedFile) -> pl.DataFrame | None:
        try:
            return self._staging.frame(staged)
        except StagedFileDamaged:
            if self._staging.is_there(staged):
                raise
            return None


def as_file(made: pl.DataFrame, made_of: str) -> bytes:
    """Return the bytes of an id file. made_of: its form, and the sha256 of the staged file."""
    file = BytesIO()
    made.write_parquet(file, compression="zstd", compression_level=1, metadata={_MADE_OF: made_of})
    return file.getvalue()


def _read(key: str, stored: bytes, staged: StagedFile, made_of: str, columns: Sequence[str] | None) -> pl.DataFrame:
    try:
        found = pl.read_parquet_metadata(BytesIO(stored)).get(_MADE_OF)
        frame = pl.read_parquet(BytesIO(stored), columns=None if columns is None else list(columns))
    except pl.exceptions.PolarsError as error:
        raise StagedFileDamaged(f"{key} cannot be read", _DELETE) from error
    if (found, frame.height) != (made_of, staged.rows):
        raise StagedFileDamaged(f"{key} does not hold the ids of {staged.key}", _DELETE)
    return frame


def _short_hash(names: Collection[str]) -> str:
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:8]
