"""Stand-ins that several contracts are kept against."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from deployments.local.ports import LOOPBACK

BUCKET = "sluice"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Where moto serves S3, with the bucket `sluice`, and STS; it checks no credentials."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    known = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **known).create_bucket(Bucket=BUCKET)  # type: ignore[call-overload]
    yield url
    server.stop()
