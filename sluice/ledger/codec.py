"""From the objects of the ledger to their bytes in the store, and back."""

from __future__ import annotations

import json
from typing import Annotated, Final, TypeVar

import pydantic
from pydantic import BaseModel, Field, TypeAdapter

from sluice.errors import LedgerDamaged, LedgerOfAnotherVersion
from sluice.ledger.entries import Entry, Slot, VoidSlot

FORMAT: Final = 1
Stored = TypeVar("Stored")
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
_SLOT: TypeAdapter[Slot | VoidSlot] = TypeAdapter(Annotated[Slot | VoidSlot, Field(discriminator="kind")])


def encode(stored: BaseModel) -> bytes:
    return stored.model_dump_json(indent=1, exclude_none=True, by_alias=True).encode()


def decode(key: str, data: bytes) -> Entry:
    """Read an entry of the log.

    Raises:
        LedgerOfAnotherVersion, LedgerDamaged: see there.
    """
    return checked(key, data, _ENTRY)


def decode_slot(key: str, data: bytes) -> Slot | VoidSlot:
    return checked(key, data, _SLOT)


def checked(key: str, data: bytes, shape: TypeAdapter[Stored]) -> Stored:
    """Read any object of the ledger, after a look at its format."""
    try:
        found = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerDamaged(f"{key} is no object of a ledger") from error
    if found != FORMAT:
        raise LedgerOfAnotherVersion(f"{key} has format {found}, this Sluice knows {FORMAT}", "Install a newer Sluice")
    try:
        return shape.validate_json(data)
    except pydantic.ValidationError as error:
        where = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise LedgerDamaged(f"{key} cannot be read at {where}") from error
