"""Global ids and cursors: opaque to a client."""

from __future__ import annotations

import base64
import binascii

JOB = "FileImportJob"
FILE = "ImportedFile"
_CURSOR = "after"


def global_id(kind: str, *numbers: int) -> str:
    return base64.b64encode(":".join([kind, *map(str, numbers)]).encode()).decode()


def numbers_of(kind: str, given: str) -> tuple[int, ...] | None:
    """Give the numbers that an id of this kind was made of; None if it is not one."""
    try:
        found, *numbers = base64.b64decode(given, validate=True).decode().split(":")
        return tuple(map(int, numbers)) if found == kind else None
    except (binascii.Error, ValueError):
        return None


def cursor(number: int) -> str:
    return global_id(_CURSOR, number)


def number_after(given: str | None) -> int | None:
    """Give the number behind which a page begins, 0 for the first page; None if it is no cursor of ours."""
    if given is None:
        return 0
    found = numbers_of(_CURSOR, given)
    return found[0] if found and len(found) == 1 else None
