"""Which fields may hold data of a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.drafting.fields import Field
from sluice.drafting.names import Path, is_below, personal_part


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What may be of a person: the path of a field, or of the object that it is in.

    Attributes:
        looks: what its texts look like, where that tells and not its name.
    """

    path: Path
    looks: str | None


def personal_fields(fields: Iterable[Field]) -> list[Personal]:
    """Return what may be of a person, by its name or by what its texts look like; no part of another one."""
    found: dict[Path, Personal] = {}
    for field in fields:
        part = personal_part(field.path) if field.type != "bool" else None
        path = part or (field.path if field.looks else None)
        if path is not None and not any(is_below(path, other) for other in found):
            found[path] = Personal(path=path, looks=None if part else field.looks)
    return list(found.values())


def is_personal(personal: Iterable[Personal], field: Field) -> bool:
    return any(is_below(field.path, item.path) for item in personal)
