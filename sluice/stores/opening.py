"""From the address of a store to the store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from sluice.errors import WrongSettings
from sluice.settings import StoreConnection
from sluice.store import Store
from sluice.stores.directory import DirectoryStore


def open_store(connection: StoreConnection) -> Store:
    """Open the store of a connection.

    Raises:
        WrongSettings: the address is neither.
        BucketMissing: the directory's parent does not exist.
    """
    parts = urlsplit(connection.url)
    if parts.scheme == "s3" and parts.netloc:
        # Imported here: boto3 costs a third of a second, and a directory needs none of it.
        from sluice.stores.s3 import S3Store
        from sluice.stores.s3_client import made_client

        return S3Store(parts.netloc, unquote(parts.path), made_client(connection), kms_key=connection.kms_key)
    if parts.scheme == "file":
        return DirectoryStore(Path(unquote(parts.path)))
    if parts.scheme or not connection.url:
        raise WrongSettings(f"the store is {connection.url!r}", "Allowed: s3://bucket/prefix, or a directory")
    return DirectoryStore(Path(connection.url).expanduser().absolute())
