"""A store in a directory of a file system that can link exclusively."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.errors import BucketMissing, StoreRefused, StoreUnavailable
from sluice.store import Stat, sha256_of, standing

_UNFINISHED = ".unfinished"


class DirectoryStore:
    """Objects as files: written beside, then linked to their name, which fails if the name is taken."""

    clock_error_s = 1.0

    def __init__(self, root: Path) -> None:
        if not root.parent.is_dir():
            raise BucketMissing(f"The store's parent directory {root.parent} does not exist", "Create it")
        self._root = root
        with _translated(root):
            (root / _UNFINISHED).mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"DirectoryStore({str(self._root)!r})"

    def put_once(self, key: str, data: bytes) -> bytes:
        is_ours = self._link(key, lambda unfinished: unfinished.write_bytes(data))
        return standing(self, key, data, is_ours=is_ours)

    def put_file_once(self, key: str, file: Path, sha256: str) -> None:
        self._link(key, lambda unfinished: shutil.copyfile(file, unfinished))

    def has_file(self, key: str, file: Path, sha256: str) -> bool:
        with _translated(key):
            try:
                return sha256_of(self._root / key) == sha256
            except FileNotFoundError:
                return False

    def read(self, key: str) -> bytes | None:
        with _translated(key):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None

    def stat(self, key: str) -> Stat | None:
        with _translated(key):
            try:
                found = (self._root / key).stat()
            except FileNotFoundError:
                return None
        return Stat(size=found.st_size, modified_s=found.st_mtime)

    def fetch(self, key: str, file: Path) -> bool:
        with _translated(key):
            try:
                shutil.copyfile(self._root / key, file)
            except FileNotFoundError:
                return False
        return True

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        folder, slash, _ = prefix.rpartition("/")
        with _translated(prefix):
            yield from self._walk(folder + slash, prefix, after)

    def delete(self, key: str) -> None:
        with _translated(key):
            (self._root / key).unlink(missing_ok=True)

    def now_s(self) -> float:
        """The file system's clock, read from a new file: a network file system's is the server's."""
        with _translated(_UNFINISHED):
            sample = self._root / _UNFINISHED / uuid.uuid4().hex
            sample.touch()
            now = sample.stat().st_mtime
            sample.unlink()
        return now

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[str]:
        """Walk the keys of a folder in order; what lies before `after` is passed over a folder at a time."""
        try:
            found = sorted((folder + item.name + "/" * item.is_dir()) for item in os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        for key in found:
            if key.endswith("/"):
                is_wanted = key.startswith(prefix) or prefix.startswith(key)
                if is_wanted and (key > after or after.startswith(key)) and key != f"{_UNFINISHED}/":
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after:
                yield key

    def _link(self, key: str, write: Callable[[Path], object]) -> bool:
        target = self._root / key
        unfinished = self._root / _UNFINISHED / uuid.uuid4().hex
        with _translated(key):
            _make(target.parent)
            try:
                write(unfinished)
                _flush(unfinished)
                os.link(unfinished, target)
                _flush(target.parent)
            except FileExistsError:
                return False
            finally:
                unfinished.unlink(missing_ok=True)
        return True


def _make(folder: Path) -> None:
    """Make a folder and those above it; the name of each is on the disk before anything in it is acknowledged."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush(folder.parent)


def _flush(path: Path) -> None:
    """Force a file, or a directory's names, to the disk: what was acknowledged must outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(where: object) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise StoreRefused(f"The store's directory refuses {where}: {error.strerror}", "Fix its permissions") from error
    except OSError as error:
        raise StoreUnavailable(f"The store's directory fails at {where}: {error.strerror}") from error
