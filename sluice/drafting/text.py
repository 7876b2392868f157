"""A draft as the text of a pipeline file: each guess with what was seen, and what is left to a person as $TODO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sluice.documents.problems import TODO
from sluice.drafting.columns import Named
from sluice.drafting.guess import Draft
from sluice.drafting.names import Path
from sluice.drafting.outcome import BINARY, Kind
from sluice.drafting.seen import left_out, seen_of, shown
from sluice.drafting.yaml import Line, aligned, comment, place, scalar

_TYPES: Final = {"string": "string", "number": "float", "bool": "bool"}
_FEW: Final = 10  # events, below which any key may be there by chance
_FEW_WORDS: Final = " So few of them do not tell names from data, such as the keys of a map by users: read the names."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for: a pipeline of this name, for this topic of this Kafka connection.

    Attributes:
        kind: None to have it guessed.
    """

    topic: str
    name: str
    connection: str = "default"
    kind: Kind | None = None

    @property
    def group(self) -> str:
        return f"sluice-{self.name}"


def text_of(draft: Draft, wanted: Wanted, *, seen: str) -> str:
    """Write a draft as a pipeline file.

    Args:
        seen: what the sample was, in words.
    """
    body = [*_source(draft, wanted), *_redacted(draft), *_map(draft), *_arize(draft, wanted.name), *left_out(draft)]
    open_ = sum(TODO in line.partition("#")[0] for line in body)
    return "\n".join([*_head(draft, wanted, seen, open_), *body]) + "\n"


def _head(draft: Draft, wanted: Wanted, seen: str, open_: int) -> Iterator[str]:
    name = wanted.name
    yield "# yaml-language-server: $schema=pipeline.schema.json"
    yield "#"
    yield from comment(
        f"Drafted by `sluice draft {wanted.topic}` from {seen}. A guess, to be reviewed line by line: the comments say "
        f"what was seen in these events, and hold no value of any.{_FEW_WORDS if draft.learned.events < _FEW else ''}"
    )
    yield "#"
    marked = f"Fill in what is {TODO} ({open_}); `sluice check` says what belongs there." if open_ else "Review it."
    for number, step in enumerate(
        (
            f"Keep it as deployments/pipelines/{name}.yaml. {marked}",
            f"sluice check {name}      is the file right?",
            f"sluice preview {name}    the last events as they would be sent, and what would be rejected and why",
            f"sluice plan {name}       and then, for a first window: sluice run {name} --max-windows 1",
            "sluice check --deployments    the entry for prefect.yaml, which schedules it",
        ),
        1,
    ):
        yield f"#   {number}. {step}"


def _source(draft: Draft, wanted: Wanted) -> Iterator[str]:
    yield ""
    yield f"name: {scalar(wanted.name)}"
    yield f"kind: {draft.kind}"
    yield ""
    yield "source:"
    yield "  kafka:"
    if wanted.connection != "default":
        yield f"    connection: {scalar(wanted.connection)}"
    lines = [
        Line(f"    topics: [{scalar(wanted.topic)}]"),
        Line(f"    group: {wanted.group}", "of its own; no consumer may be live in it"),
        Line("    start: earliest", "where the first run starts: or latest, or a time with its zone"),
    ]
    yield from aligned(lines)
    yield ""
    yield "decode: {value: json}"


def _redacted(draft: Draft) -> Iterator[str]:
    if draft.learned.kind is not None:
        yield ""
        yield from comment(
            f"Events of several kinds seem to share the topic, told apart by {shown(draft.learned.kind)}. Say which "
            "are this pipeline's; all counts below are of all kinds."
        )
        yield f"# when: {{field: {place(draft.learned.kind)}, equals: {TODO}}}"
    if not draft.personal:
        return
    yield ""
    words = [f"{shown(item.path)}{f' (looks like {item.looks})' if item.looks else ''}" for item in draft.personal]
    yield from comment(
        f"May be of a person: {', '.join(words)}. None of it is mapped below, but a rejected record is kept raw: take "
        "in the line that keeps these fields out of that, too, or the part of it that you want."
    )
    yield f"# drop: [{', '.join(place(item.path) for item in draft.personal)}]"
    texts = {field.path for field in draft.learned.fields if field.type == "string"}
    if hashable := [item.path for item in draft.personal if item.path in texts]:
        yield from comment("Or, of a text that is to stay comparable, keep a keyed hash, and map it as a tag:")
        yield f"# hash: [{', '.join(map(place, hashable))}]"


def _map(draft: Draft) -> Iterator[str]:
    lines = [_id(draft), _time(draft), *_outcome(draft), *_version(draft)]
    yield ""
    yield "map:"
    yield from aligned([Line(f"  {line.text}", line.comment) for line in lines])
    if draft.features:
        yield "  features:"
        if draft.features_from:
            yield f"    from: {place(draft.features_from)}"
        yield "    columns:"
        below = draft.features_from or ()
        yield from aligned([_column("      ", item, below) for item in draft.features])
    if draft.kind == "predictions":
        yield "  tags:"
        own = [Line("    partition: $partition", "where in Kafka the row came from"), Line("    offset: $offset")]
        yield from aligned([*(_column("    ", item, ()) for item in draft.tags), *own])


def _id(draft: Draft) -> Line:
    field = draft.prediction_id
    if field is not None:
        return Line(f"prediction_id: {place(field.path)}", seen_of(field))
    if draft.has_keys:
        return Line("prediction_id: $key", "the record's key: text, no two alike; no field is named like an id")
    return Line(f"prediction_id: {TODO}", "no text field is named like an id; an id is text, and joins both sides")


def _time(draft: Draft) -> Line:
    field = draft.timestamp
    if field is None:
        return Line("timestamp: $timestamp", f"Kafka's own: {_no_time(draft)}")
    return Line(f"timestamp: {{path: {place(field.path)}, unit: {field.unit}}}", seen_of(field))


def _no_time(draft: Draft) -> str:
    if draft.unread_time is None:
        return "no field is named like a time and holds one"
    path = shown(draft.unread_time.path)
    return f"{path} is no time that can be mapped, which is a number, or text by RFC 3339 with its zone"


def _outcome(draft: Draft) -> Iterator[Line]:
    what = "prediction" if draft.kind == "predictions" else "actual"
    outcome = draft.outcome
    if not outcome.is_found:
        yield Line(f"{what}: {{label: {TODO}}}", f"or score, or both: {outcome.why}")
        return
    yield Line(f"{what}:", outcome.why)
    if outcome.label is not None:
        yield Line(f"  label: {place(outcome.label.path)}", seen_of(outcome.label))
    if outcome.score is not None:
        yield Line(f"  score: {place(outcome.score.path)}", seen_of(outcome.score))


def _version(draft: Draft) -> Iterator[Line]:
    if draft.kind == "actuals":
        return
    if draft.version is None:
        yield Line(
            f"version: {TODO}", "no text field is named like the model's version: a path, or a constant in quotes"
        )
        return
    missing = "" if draft.version.values == draft.version.of else "; without a default, the others are rejected"
    yield Line(f"version: {{path: {place(draft.version.path)}}}", seen_of(draft.version) + missing)


def _arize(draft: Draft, name: str) -> Iterator[str]:
    yield ""
    if draft.kind == "actuals":
        yield from comment(
            "Where the file of the predictions is beside this one, take in the line below, in the place of model and "
            "type: they are those of the predictions then, and there is a coverage (docs/ground-truth.md)."
        )
        yield f"# predictions: {TODO}"
    yield "arize:"
    type_ = Line(f"  type: {draft.outcome.type or TODO}")
    if draft.outcome.type is None:
        type_ = Line(type_.text, f"{BINARY} or regression: {draft.outcome.why}")
    yield from aligned(
        [Line(f"  model: {scalar(name)}", "the model's name in Arize: set it right if it is another"), type_]
    )


def _column(indent: str, item: Named, below: Path) -> Line:
    type_ = _TYPES[item.field.type or ""]
    given = type_ if item.field.path == (*below, item.name) and "." not in item.name else ""
    spec = given or f"{{path: {place(item.field.path)}, type: {type_}}}"
    return Line(f"{indent}{scalar(item.name)}: {spec}", seen_of(item.field))
