"""The rows of an entry once more: from its staged file, or from Kafka with the proof that they are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from sluice.errors import NothingToReplay, ReplayDiffers
from sluice.ledger import masks
from sluice.ledger.entries import LedgerRange, StagedFile
from sluice.offsets import Balance
from sluice.replay.differences import Differences, differences
from sluice.replay.origin import Origin
from sluice.replay.reading import ReadAgain, read_again, still_there
from sluice.replay.request import Request
from sluice.replay.twice import Versions
from sluice.run import Run
from sluice.staging import content_hash

From = Literal["staged", "kafka"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherBalance:
    """Rows that are not the same, where those that were delivered are gone: what became of the offsets then and now."""

    before: Balance
    now: Balance

    @property
    def words(self) -> str:
        return f"the staged file is gone; {self.before.arithmetic()} then, {self.now.arithmetic()} now"

    def as_dict(self) -> dict[str, Any]:
        return {"before": self.before.as_dict(), "now": self.now.as_dict()}


Unlike = Differences | OtherBalance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that go out, in a local file.

    Attributes:
        ranges: where they came from, with what became of each offset.
        content: the hash of the rows before all were given a version.
        unlike: where they are not those that were delivered.
    """

    file: StagedFile
    ranges: tuple[LedgerRange, ...]
    source: From
    content: str
    unlike: Unlike | None = None


def source_of(run: Run, origin: Origin, request: Request) -> From:
    """Return where the rows would come from, after a look whether they are there.

    Raises:
        StagedFileDamaged: the staged file is gone.
        SluiceError: Kafka has not all of it any more, where it would be read.
    """
    if request.source == "staged":
        run.staging.check_there(_staged(origin))
    elif request.source == "kafka" or not _is_staged(run, origin):
        still_there(run, origin)
        return "kafka"
    return "staged"


def rows_of(run: Run, origin: Origin, request: Request) -> Rows:
    """Bring the rows of an entry into a local file, with the version that was asked for.

    Raises:
        StagedFileDamaged: the staged file is gone, or differs from the entry.
        ReplayDiffers: Kafka gives other rows, and that was not asked for.
        SluiceError: Kafka has not all of it any more.
    """
    if source_of(run, origin, request) == "staged":
        staged = _staged(origin)
        run.staging.local_copy(staged)
        is_whole = request.version is None and origin.entry.unsent is None
        file = staged if is_whole else _versioned(run, _sent(origin, _frame(run, staged)), request.version)
        return Rows(file=file, ranges=origin.entry.ranges, source="staged", content=staged.content or "")
    made = read_again(run, origin)
    content = content_hash(made.frame)
    unlike = _unlike(run, origin, made) if content != _staged(origin).content else None
    if unlike is not None and not request.take_differences:
        raise ReplayDiffers(
            f"Kafka gives other rows for entry {origin.name} than were delivered: {unlike.words}",
            "Take the staged file, or these rows with take-differences",
        )
    if unlike is not None and origin.entry.unsent is not None:
        raise ReplayDiffers(
            f"Kafka gives other rows for entry {origin.name} than were staged ({unlike.words}), and not all of those "
            "were sent: of these rows nobody knows which say what was said before",
            "Take the staged file",
        )
    if not made.frame.height:
        raise NothingToReplay(f"Kafka gives no row for entry {origin.name} any more", "Take the staged file")
    file = _versioned(run, made.frame if unlike else _sent(origin, made.frame), request.version)
    ranges = made.ranges if unlike else origin.entry.ranges
    return Rows(file=file, ranges=ranges, source="kafka", content=content, unlike=unlike)


def versions_of(run: Run, origin: Origin) -> Versions | None:
    """Count the rows of an entry by version; None where nobody can tell any more."""
    parts = origin.entry.parts
    if all(part.version is not None for part in parts):
        return {part.version: part.rows for part in parts}
    if not _is_staged(run, origin):
        return None
    frame = pl.read_parquet(run.staging.local_copy(_staged(origin)), columns=["version"])
    run.staging.discard(_staged(origin))
    return dict(frame.group_by("version").len().iter_rows())


def _unlike(run: Run, origin: Origin, made: ReadAgain) -> Unlike:
    if _is_staged(run, origin):
        return differences(_frame(run, _staged(origin)), made.frame)
    return OtherBalance(before=origin.maker.balance, now=made.balance)


def _versioned(run: Run, frame: pl.DataFrame, version: str | None) -> StagedFile:
    return run.staging.keep(frame if version is None else frame.with_columns(version=pl.lit(version)))


def _sent(origin: Origin, staged: pl.DataFrame) -> pl.DataFrame:
    """Of the rows that were staged, those that were sent."""
    unsent = origin.entry.unsent
    return staged if unsent is None else staged.filter(pl.Series(~masks.decode(unsent, staged.height)))


def _frame(run: Run, staged: StagedFile) -> pl.DataFrame:
    """Read a staged file, and let go of the local copy: its rows are in memory."""
    frame = pl.read_parquet(run.staging.local_copy(staged))
    run.staging.discard(staged)
    return frame


def _is_staged(run: Run, origin: Origin) -> bool:
    return run.staging.is_there(_staged(origin))


def _staged(origin: Origin) -> StagedFile:
    if origin.entry.staged is None:
        raise NothingToReplay(f"Entry {origin.name} has no row", "Name another")
    return origin.entry.staged
