"""From `SLUICE_STORE` to a store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from sluice.errors import WrongSettings
from sluice.store import Store
from sluice.stores.directory import DirectoryStore


def open_store(address: str) -> Store:
    """Open `s3://bucket/prefix`, `file:///path`, or a directory.

    Raises:
        WrongSettings: the address is neither.
        BucketMissing: the directory's parent does not exist.
    """
    parts = urlsplit(address)
    if parts.scheme == "s3" and parts.netloc:
        # Imported here: boto3 costs a third of a second, and a directory needs none of it.
        from sluice.stores.s3 import S3Store

        return S3Store(parts.netloc, unquote(parts.path))
    if parts.scheme == "file":
        return DirectoryStore(Path(unquote(parts.path)))
    if parts.scheme or not address:
        raise WrongSettings(f"SLUICE_STORE is {address!r}", "Allowed: s3://bucket/prefix, or a directory")
    return DirectoryStore(Path(address).expanduser().absolute())
