"""What the model said, or what came true: label and score, and the type of model that they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sluice.drafting.fields import Field
from sluice.drafting.names import Path, path_words, vocabulary, words

Kind = Literal["predictions", "actuals"]
_SAID: Final = vocabulary("prediction predictions predicted predict pred yhat inference output")
_TRUE: Final = vocabulary("actual actuals truth groundtruth outcome observed target true")
_OF: Final[dict[Kind, frozenset[str]]] = {"predictions": _SAID, "actuals": _TRUE}
_SCORE: Final = vocabulary("score probability proba prob confidence likelihood")
_LABEL: Final = vocabulary("label class category decision value result verdict")
_NO_OUTCOME: Final = vocabulary("id uuid version at ts time timestamp date model name")
_ALONE: Final = vocabulary("label decision verdict class")
_NEARLY_ALL: Final = 0.98  # of the labels: the others are the odd bad record's
BINARY: Final = "binary_classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Label and score of a prediction, or of an actual.

    Attributes:
        label, score: None where nothing is mapped.
        type: of the model; None where nobody can tell.
        why: what a person should know, in words.
        used: fields that speak of the outcome: none of them is a feature, mapped or not.
    """

    label: Field | None
    score: Field | None
    type: str | None
    why: str
    used: tuple[Field, ...]

    @property
    def is_found(self) -> bool:
        return self.label is not None or self.score is not None


def is_of(kind: Kind, field: Field) -> bool:
    """Whether a field speaks, by its name, of what the model said, or of what came true."""
    found = path_words(field.path)
    return bool(_OF[kind].intersection(found)) and not _NO_OUTCOME.intersection(words(field.path[-1]))


def outcome_of(kind: Kind, fields: Sequence[Field], *, inputs: Collection[Path]) -> Outcome:
    """Guess label and score among fields.

    Args:
        inputs: the paths of the model's, of which none is its outcome.
    """
    fields = [field for field in fields if field.type in ("string", "number", "bool")]
    alone = _alone(kind, fields)
    pool = [field for field in fields if field.path not in inputs and field.is_common and _may_be(kind, field, alone)]
    score = _best(kind, [field for field in pool if field.type == "number" and _SCORE.intersection(_last(field))])
    label = _best(kind, [field for field in pool if field != score and not _SCORE.intersection(_last(field))])
    return _typed(label, score)


def _alone(kind: Kind, fields: Sequence[Field]) -> set[Path]:
    """Return the objects that are called like the outcome and hold one value, which is it, whatever its name."""
    counts = Counter(field.path[:-1] for field in fields)
    return {path for path, count in counts.items() if path and count == 1 and _OF[kind].intersection(words(path[-1]))}


def _may_be(kind: Kind, field: Field, alone: Collection[Path]) -> bool:
    if field.unit or _NO_OUTCOME.intersection(_last(field)):
        return False
    other: Kind = "actuals" if kind == "predictions" else "predictions"
    if is_of(other, field) and not is_of(kind, field):
        return False
    known = _LABEL | _SCORE | _OF[kind]
    if is_of(kind, field):
        return bool(known.intersection(_last(field))) or field.path[:-1] in alone
    return len(_last(field)) == 1 and bool((_ALONE | _SCORE).intersection(_last(field)))


def _best(kind: Kind, fields: Sequence[Field]) -> Field | None:
    def rank(field: Field) -> tuple[bool, bool, int]:
        return not is_of(kind, field), not field.is_usual, len(field.path)

    return min(fields, key=rank, default=None)


def _last(field: Field) -> list[str]:
    return words(field.path[-1])


def _typed(label: Field | None, score: Field | None) -> Outcome:
    used = tuple(field for field in (label, score) if field is not None)
    if label is None:
        return _by_score(score, used)
    if label.type == "string":
        return _by_labels(label, score, used)
    if label.type == "bool" or (label.distinct <= 2 and not label.fractions):
        what = "true and false" if label.type == "bool" else "few whole numbers"
        why = f"{'.'.join(label.path)} holds {what}: the label of a {BINARY} is text"
        return Outcome(label=None, score=score, type=BINARY, why=why, used=used)
    why = f"its number is the label; {'.'.join(score.path)} has no place in it" if score else ""
    return Outcome(label=label, score=None, type="regression", why=why, used=used)


def _by_labels(label: Field, score: Field | None, used: tuple[Field, ...]) -> Outcome:
    type_: str | None = BINARY
    why = ""
    if label.distinct > 2:
        is_binary = label.paired >= _NEARLY_ALL * label.values
        type_ = BINARY if is_binary else None
        why = (
            "two labels, but for a few" if is_binary else f"{label.distinct:,} labels were seen, and {BINARY} takes two"
        )
    return Outcome(label=label, score=score, type=type_, why=why, used=used)


def _by_score(score: Field | None, used: tuple[Field, ...]) -> Outcome:
    if score is None:
        return Outcome(label=None, score=None, type=None, why="no field is named like it", used=used)
    if score.low is not None and score.high is not None and score.low >= 0 and score.high <= 1:
        return Outcome(label=None, score=score, type=BINARY, why="no field is named like a label", used=used)
    why = "the number, which goes beyond 0 to 1"
    return Outcome(label=score, score=None, type="regression", why=why, used=used)
