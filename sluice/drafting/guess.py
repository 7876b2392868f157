"""Which field is what: a first guess at the map of a pipeline, from names and from what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.drafting.columns import Named, Names, features_and_tags, why_left_out
from sluice.drafting.fields import Field, Learned
from sluice.drafting.names import FEATURES, Path, is_below, vocabulary, words
from sluice.drafting.outcome import Kind, Outcome, is_of, outcome_of
from sluice.drafting.personal import Personal, is_personal, personal_fields
from sluice.drafting.roles import are_ids, best_id, best_time, best_version, unread_time

_TRUTH: Final = vocabulary("actual actuals truth labels outcomes feedback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A guess at a pipeline; None where a person must say.

    Attributes:
        has_keys: whether the records have keys of their own, which are text and never the same twice.
        unread_time: where there is no timestamp: a text that is called like one, and cannot be mapped.
        features_from: the object that holds the features; None: the event's root.
        left_out: fields that are mapped nowhere, with the reason.
    """

    kind: Kind
    learned: Learned
    prediction_id: Field | None
    has_keys: bool
    timestamp: Field | None
    unread_time: Field | None
    outcome: Outcome
    version: Field | None
    features_from: Path | None
    features: tuple[Named, ...]
    tags: tuple[Named, ...]
    personal: tuple[Personal, ...]
    left_out: tuple[tuple[Field, str], ...]


def draft(learned: Learned, *, kind: Kind | None, topic: str, keys: Sequence[bytes | None] = ()) -> Draft:
    """Guess what the fields of a sample are.

    Args:
        kind: a person's word; None to guess that, too.
        topic: whose name may tell.
        keys: of the records.
    """
    from_ = _features_object(learned.fields)
    inputs = {field.path for field in learned.fields if is_below(field.path, from_)}
    kind = kind or _kind(learned.fields, topic, inputs)
    outcome = outcome_of(kind, learned.fields, inputs=inputs)
    personal = tuple(personal_fields(learned.fields))
    spoken_for = {field.path for field in outcome.used}
    not_free = spoken_for | inputs
    free = [field for field in learned.fields if field.path not in not_free and not is_personal(personal, field)]
    id_, time = best_id(free), best_time(free, kind)
    version = best_version(free) if kind == "predictions" else None
    taken = spoken_for | {field.path for field in (id_, time, version) if field is not None}
    rest = [field for field in learned.fields if field.path not in taken]
    why = {field.path: why_left_out(kind, field, personal, is_input=field.path in inputs) for field in rest}
    unused = [field for field in outcome.used if field not in (outcome.label, outcome.score)]
    features, tags = features_and_tags([field for field in rest if not why[field.path]], from_)
    names = Names()
    return Draft(
        kind=kind,
        learned=learned,
        prediction_id=id_,
        has_keys=are_ids(keys),
        timestamp=time,
        unread_time=unread_time(free, kind) if time is None else None,
        outcome=outcome,
        version=version,
        features_from=from_,
        features=tuple(names.named(features, below=from_ or ())),
        tags=tuple(names.named(tags, below=())),
        personal=personal,
        left_out=(
            *((field, "it speaks of the outcome, and cannot be mapped") for field in unused),
            *((field, why[field.path]) for field in rest if why[field.path]),
        ),
    )


def _features_object(fields: Iterable[Field]) -> Path | None:
    objects = {field.path[:depth]: None for field in fields for depth in range(1, len(field.path))}
    found = [path for path in objects if path[-1].lower() in FEATURES]
    return min(found, key=len, default=None)


def _kind(fields: Sequence[Field], topic: str, inputs: Collection[Path]) -> Kind:
    """Predictions, unless only what came true is told, or the topic is called so and no prediction is told."""
    said = any(is_of("predictions", field) for field in fields if field.path not in inputs)
    came_true = any(is_of("actuals", field) for field in fields if field.path not in inputs)
    is_called_so = bool(_TRUTH.intersection(words(topic)))
    return "actuals" if not said and (came_true or is_called_so) else "predictions"
