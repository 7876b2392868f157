"""What a draft says was seen: of each field how often and how different, and what is mapped nowhere; never a value."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.drafting.fields import MOST_FIELDS, Field
from sluice.drafting.guess import Draft
from sluice.drafting.names import Path


def left_out(draft: Draft) -> Iterator[str]:
    """Yield, as comments, what was seen and is mapped nowhere, each with the reason."""
    learned = draft.learned
    words = [f"{shown(field.path)}: {why}; {seen_of(field)}" for field, why in draft.left_out]
    words += [
        f"{shown(path) or 'the event itself'}: keys that may be data and not names: {count:,}; none is told"
        for path, count in learned.unnamed.items()
    ]
    words += [f"{shown(path)}: nested too deeply to be looked at" for path in learned.deep]
    words += [f"more than {MOST_FIELDS:,} fields and objects: the others were not looked at"] if learned.is_cut else []
    if words:
        yield ""
        yield "# Seen, and not mapped:"
        yield from (f"#   {line}" for line in words)


def seen_of(field: Field) -> str:
    """Say how often a field was there, and what was in it."""
    parts = ["in all" if field.values == field.of else f"in {field.values:,} of {field.of:,}"]
    if field.nulls:
        parts.append(f"null in {field.nulls:,}")
    if field.type is None:
        parts += [f"{count:,} {name}" for name, count in field.types.items()]
    elif field.others:
        parts.append(f"{field.others:,} of another type, which would be rejected")
    if field.distinct:
        parts.append("no two alike" if field.is_unique else f"{field.distinct:,} different")
    if field.blanks:
        parts.append(f"{field.blanks:,} blank")
    if field.type == "number" and not field.fractions and field.unit is None:
        parts.append("only whole numbers: int, if it can never be a fraction")
    return ", ".join(parts)


def shown(path: Path) -> str:
    """Write a path for people."""
    return ".".join(path)
