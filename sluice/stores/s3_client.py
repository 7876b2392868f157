"""A client of S3, of what a connection says and, where it says nothing, of what boto3 finds by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import botocore.config
import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from sluice.settings import StoreConnection
from sluice.stores.s3_errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONFIG = botocore.config.Config(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=16
)


def made_client(connection: StoreConnection) -> S3Client:
    """Make the client of a store in S3; a role is taken on when the first request is signed, and anew in time.

    Raises:
        StoreRefused: there is no such profile, or no credentials to take the role on with.
    """
    with translated(connection.url):
        session = _session(connection)
        if connection.role:
            session = _in_role(session, connection.role)
        return session.client("s3", config=_CONFIG, endpoint_url=connection.endpoint)


def _session(connection: StoreConnection) -> boto3.Session:
    secret = connection.secret_access_key
    return boto3.Session(
        profile_name=connection.profile,
        region_name=connection.region,
        aws_access_key_id=connection.access_key_id,
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
    )


def _in_role(session: boto3.Session, role: str) -> boto3.Session:
    """The same session in a role; credentials that boto3 takes from a machine's role are renewed below it."""
    if session.get_credentials() is None:
        raise NoCredentialsError
    inner = botocore.session.Session()
    inner.register_component("credential_provider", CredentialResolver([_Role(session, role)]))
    return boto3.Session(botocore_session=inner, region_name=session.region_name)


class _Role(CredentialProvider):
    METHOD = "sluice-role"

    def __init__(self, session: boto3.Session, role: str) -> None:
        super().__init__()
        self._session = session
        self._role = role

    def load(self) -> DeferredRefreshableCredentials:
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._session.client,
            source_credentials=self._session.get_credentials(),
            role_arn=self._role,
            extra_args={"RoleSessionName": "sluice"},
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=self.METHOD)
