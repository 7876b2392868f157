"""An OpenID Connect issuer on this machine: tokens for clients that know their secret, and the keys to check them.

It leaves out whatever Kafka does not ask of one: discovery, users, refresh tokens, revocation.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey

from deployments.local.certificates import Certificate
from deployments.local.ports import LOOPBACK

_LIFE_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A running issuer.

    url: where it listens. clients: who is given tokens, client id to secret.
    """

    url: str
    clients: Mapping[str, str] = field(repr=False)
    _key: ECKey = field(repr=False)

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def keys_url(self) -> str:
        return f"{self.url}/keys"

    def token(self, subject: str, life_s: float = _LIFE_S) -> tuple[str, float]:
        """Sign a token for a subject; return it and when it expires, in seconds since the epoch."""
        now = time.time()
        claims = {"iss": self.url, "sub": subject, "iat": int(now), "exp": int(now + life_s), "scope": "kafka"}
        return jwt.encode({"alg": "ES256", "kid": "1"}, claims, self._key), now + life_s

    def keys(self) -> dict[str, Any]:
        """What anybody may know: the public half of the key, as a JWKS."""
        return {"keys": [self._key.as_dict(private=False)]}


@contextmanager
def running_issuer(clients: Mapping[str, str], certificate: Certificate) -> Iterator[Issuer]:
    """Run an issuer on a thread of this process for as long as the block lives.

    clients: client id to secret. certificate: the server's; it speaks TLS only.
    """
    key = ECKey.generate_key("P-256", {"kid": "1", "use": "sig", "alg": "ES256"})
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with _Server((LOOPBACK, 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.issuer = Issuer(url=f"https://{LOOPBACK}:{server.server_port}", clients=dict(clients), _key=key)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="oidc", daemon=True)
        thread.start()
        try:
            yield server.issuer
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: Issuer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/keys":
            self._answer(200, self.server.issuer.keys())
        else:
            self._answer(404, {"error": "not_found"})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        client = self._client()
        if self.path != "/token":
            self._answer(404, {"error": "not_found"})
        elif form.get("grant_type") != ["client_credentials"]:
            self._answer(400, {"error": "unsupported_grant_type"})
        elif client is None:
            self._answer(401, {"error": "invalid_client", "error_description": "Wrong client id or secret"})
        else:
            token, _ = self.server.issuer.token(client)
            self._answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": _LIFE_S})

    def _client(self) -> str | None:
        """The client that has proved itself by HTTP Basic. librdkafka does not form-encode id and secret."""
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        try:
            client, _, secret = base64.b64decode(credentials).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        known = self.server.issuer.clients.get(client, "").encode()
        return client if scheme == "Basic" and known and hmac.compare_digest(known, secret.encode()) else None

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what matters is in the answers."""
