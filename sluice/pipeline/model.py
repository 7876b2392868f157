"""The pipeline as values: what is read, how it is mapped, where it goes, and within which bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sluice.documents.strict import TOPIC, Name, Strict, Text
from sluice.pipeline.columns import (
    Column,
    What,
    feature_columns,
    identity_columns,
    outcome_columns,
    tag_columns,
)
from sluice.pipeline.map import Map
from sluice.pipeline.notation import TextPlace
from sluice.pipeline.predictions import aimed_as_predictions
from sluice.pipeline.rules import broken_rules, look_back_days
from sluice.pipeline.values import (
    PARTITIONS_SCHEMA,
    STARTS,
    Days,
    Share,
    Size,
    check_distinct,
    check_topic,
    parse_partitions,
    parse_start,
)
from sluice.pipeline.when import When

MAX_RECORDS: Final = 1_000_000
Places = Annotated[tuple[TextPlace, ...], Field(strict=False, json_schema_extra={"uniqueItems": True})]
Topic = Annotated[str, Field(pattern=TOPIC), AfterValidator(check_topic)]


class KafkaSource(Strict):
    """What is read."""

    connection: Name = Field(default="default", description="The name of the Kafka connection.")
    topics: Annotated[tuple[Topic, ...], Field(strict=False, min_length=1), AfterValidator(check_distinct)] = Field(
        description="The topics, by name: at least one, each once.", json_schema_extra={"uniqueItems": True}
    )
    partitions: Annotated[
        Literal["all"] | tuple[int, ...], PlainValidator(parse_partitions), WithJsonSchema(PARTITIONS_SCHEMA)
    ] = Field(default="all", description="`all`, or the numbers of some partitions of the one topic, each once.")
    group: Text = Field(
        description="The consumer group whose offsets mirror the ledger; no consumer may be live in it."
    )
    start: Annotated[
        Literal["earliest", "latest", "group"] | datetime,
        PlainValidator(parse_start),
        WithJsonSchema({"anyOf": [{"enum": [*STARTS]}, {"type": "string", "format": "date-time"}]}),
    ] = Field(
        default="earliest",
        description="Where the first run starts, resolved once: earliest, latest, where the group stands, or a point "
        "in time with its zone.",
    )


class Source(Strict):
    """Where events come from."""

    kafka: KafkaSource = Field(description="Apache Kafka.")


class Decode(Strict):
    """How the bytes of a record are read."""

    value: Literal["json"] = Field(default="json", description="The format of a record's value.")


class Arize(Strict):
    """Where rows go."""

    connection: Name = Field(default="default", description="The name of the Arize connection.")
    model: Text = Field(description="The model's name in Arize.")
    type: Literal["binary_classification", "regression"] = Field(description="The model's type in Arize.")
    environment: Literal["production"] = Field(default="production", description="The model's environment in Arize.")
    path: Literal["sdk", "object_store"] = Field(
        default="sdk",
        description="How rows are sent: by the Arize SDK, or as files that an import job of Arize's reads.",
    )
    import_job: Literal["managed", "existing"] = Field(
        default="managed",
        description="On the path object_store, who makes the import job: Sluice, or a person in Arize.",
    )


class Limits(Strict):
    """The bounds of a window and of a run."""

    max_records: Annotated[int, Field(ge=1, le=MAX_RECORDS)] = Field(
        default=100_000,
        description="Largest number of offsets in a window; on the path object_store 1,000,000 if left out.",
    )
    max_bytes: Size = Field(
        default=128 * 2**20, description="Most bytes read in a window: a number of bytes, or 128 MiB. At most 1 GB."
    )
    max_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=10.0, description="Longest time to read a window, in seconds."
    )
    parallel_windows: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2, description="Largest number of windows in hand at once."
    )
    max_windows: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Largest number of windows in a run; null or left out: no bound."
    )
    send_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=120.0, description="Longest time of one send to Arize, in seconds, from its start to its answer."
    )
    settle_seconds: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=300.0,
        description="Longest time that a run waits, at its end, for Arize to say what became of its files, in seconds.",
    )


class MaxRejected(Strict):
    """How many rejected records make a window wait for a person."""

    share: Share = Field(default=0.1, description="A larger share of rejected records holds the window: 10% or 0.1.")
    of_at_least: Annotated[int, Field(ge=1)] = Field(
        default=1000, description="The share counts only in windows of at least so many records."
    )


class Policies(Strict):
    """What is done when something is not as it should be."""

    on_expired: Literal["fail", "record"] = Field(
        default="fail", description="Offsets that Kafka dropped before they were read: fail, or record them and go on."
    )
    on_ambiguous: Literal["resend", "hold"] = Field(
        default="resend",
        description="A send without a known outcome: resend (Arize may count twice), or hold for a person's word.",
    )
    tombstones: Literal["skip"] = Field(default="skip", description="Records with a null value: counted, not staged.")
    max_past_days: Annotated[int, Field(ge=2, le=1825)] = Field(
        default=1825,
        description="The oldest event that is accepted, in days, minus one day of margin for late sends; older ones "
        "are rejected. 1825 (5 years) is the Arize SDK's own limit; a space may take less.",
    )
    max_rejected: MaxRejected = Field(
        default_factory=MaxRejected, description="Past this share of rejected records, a window is held."
    )
    wait_for: Name | None = Field(
        default=None,
        description="Of actuals, the pipeline of their predictions: a run takes only what came before the moment up to "
        "which all predictions are delivered. Left out: it waits for nobody.",
    )
    corrections: Literal["send", "hold", "reject"] = Field(
        default="send",
        description="An actual that says otherwise than an earlier one of the same id: send it, hold its window for a "
        "person's word, or reject it. One that says the same is sent once.",
    )
    join_window_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=14,
        description="How long after a prediction Arize joins an actual to it, in days; so far back repeated actuals "
        "and predictions are looked for.",
    )


class WantedCoverage(Strict):
    """How many predictions should have their ground truth, and when."""

    at_least: Share = Field(description="A smaller share of predictions with ground truth is told: 90% or 0.9.")
    after_days: Annotated[int, Field(ge=0, le=366)] = Field(
        default=1, description="Days after a day of predictions from which on that day counts."
    )


class KeptRejected(Strict):
    """What is kept of rejected records."""

    keep: Literal["raw", "offsets"] = Field(
        default="raw",
        description="raw: whole records, with the reason; offsets: only where they were, and the reason. With offsets, "
        "a held window cannot be taken again (redo).",
    )


class Keep(Strict):
    """How long files are kept in the store; `sluice sweep` lets go of what is older. Left out: for ever."""

    staged: Days | None = Field(
        default=None, description="Staged files of settled entries, in days: 90d. A replay from them needs them."
    )
    rejected: Days | None = Field(
        default=None, description="Rejected records, and all records of windows that were held, in days: 30d."
    )
    ids: Days | None = Field(
        default=None,
        description="Digests of ids, by which actuals are matched, in days from delivery: 60d. At least as far as "
        "coverage looks back; of predictions the joining window more.",
    )


class Pipeline(Strict):
    """One pipeline of Sluice: what is read, how it is mapped, and where it goes."""

    name: Name = Field(
        description="The pipeline's name, for good: its ledger is kept under it. Lower case, digits and hyphens."
    )
    kind: Literal["predictions", "actuals"] = Field(description="What the events are: predictions, or what came true.")
    source: Source = Field(description="Where events come from.")
    predictions: Name | None = Field(
        default=None,
        description="Of actuals, the pipeline of their predictions, in the same directory: model, type, environment "
        "and connection are its own.",
    )
    decode: Decode = Field(default_factory=Decode, description="How the bytes of a record are read.")
    when: When | None = Field(
        default=None,
        description="Which records are the pipeline's, where the topics hold others too. Left out: all are.",
    )
    drop: Places = Field(
        default=(),
        description="Fields that are kept nowhere: paths into the event, $key or $headers.<name>. None may be mapped.",
    )
    hash: Places = Field(
        default=(),
        description="Fields of text of which only a keyed hash is kept and sent: paths into the event, $key or "
        "$headers.<name>. The key is SLUICE_HASH_KEY.",
    )
    map: Map = Field(description="Arize's words on the left, the event's paths on the right.")
    arize: Arize = Field(description="Where rows go.")
    rejected: KeptRejected = Field(
        default_factory=KeptRejected, description="What is kept of records that are rejected."
    )
    limits: Limits = Field(default_factory=Limits, description="The bounds of a window and of a run.")
    policies: Policies = Field(
        default_factory=Policies, description="What is done when something is not as it should be."
    )

    coverage: WantedCoverage | None = Field(
        default=None, description="Of actuals: the share of predictions with ground truth below which it is told."
    )
    keep: Keep = Field(default_factory=Keep, description="How long files are kept in the store.")

    @property
    def look_back_days(self) -> int:
        """Of actuals: how far back coverage looks where nobody says it; see the rule."""
        return look_back_days(self.policies, self.coverage)

    @model_validator(mode="before")
    @classmethod
    def _aimed_as_its_predictions(cls, given: Any, info: ValidationInfo) -> Any:
        return aimed_as_predictions(given, info.context) if isinstance(given, dict) else given

    @model_validator(mode="before")
    @classmethod
    def _larger_files(cls, given: Any) -> Any:
        """Arize reads best files of a few hundred thousand rows to a million."""
        match given:
            case {"arize": {"path": "object_store"}}:
                limits = given.get("limits", {})
                usual = {"max_records": MAX_RECORDS}
                return {**given, "limits": {**usual, **limits}} if isinstance(limits, dict) else given
        return given

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Pipeline:
        broken = broken_rules(self)
        if broken:
            raise PydanticCustomError("rules", "{words}", {"broken": broken, "words": "; ".join(w for _, w in broken)})
        return self

    def columns(self) -> tuple[Column, ...]:
        """Every staged column in the staged file's order: Arize's own, then features and tags as the file has them."""
        outcomes = (*self._outcomes("prediction"), *self._outcomes("actual"))
        return (*identity_columns(self.map), *outcomes, *feature_columns(self.map), *tag_columns(self.map))

    def needs_one_of(self) -> tuple[str, ...]:
        """The columns of which a row needs at least one: Arize refuses a whole call for one row without any."""
        return tuple(column.name for column in self._outcomes(self._what))

    @property
    def _what(self) -> What:
        return "prediction" if self.kind == "predictions" else "actual"

    def _outcomes(self, what: What) -> Iterator[Column]:
        outcome = self.map.prediction if what == "prediction" else self.map.actual
        is_text = self.arize.type == "binary_classification"
        return outcome_columns(what, outcome, is_text=is_text, is_needed=what == self._what)
