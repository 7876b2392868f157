"""Files in S3: uploaded whole or in parts, and compared with what S3 says that it holds."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.exceptions as aws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN_PARTS_ABOVE: Final = 64 * 2**20
PART: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """A key in a bucket, with what every write there says of encryption."""

    bucket: str
    key: str
    encryption: Any


def upload_in_parts(client: S3Client, place: Place, file: Path) -> None:
    """Upload a file part by part; it appears whole, and only if nothing is there.

    Nothing of it is left where this raises, except by a kill: then parts stay that nobody sees, until the bucket's rule
    on incomplete uploads clears them away.

    Raises:
        ClientError: as S3 has it; 412 where something is there.
    """
    at: dict[str, Any] = {"Bucket": place.bucket, "Key": place.key}
    upload = client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256", **place.encryption)
    at["UploadId"] = upload["UploadId"]
    try:
        parts = [_uploaded(client, at, number, part) for number, part in enumerate(_parts(file), start=1)]
        client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    except BaseException:
        with suppress(aws.ClientError, aws.BotoCoreError):  # what went wrong first is what matters
            client.abort_multipart_upload(**at)
        raise


def checksum_of(file: Path, sha256: str) -> str:
    """Return the checksum that S3 keeps of a file uploaded here: of the whole, or of the sums of its parts."""
    if file.stat().st_size <= IN_PARTS_ABOVE:
        return base64_of(bytes.fromhex(sha256))
    sums = [hashlib.sha256(part).digest() for part in _parts(file)]
    return f"{base64_of(hashlib.sha256(b''.join(sums)).digest())}-{len(sums)}"


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _uploaded(client: S3Client, at: dict[str, Any], number: int, part: bytes) -> Any:
    checksum = base64_of(hashlib.sha256(part).digest())
    answer = client.upload_part(**at, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum)
    return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while part := stream.read(PART):
            yield part
