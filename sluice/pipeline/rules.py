"""The rules between the parts of a pipeline file, each broken one with the key to mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sluice.pipeline.places import FromRecord, FromValue, Origin
from sluice.pipeline.values import DAY_S

if TYPE_CHECKING:
    from sluice.pipeline.model import Pipeline, Policies, WantedCoverage

Place = tuple[str, ...]
_JUDGED_DAYS: Final = 7


def broken_rules(pipeline: Pipeline) -> list[tuple[Place, str]]:
    """Return the key and the words of each rule that the pipeline breaks."""
    rules = (
        *(_kind_and_map, _ground_truth, _ids, _regression, _names, _partitions, _when),
        *(_redacted, _mapped_and_redacted),
    )
    return [problem for rule in rules for problem in rule(pipeline)]


def _kind_and_map(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    if pipeline.kind == "predictions":
        if pipeline.map.prediction is None:
            yield ("map", "prediction"), "missing. Predictions need it"
        if pipeline.map.version is None:
            yield ("map", "version"), "missing. Predictions need a version, by path or constant"
        return
    if pipeline.map.actual is None:
        yield ("map", "actual"), "missing. Actuals need it"
    if pipeline.map.prediction is not None:
        yield ("map", "prediction"), "not for actuals: Arize would count a second prediction; allowed: actual"
    if pipeline.map.version is not None:
        yield ("map", "version"), "not for actuals: Arize joins them by prediction_id, whatever the version"


def _ground_truth(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    own = sorted({"wait_for", "corrections", "join_window_days"} & pipeline.policies.model_fields_set)
    if pipeline.kind == "predictions":
        if pipeline.predictions is not None:
            yield ("predictions",), "not for predictions: it names the predictions of actuals"
        if pipeline.coverage is not None:
            yield ("coverage",), "not for predictions: the pipeline of their actuals tells of it"
        for word in own:
            yield ("policies", word), "not for predictions: it is a policy of actuals"
        return
    if pipeline.policies.wait_for not in (None, pipeline.predictions):
        allowed = pipeline.predictions or "none, unless `predictions` names their pipeline"
        yield ("policies", "wait_for"), f"allowed: {allowed}"
    if pipeline.coverage is not None and pipeline.predictions is None:
        yield ("coverage",), "nobody knows of which predictions; name their pipeline: `predictions`"


def look_back_days(policies: Policies, coverage: WantedCoverage | None) -> int:
    """How far back coverage looks: as far as actuals are joined, and to a week of days that are old enough to count."""
    judged = coverage.after_days + _JUDGED_DAYS if coverage is not None else 0
    return max(policies.join_window_days, judged)


def least_ids_days(pipeline: Pipeline, *, of_predictions: bool) -> int:
    """How many days ids have to be kept, so that a pipeline's actuals can be matched: as far as it is looked back.

    Those of predictions the joining window longer: an actual of long ago may have its prediction before that.
    """
    policies = pipeline.policies
    return look_back_days(policies, pipeline.coverage) + (policies.join_window_days if of_predictions else 0)


def _ids(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    kept_s, window = pipeline.keep.ids, pipeline.policies.join_window_days
    least = least_ids_days(pipeline, of_predictions=pipeline.kind == "predictions")
    if kept_s is not None and kept_s < least * DAY_S:
        whose = "Arize's joining window" if pipeline.kind == "predictions" else "policies.join_window_days"
        yield ("keep", "ids"), f"actuals could not be matched: {whose} is {window} days; allowed: {least}d or more"


def _regression(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    """The SDK writes the score of a regression over its label: there is one number."""
    if pipeline.arize.type != "regression":
        return
    for what in ("prediction", "actual"):
        outcome = getattr(pipeline.map, what)
        if outcome is not None and outcome.score is not None:
            yield ("map", what, "score"), "not for regression: its number is the label; allowed: label"


def _names(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    features = pipeline.map.features.columns if pipeline.map.features else {}
    for name in pipeline.map.tags:
        if name in features:
            yield ("map", "tags", name), f"{name} is a feature too: choose another name for the tag"
    for place, specs in ((("map", "features", "columns"), features), (("map", "tags"), pipeline.map.tags)):
        for name, spec in specs.items():
            if "." in name and isinstance(spec, str) and not spec.startswith("$"):
                yield (*place, name), f"a name with a dot needs its path: {{path: …, type: {spec}}}"


def _partitions(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    kafka = pipeline.source.kafka
    if kafka.partitions == "all":
        return
    if len(kafka.topics) > 1:
        yield ("source", "kafka", "partitions"), "allowed with more than one topic: all"
    if len(kafka.partitions) > pipeline.limits.max_records:
        words = f"at least one for each of the {len(kafka.partitions)} partitions"
        yield ("limits", "max_records"), words


def _when(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    if pipeline.when and isinstance(pipeline.when.field, FromRecord) and pipeline.when.type != "string":
        yield ("when", "equals"), "a key or a header is text: allowed: a text, or a list of texts"


def _redacted(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    """Of two places in `drop` and `hash` none may be the other, or below it."""
    places: list[tuple[Place, Origin]] = []
    for name in ("drop", "hash"):
        for number, origin in enumerate(getattr(pipeline, name)):
            if any(_is_within(origin, other) or _is_within(other, origin) for _, other in places):
                yield (name, str(number)), "named twice, or below another field that is dropped or hashed"
            places.append(((name, str(number)), origin))


def _mapped_and_redacted(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    for number, origin in enumerate(pipeline.drop):
        if names := [column.name for column in pipeline.columns() if _is_within(column.origin, origin)]:
            yield ("drop", str(number)), f"is mapped, as {', '.join(names)}: a dropped field is staged nowhere"
    for number, origin in enumerate(pipeline.hash):
        for column in pipeline.columns():
            is_text = column.type == "string" and column.unit is None
            if _is_within(column.origin, origin) and (column.origin != origin or not is_text):
                yield ("hash", str(number)), f"is mapped as {column.name}, which is no text: only text is hashed"


def _is_within(origin: Origin, other: Origin) -> bool:
    """Whether an origin is another one, or a field below it."""
    if isinstance(origin, FromValue) and isinstance(other, FromValue):
        return origin.path[: len(other.path)] == other.path
    return origin == other
