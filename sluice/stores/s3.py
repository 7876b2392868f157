"""A store in a bucket of any S3-compatible server with conditional writes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import botocore.exceptions as aws

from sluice.store import Stat, sha256_of, standing
from sluice.stores.s3_errors import code_of, translated
from sluice.stores.s3_files import IN_PARTS_ABOVE, Place, base64_of, checksum_of, upload_in_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAKEN = {"PreconditionFailed", "412"}
_CONFLICT = {"ConditionalRequestConflict", "409"}
_ABSENT = {"NoSuchKey", "404", "NotFound"}
_ATTEMPTS = 5


class _Encryption(TypedDict, total=False):
    ServerSideEncryption: Literal["aws:kms"]
    SSEKMSKeyId: str


class S3Store:
    """Objects under `s3://bucket/prefix/`.

    Args:
        kms_key: the KMS key, id or ARN, with which S3 encrypts what is written; None: as the bucket does by default.
    """

    # Last-Modified and Date count whole seconds.
    clock_error_s = 2.0

    def __init__(self, bucket: str, prefix: str, client: S3Client, *, kms_key: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = client
        self._encryption: _Encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def __repr__(self) -> str:
        return f"S3Store({f's3://{self._bucket}/{self._prefix}'!r})"

    def put_once(self, key: str, data: bytes) -> bytes:
        return standing(self, key, data, is_ours=self._put(key, data, hashlib.sha256(data).digest()))

    def put_file_once(self, key: str, file: Path, sha256: str) -> None:
        if file.stat().st_size > IN_PARTS_ABOVE:
            place = Place(self._bucket, self._prefix + key, self._encryption)
            self._once(key, lambda: upload_in_parts(self._client, place, file))
            return
        with file.open("rb") as body:
            self._put(key, body, bytes.fromhex(sha256))

    def has_file(self, key: str, file: Path, sha256: str) -> bool:
        with translated(key):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED")
            except aws.ClientError as error:
                if code_of(error) in _ABSENT:
                    return False
                raise
        if found["ContentLength"] != file.stat().st_size:
            return False
        checksum = found.get("ChecksumSHA256")
        if checksum is None:  # the server keeps none, or somebody else wrote the object
            return self._is_alike(key, sha256)
        wanted = checksum_of(file, sha256)
        # moto leaves out how many parts there were.
        return checksum == wanted or ("-" not in checksum and checksum == wanted.partition("-")[0])

    def read(self, key: str) -> bytes | None:
        body = self._get(key)
        with translated(key):
            return None if body is None else bytes(body.read())

    def stat(self, key: str) -> Stat | None:
        with translated(key):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except aws.ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise
        return Stat(size=found["ContentLength"], modified_s=found["LastModified"].timestamp())

    def fetch(self, key: str, file: Path) -> bool:
        body = self._get(key)
        if body is None:
            return False
        with translated(key), file.open("wb") as target:
            for chunk in body.iter_chunks(1 << 20):
                target.write(chunk)
        return True

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, StartAfter=self._prefix + after if after else ""
        )
        with translated(prefix):
            for page in pages:
                yield from (item["Key"].removeprefix(self._prefix) for item in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        with translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def now_s(self) -> float:
        with translated(self._bucket):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + "probe/", MaxKeys=1)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()

    def _put(self, key: str, body: Any, digest: bytes) -> bool:
        """Write if there is nothing. False says little: our own request may have been repeated and met its first."""

        def put() -> None:
            if hasattr(body, "seek"):
                body.seek(0)
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64_of(digest),
                **self._encryption,
            )

        return self._once(key, put)

    def _once(self, key: str, write: Callable[[], None]) -> bool:
        for attempt in range(_ATTEMPTS):
            with translated(key):
                try:
                    write()
                    return True
                except aws.ClientError as error:
                    if code_of(error) in _TAKEN:
                        return False
                    # 409: somebody else is writing the key at this very moment; it says "upload again". An upload that
                    # is gone was completed by our own request before, whose answer was lost: the next try is told so.
                    if code_of(error) not in {*_CONFLICT, "NoSuchUpload"} or attempt + 1 == _ATTEMPTS:
                        raise
        return False

    def _is_alike(self, key: str, sha256: str) -> bool:
        with tempfile.NamedTemporaryFile(prefix="sluice-") as copy:
            return self.fetch(key, Path(copy.name)) and sha256_of(Path(copy.name)) == sha256

    def _get(self, key: str) -> Any:
        with translated(key):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"]
            except aws.ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise
