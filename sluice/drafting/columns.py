"""Which fields become columns, features or tags, by which names; and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.drafting.fields import Field
from sluice.drafting.names import Path, is_below
from sluice.drafting.outcome import Kind, is_of
from sluice.drafting.personal import Personal, is_personal
from sluice.drafting.roles import IDS, is_called_id, is_time
from sluice.pipeline.places import MAX_NAME, RESERVED
from sluice.validation import MAX_TAG_LENGTH

SCALARS: Final = ("string", "number", "bool")
_OWN_TAGS: Final = ("partition", "offset")
_MANY: Final = 20  # events, from which on a text that is never the same twice says what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A column by a name of its own, and where it comes from."""

    name: str
    field: Field


def why_left_out(kind: Kind, field: Field, personal: Sequence[Personal], *, is_input: bool) -> str:
    """Say why a field becomes no column; empty where it does.

    Args:
        is_input: it is one of the model's, whatever its name speaks of.
    """
    may_be_true = not is_input and is_of("actuals", field)
    checks = (
        (is_personal(personal, field), "it may be of a person: see `drop` above"),
        (field.type is None, "of several types" if field.values else "only null was seen"),
        (field.type not in SCALARS, "a list is no column"),
        (_is_number_of_its_own(field), "it may be an id, which must be text to be mapped, and is a number"),
        (kind == "actuals", "actuals need no more than what came true"),
        (may_be_true, "it may be what came true, which is no input: map it as `actual`, if it is"),
        (field.path[-1].endswith("_shap"), "Arize takes the name for a SHAP value"),
        (field.longest > MAX_TAG_LENGTH, "longer than a tag may be"),
    )
    return next((why for applies, why in checks if applies), "")


def features_and_tags(columns: Sequence[Field], from_: Path | None) -> tuple[list[Field], list[Field]]:
    """Tell features from tags: what is below the object of features, or, without one, what a model could learn from."""
    if from_ is not None:
        is_feature = {field.path: is_below(field.path, from_) for field in columns}
    else:
        is_feature = {field.path: not (is_time(field) or field.is_dated or _is_name(field)) for field in columns}
    features = [field for field in columns if is_feature[field.path]]
    return features, [field for field in columns if not is_feature[field.path]]


class Names:
    """Gives columns names that Arize takes, none twice among features and tags."""

    def __init__(self) -> None:
        self._taken = {*RESERVED, *_OWN_TAGS}

    def named(self, fields: Iterable[Field], *, below: Path) -> list[Named]:
        return [Named(name=self._name(field.path[len(below) :]), field=field) for field in fields]

    def _name(self, path: Path) -> str:
        whole = "_".join(path)
        name = base = whole if len(whole) <= MAX_NAME - 10 else path[-1]
        number = 2
        while name in self._taken or name.endswith("_shap"):
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name


def _is_name(field: Field) -> bool:
    """Whether a text is never the same twice, so that no model learns from it."""
    return field.type == "string" and field.is_unique and field.values >= _MANY


def _is_number_of_its_own(field: Field) -> bool:
    is_alone = field.is_unique and field.values >= _MANY
    return field.type == "number" and is_called_id(field) and (is_alone or field.path[-1] in IDS)
