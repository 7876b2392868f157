"""What a connection says of S3 is what goes over the wire: endpoint, region, profile, role, encryption."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deployments.local.ports import LOOPBACK, free_port
from sluice.errors import StoreRefused, StoreUnavailable
from sluice.settings import StoreConnection
from sluice.stores.s3 import S3Store
from sluice.stores.s3_client import made_client

ROLE = "arn:aws:iam::123456789012:role/sluice"
KEYS = {"access_key_id": "AKIAOFTHEFILE", "secret_access_key": SecretStr("a secret")}


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moto_url: str) -> None:
    """No variable, no profile and no machine's role but what a test says."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_url)
    profile = "aws_access_key_id = AKIAOFTHEPROFILE\naws_secret_access_key = b\nregion = ap-south-1\n"
    (tmp_path / "config").write_text(f"[profile sluice]\n{profile}")


def written(moto_url: str, **said: Any) -> dict[str, str]:
    """Write an object by a connection and return the headers of the request."""
    connection = StoreConnection(**{"url": "s3://sluice/a", "endpoint": moto_url, "region": "eu-west-1"} | said)
    client = made_client(connection)
    sent: dict[str, str] = {}

    def keep(request: Any, **_: object) -> None:
        sent.update({name.lower(): _text(value) for name, value in request.headers.items()})
        sent["url"] = request.url

    client.meta.events.register("before-send.s3.PutObject", keep)
    S3Store("sluice", "a", client, kms_key=connection.kms_key).put_once("b", b"c")
    return sent


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def signed_by(sent: dict[str, str]) -> tuple[str, str]:
    """Whose key signed a request, and for which region."""
    found = re.search(r"Credential=([^/]+)/[^/]+/([^/]+)/", sent["authorization"])
    assert found
    return found[1], found[2]


def test_endpoint_region_and_keys_are_the_connections(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c")
    sent = written(moto_url, **KEYS)
    assert signed_by(sent) == ("AKIAOFTHEFILE", "eu-west-1")
    assert sent["url"].startswith(moto_url)
    assert "x-amz-server-side-encryption" not in sent


def test_what_a_connection_does_not_say_is_boto3s_to_find(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_url)
    assert signed_by(written(moto_url, endpoint=None, region=None)) == ("AKIAOFTHEVARIABLE", "us-west-2")


def test_a_profile_is_taken(moto_url: str) -> None:
    assert signed_by(written(moto_url, profile="sluice", region=None)) == ("AKIAOFTHEPROFILE", "ap-south-1")


def test_a_role_is_taken_on(moto_url: str) -> None:
    sent = written(moto_url, **KEYS, role=ROLE)
    key, region = signed_by(sent)
    assert key.startswith("ASIA"), "a temporary key"
    assert region == "eu-west-1"
    assert sent["x-amz-security-token"]


def test_what_is_written_is_encrypted_with_the_key(moto_url: str) -> None:
    sent = written(moto_url, **KEYS, kms_key="alias/sluice")
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/sluice"


def test_a_profile_that_is_not_there_is_named(moto_url: str) -> None:
    with pytest.raises(StoreRefused, match="nobody"):
        written(moto_url, profile="nobody")


def test_a_role_without_credentials_to_take_it_on_is_refused(moto_url: str) -> None:
    with pytest.raises(StoreRefused, match="no usable credentials"):
        written(moto_url, role=ROLE)


def test_a_role_that_is_none_is_said(moto_url: str) -> None:
    with pytest.raises(StoreRefused, match="RoleArn"):
        written(moto_url, **KEYS, role="no role")


def test_a_role_that_may_not_be_taken_on_is_refused(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(
                b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
            )

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((LOOPBACK, 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{LOOPBACK}:{server.server_port}")
        with pytest.raises(StoreRefused, match="The store's role was refused: AccessDenied no"):
            written(moto_url, **KEYS, role=ROLE)
        server.shutdown()


def test_a_token_service_that_does_not_answer_is_unavailable(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{LOOPBACK}:{free_port()}")
    with pytest.raises(StoreUnavailable):
        written(moto_url, **KEYS, role=ROLE)


@pytest.mark.parametrize("endpoint", ["not an address", "http://"])
def test_an_endpoint_that_is_no_address_is_said(moto_url: str, endpoint: str) -> None:
    with pytest.raises(StoreRefused, match="endpoint"):
        written(moto_url, **KEYS, endpoint=endpoint)
