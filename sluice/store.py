"""What a store must be able to do, whatever it is made of."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sluice.errors import StoreIgnoresConditions, StoreUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """An object's size in bytes, and when it was written, in epoch seconds of the store's own clock."""

    size: int
    modified_s: float


class Store(Protocol):
    """Objects under keys; an object is written once and never changed.

    Every method raises StoreUnavailable, StoreRefused or BucketMissing where the store does not answer or let us in.
    """

    def put_once(self, key: str, data: bytes) -> bytes:
        """Write an object if there is none, and return what stands at the key now.

        It is ours exactly if it equals `data`, so `data` holds a random id wherever two writers must be told apart. A
        plain "already there" would not do: clients repeat their own requests, and meet their own first one.
        """

    def put_file_once(self, key: str, file: Path, sha256: str) -> None:
        """Upload a file under a key that is a function of its content; one that is there already is left alone."""

    def has_file(self, key: str, file: Path, sha256: str) -> bool:
        """Whether what stands at the key is this file, by size and checksum; False where there is nothing."""

    def read(self, key: str) -> bytes | None:
        """Return an object whole, or None where there is none."""

    def stat(self, key: str) -> Stat | None: ...

    def fetch(self, key: str, file: Path) -> bool:
        """Download an object into a file; False where there is none."""

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """List the keys that begin with `prefix` and sort behind `after`, in order.

        Where a folder's name begins another's, as `12/` and `12-3/` do, servers differ in which of them comes first; so
        `after` is a key, or a folder with its slash.
        """

    def delete(self, key: str) -> None: ...

    def now_s(self) -> float:
        """The store's own clock in epoch seconds, so that no two machines' clocks need to agree."""

    @property
    def clock_error_s(self) -> float:
        """How far two readings of the store's clock may be off: the grain of its time stamps and the way to it."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def standing(store: Store, key: str, data: bytes, *, is_ours: bool) -> bytes:
    """Return what stands at a key after a conditional write that succeeded (`is_ours`), or met an object there.

    Raises:
        StoreUnavailable: the object was there and is gone.
    """
    found = data if is_ours else store.read(key)
    if found is None:
        raise StoreUnavailable(f"{key} was there and is gone", "See whether somebody deletes from the store")
    return found


def probe(store: Store, key: str = "probe/conditional-write") -> None:
    """Try out that the store refuses to overwrite, before anything rests on it.

    Raises:
        StoreIgnoresConditions: it overwrote.
    """
    first = store.put_once(key, uuid.uuid4().hex.encode())
    another = uuid.uuid4().hex.encode()
    if store.put_once(key, another) == another or store.read(key) != first:
        raise StoreIgnoresConditions(
            f"The store overwrote {key}, although the write was conditional",
            "Use a store that honours If-None-Match: * (Amazon S3, SeaweedFS, MinIO), or a local directory",
        )
