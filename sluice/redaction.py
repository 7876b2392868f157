"""What is not kept of an event: fields that are dropped, and fields of which only a keyed hash is kept.

Staged columns hold nothing of a dropped field, for none may be mapped. What else is kept are raw records, rejected or
held: there the fields are replaced where they stand, and every other byte stays as it was. A value in which nobody can
find the fields, for it is no JSON object, is not kept at all.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import polars as pl

from sluice.decoding.columnar import SPACE
from sluice.decoding.strict import is_deep
from sluice.pipeline import Column, FromRecord, FromValue, Pipeline
from sluice.records import Headers, Record, Rejected

Path = tuple[str, ...]
HASHED: Final = "hmac:"
WITHHELD: Final = b""  # no JSON, so that it is rejected again if it is taken again; a tombstone would be no record
_IS_HASHED: Final = re.compile(rf"{HASHED}[0-9a-f]{{64}}".encode())
_TOKEN: Final = re.compile(
    rb'[ \t\r\n]*+(?:(?P<bracket>[{}\[\],:])|(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<other>[^ \t\r\n{}\[\],:"]++))',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What a pipeline drops and hashes.

    Attributes:
        keeps_raw: whether rejected records are kept at all, or only where they were and why.
        key: of the hash; never shown.
    """

    drop: tuple[FromValue | FromRecord, ...]
    hash: tuple[FromValue | FromRecord, ...]
    keeps_raw: bool
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, pipeline: Pipeline, key: str) -> Redaction:
        keeps_raw = pipeline.rejected.keep == "raw"
        return cls(drop=pipeline.drop, hash=pipeline.hash, keeps_raw=keeps_raw, key=key.encode())

    def rows(self, frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
        """Return staged rows with the columns hashed that come from a hashed field."""
        ours = [column.name for column in columns if column.origin in self.hash]
        return frame.with_columns(self._hashed_column(frame[name]) for name in ours)

    def rejected(self, rejected: Sequence[Rejected]) -> list[Rejected]:
        """Return what is kept of rejected records."""
        if self.keeps_raw:
            return [replace(item, record=self.record(item.record)) for item in rejected]
        return [replace(item, record=replace(item.record, key=None, value=None, headers=())) for item in rejected]

    def record(self, record: Record) -> Record:
        """Return what is kept of a raw record."""
        if not self.drop and not self.hash:
            return record
        key = record.key
        if FromRecord("key") in self.drop:
            key = None
        elif FromRecord("key") in self.hash:
            key = self._hashed(key)
        return replace(record, key=key, headers=self._headers(record.headers), value=self._value(record.value))

    def _headers(self, headers: Headers) -> Headers:
        return tuple(
            (name, self._hashed(value) if FromRecord("header", name) in self.hash else value)
            for name, value in headers
            if FromRecord("header", name) not in self.drop
        )

    def _value(self, value: bytes | None) -> bytes | None:
        drop, hash_ = _paths(self.drop), _paths(self.hash)
        if value is None or not (drop or hash_):
            return value
        if not _is_object(value):
            return WITHHELD
        kept, at = [], 0
        for path, start, stop in _places(value, drop | hash_):
            kept += [value[at:start], b"null" if path in drop else self._hashed_json(value[start:stop])]
            at = stop
        return b"".join([*kept, value[at:]])

    def _hashed_json(self, found: bytes) -> bytes:
        if not found.startswith(b'"'):
            return b"null"  # only a text is hashed: nothing else could have been staged
        text: str = json.loads(found)
        return json.dumps((self._hashed(text.encode(errors="surrogatepass")) or b"").decode()).encode()

    def _hashed_column(self, column: pl.Series) -> pl.Series:
        hashed = [None if text is None else (self._hashed(text.encode()) or b"").decode() for text in column]
        return pl.Series(column.name, hashed, pl.String)

    def _hashed(self, value: bytes | None) -> bytes | None:
        """Hash a value, unless that was done: what was kept raw may be taken again."""
        if value is None or _IS_HASHED.fullmatch(value):
            return value
        return HASHED.encode() + hmac.digest(self.key, value, "sha256").hex().encode()


@cache
def _paths(origins: tuple[FromValue | FromRecord, ...]) -> frozenset[Path]:
    return frozenset(origin.path for origin in origins if isinstance(origin, FromValue))


def _is_object(value: bytes) -> bool:
    try:
        return not is_deep(value) and isinstance(json.loads(value.decode(), parse_int=str), dict)
    except (ValueError, RecursionError):
        return False


def _places(value: bytes, wanted: Collection[Path]) -> Iterator[tuple[Path, int, int]]:
    """Yield path, start and end of each wanted field of a JSON object, in order.

    A path leads through lists as if they were not there: a field of each of their objects has the same path.
    """
    above: list[tuple[bool, Path]] = []  # each bracket that is open: whether it is an object, and its path
    key, is_key, inside = "", False, -1
    start = 0
    path: Path = ()
    end = len(
        value.rstrip(SPACE)
    )  # no token ends the white space there: looking for one takes the square of its length
    for token in _TOKEN.finditer(value, 0, end):
        bracket = token["bracket"]
        if bracket in (b"}", b"]"):
            above.pop()
            if len(above) == inside:
                yield path, start, token.end()
                inside = -1
        elif bracket == b",":
            is_key = above[-1][0]
        elif bracket == b":":
            is_key = False
        elif is_key:
            key = json.loads(token["string"])
        else:
            at = _below(above, key)
            is_found = inside < 0 and at in wanted
            if bracket:
                if is_found:
                    path, start, inside = at, token.start("bracket"), len(above)
                above.append((bracket == b"{", at))
                is_key = bracket == b"{"
            elif is_found:
                yield at, token.start(token.lastgroup or ""), token.end()


def _below(above: Sequence[tuple[bool, Path]], key: str) -> Path:
    if not above:
        return ()
    is_object, path = above[-1]
    return (*path, key) if is_object else path
