"""Tokens for Amazon MSK, signed with the machine's AWS credentials by Amazon's own package: the extra `msk`."""

from __future__ import annotations

import os

import boto3
from botocore.exceptions import NoCredentialsError

from sluice.errors import WrongSettings


class MskIam:
    """Signs a token whenever it is asked. Its credentials are found as boto3 finds them.

    Raises:
        WrongSettings: the extra is not installed, or there is no region.
    """

    def __init__(self) -> None:
        try:
            from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # an extra, which few need
        except ImportError:
            raise WrongSettings("msk-iam is not installed", "pip install 'sluice[msk]'") from None
        self._sign = MSKAuthTokenProvider.generate_auth_token
        self._region = os.environ.get("AWS_REGION") or boto3.Session().region_name
        if not self._region:
            raise WrongSettings("msk-iam has no region", "Set AWS_REGION to that of the brokers")

    def __call__(self, _config: str | None) -> tuple[str, float]:
        """Return a token and when it expires, in seconds since the epoch; the signer counts milliseconds."""
        try:
            token, expires_ms = self._sign(self._region)
        except AttributeError:  # it looks into the credentials that there are none of
            raise NoCredentialsError from None
        return token, expires_ms / 1000
