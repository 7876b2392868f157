"""Read a bucket by real S3 calls, with Arize's own credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from deployments.local.arize.imports.settings import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE = 1 << 20
_GONE = {"NoSuchKey", "404"}


class BucketUnreadable(Exception):
    """The store did not answer, or does not let Arize in."""


class ObjectGone(Exception):
    """An object that was listed is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object in a listing; modified_s is in seconds since the epoch, on the store's clock."""

    key: str
    bytes: int
    modified_s: float


class Buckets:
    """All buckets of one store. It may start later than this does."""

    def __init__(self, store: ObjectStore) -> None:
        import boto3  # here, because the SDK's side starts faster without it
        from botocore.config import Config

        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=store.endpoint,
            region_name=store.region,
            aws_access_key_id=store.access_key,
            aws_secret_access_key=store.secret_key,
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, connect_timeout=2, read_timeout=20
            ),
        )

    def listing(self, bucket: str, prefix: str) -> Iterator[Listed]:
        """List everything under a prefix, in the order of the keys; names that end in a slash are no files.

        Raises: BucketUnreadable.
        """
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):
                        modified_s = found["LastModified"].timestamp()
                        yield Listed(key=found["Key"], bytes=found["Size"], modified_s=modified_s)
        except (ClientError, BotoCoreError) as exc:
            raise BucketUnreadable(f"cannot list s3://{bucket}/{prefix}: {exc}") from exc

    def fetch(self, bucket: str, key: str, to: Path) -> None:
        """Copy an object into a file, piece by piece.

        Raises: ObjectGone, BucketUnreadable.
        """
        try:
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            with to.open("wb") as file:
                for piece in body.iter_chunks(_PIECE):
                    file.write(piece)
        except ClientError as exc:
            if exc.response["Error"]["Code"] in _GONE:
                raise ObjectGone(key) from exc
            raise BucketUnreadable(f"cannot read s3://{bucket}/{key}: {exc}") from exc
        except BotoCoreError as exc:
            raise BucketUnreadable(f"cannot read s3://{bucket}/{key}: {exc}") from exc
