"""What boto3 raises, as the errors of Sluice: translated here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions as aws

from sluice.errors import BucketMissing, SluiceError, StoreRefused, StoreUnavailable

_REFUSED = {
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
}
_NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.ProfileNotFound,
    aws.TokenRetrievalError,
    aws.InvalidConfigError,
)


def code_of(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise what goes wrong in the block as an error of Sluice.

    Args:
        where: the key or bucket that is asked for, in words.
    """
    try:
        yield
    except aws.ClientError as error:
        raise _from_answer(error, where) from error
    except _NO_CREDENTIALS as error:
        raise StoreRefused(
            f"There are no usable credentials for {where}: {error}", "Set AWS_ACCESS_KEY_ID and the like"
        ) from error
    except aws.NoRegionError as error:
        raise StoreRefused("The store has no region", "Set AWS_DEFAULT_REGION") from error
    except (ValueError, aws.ParamValidationError) as error:  # an endpoint that is no address, a role that is no ARN
        words = " ".join(str(error).split())
        raise StoreRefused(f"The store cannot be asked for {where}: {words}", "Fix its endpoint or role") from error
    except (aws.HTTPClientError, aws.BotoCoreError, OSError) as error:
        raise StoreUnavailable(f"The store did not answer at {where}: {type(error).__name__}") from error


def _from_answer(error: aws.ClientError, where: str) -> SluiceError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    if code == "NoSuchBucket":
        return BucketMissing(
            f"The bucket does not exist ({where})",
            "Create it, or fix SLUICE_STORE, or SLUICE_IMPORT_STORE if it is that one",
        )
    if code.startswith("KMS."):
        return StoreRefused(f"The store's KMS key was refused at {where}: {code} {message}", "Fix the store's KMS key")
    if error.operation_name == "AssumeRole":
        return StoreRefused(f"The store's role was refused: {code} {message}", "Fix the role, or who may take it on")
    if code in _REFUSED:
        return StoreRefused(f"The store refused {where}: {code} {message}", "Fix AWS_* or the bucket's policy")
    return StoreUnavailable(f"The store answered {code} at {where}: {message}")
