"""A private certificate authority, and PEM files that it signs: made where they are needed, worth nothing elsewhere."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deployments.local.ports import LOOPBACK

_VALID = dt.timedelta(days=7)
_SKEW = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """PEM files.

    certificate: one's own. key: its private key, not encrypted. both: one file of both, as Kafka's keystore wants it.
    """

    certificate: Path
    key: Path
    both: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority.

    location: its own certificate, which whoever trusts it is given. directory: where it and what it signs are kept.
    """

    directory: Path
    location: Path
    _name: x509.Name = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def server(self, name: str) -> Certificate:
        """Sign for a server on this machine, known by its address 127.0.0.1 and by no host name."""
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
        return self._signed(name, ExtendedKeyUsageOID.SERVER_AUTH, address)

    def client(self, name: str) -> Certificate:
        """Sign for a client: `CN=name,O=Sluice`."""
        return self._signed(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _signed(self, name: str, usage: x509.ObjectIdentifier, *extensions: x509.ExtensionType) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key)
        for extension in (x509.ExtendedKeyUsage([usage]), *extensions):
            builder = builder.add_extension(extension, critical=False)
        signed = _pem(builder.sign(self._key, hashes.SHA256()))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certificate(
            certificate=_written(self.directory / f"{name}.pem", signed),
            key=_written(self.directory / f"{name}.key", secret),
            both=_written(self.directory / f"{name}.both.pem", secret + signed),
        )


def new_authority(directory: Path, name: str = "authority") -> Authority:
    """Make an authority whose files go into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    key, subject = ec.generate_private_key(ec.SECP256R1()), _named(name)
    builder = _builder(subject, subject, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    location = _written(directory / f"{name}.pem", _pem(builder.sign(key, hashes.SHA256())))
    return Authority(directory=directory, location=location, _name=subject, _key=key)


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(oid, is_)
            for oid, is_ in ((NameOID.ORGANIZATION_NAME, "Sluice"), (NameOID.COMMON_NAME, name))
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _SKEW,
        not_valid_after=now + _VALID,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _written(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
