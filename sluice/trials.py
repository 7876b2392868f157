"""What a run needs, tried one by one without reading a record, sending a row or moving a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sluice.destinations.arize_key import NotTold, look_at_space
from sluice.destinations.imports.graphql import opened_graphql
from sluice.destinations.imports.jobs import ImportJobs
from sluice.errors import GroupInUse, GroupNotAllowed, SluiceError, TopicNotAllowed, WrongSettings
from sluice.id_trials import NothingToCompare, compare_ids
from sluice.pipeline import LoadedPipeline, Pipeline
from sluice.settings import DEFAULT, Kind, Settings
from sluice.sources.kafka import KafkaSource
from sluice.store import probe
from sluice.stores.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was tried, and how it went.

    Attributes:
        ok: None where it could not be tried.
        says: one sentence.
    """

    what: str
    ok: bool | None
    says: str


def try_all(loaded: LoadedPipeline, settings: Settings) -> Iterator[Trial]:
    """Try everything that a run of the pipeline needs, each as soon as the one before it is done."""
    pipeline, arize = loaded.pipeline, loaded.pipeline.arize
    yield from _try_kafka(pipeline, settings)
    yield _tried(f"store{_origin(settings, 'store')}", lambda: _try_store(settings))
    yield _tried(
        f"arize {arize.connection}{_origin(settings, 'arize', arize.connection)}",
        lambda: look_at_space(settings.arize(arize.connection)),
    )
    if arize.path == "object_store":
        yield from _try_import(pipeline, settings)
    if pipeline.hash:
        yield _tried(f"hash key{_origin(settings, 'hash_key')}", lambda: _try_hash_key(settings))
    if loaded.predictions is not None:
        yield _tried(f"ids of {loaded.predictions.pipeline.name}", lambda: compare_ids(loaded, settings))


def _try_kafka(pipeline: Pipeline, settings: Settings) -> Iterator[Trial]:
    """Topics and group are asked for only where the broker answers: else each would wait for it in vain."""
    kafka = pipeline.source.kafka
    what = f"kafka {kafka.connection}{_origin(settings, 'kafka', kafka.connection)}"
    rest = [*(f"topic {topic}" for topic in kafka.topics), f"consumer group {kafka.group}"]
    try:
        source = KafkaSource(settings.kafka(kafka.connection), group=kafka.group)
        brokers = source.brokers()
    except SluiceError as error:
        yield Trial(what=what, ok=False, says=str(error))
        yield from (Trial(what=item, ok=None, says="not tried: Kafka does not answer") for item in rest)
        return
    with source:
        yield Trial(what=what, ok=True, says=f"it answers; brokers of the cluster: {brokers}")
        for topic in kafka.topics:
            yield _tried(f"topic {topic}", partial(_try_topic, source, pipeline, topic))
        yield _tried(f"consumer group {kafka.group}", lambda: _try_group(source, pipeline))


def _try_topic(source: KafkaSource, pipeline: Pipeline, topic: str) -> str:
    """Every partition's leader is asked where it ends, so an address that leads nowhere shows here."""
    if "READ" not in source.allowed(topic):
        raise TopicNotAllowed(
            f"Kafka shows topic {topic}, and forbids to read it", "Allow the user to Read the topic (an ACL)"
        )
    numbers = pipeline.source.kafka.partitions
    bounds = source.snapshot([topic], None if numbers == "all" else numbers)
    there = sum(item.end - item.earliest for item in bounds.values())
    return f"{len(bounds)} partitions with {there:,} offsets, and it may be read"


def _try_group(source: KafkaSource, pipeline: Pipeline) -> str:
    kafka = pipeline.source.kafka
    group = source.group_standing()
    if "READ" not in group.allowed:
        raise GroupNotAllowed(
            f"Kafka shows consumer group {kafka.group}, and forbids to commit to it",
            "Allow the user to Read the group (an ACL)",
        )
    if group.members:
        raise GroupInUse(
            f"consumer group {kafka.group} has live members: {group.members}",
            "Stop the consumers that use it, or give the pipeline a group of its own",
        )
    return "no live member, and it may be committed to"


def _try_store(settings: Settings) -> str:
    connection = settings.store()
    probe(open_store(connection))
    return f"{connection.url} keeps what is written, and refuses to overwrite it"


def _try_import(pipeline: Pipeline, settings: Settings) -> Iterator[Trial]:
    """The bucket that Arize reads, and the developer key. Whether Arize may read the bucket only Arize knows."""
    yield _tried("import store", lambda: _try_import_store(settings))
    yield _tried("developer key", lambda: _try_developer_key(pipeline, settings))


def _try_import_store(settings: Settings) -> str:
    connection = settings.import_store()
    probe(open_store(connection))
    return f"{connection.url} keeps what is written, and refuses to overwrite it; whether Arize reads it, a run tells"


def _try_developer_key(pipeline: Pipeline, settings: Settings) -> str:
    arize = settings.arize(pipeline.arize.connection)
    if arize.developer_key is None:
        if pipeline.arize.import_job == "managed":
            raise WrongSettings("arize.import_job is managed, and there is no developer key", "Set ARIZE_DEVELOPER_KEY")
        raise NotTold("is not set: files are placed, and nobody asks what became of them")
    with opened_graphql(arize, told=frozenset()) as graphql:
        ImportJobs(graphql).at(arize.space_id, "", "")
    return "is taken, and shown the import jobs of the space"


def _try_hash_key(settings: Settings) -> str:
    settings.hash_key()
    return "is there"


def _tried(what: str, attempt: Callable[[], str]) -> Trial:
    try:
        return Trial(what=what, ok=True, says=attempt())
    except (NotTold, NothingToCompare) as answer:
        return Trial(what=what, ok=None, says=str(answer))
    except SluiceError as error:
        return Trial(what=what, ok=False, says=str(error))


def _origin(settings: Settings, kind: Kind, name: str = DEFAULT) -> str:
    """Where a connection is from; what is wrong about it, the trial itself tells."""
    try:
        origin = settings.origin(kind, name)
    except SluiceError:
        return ""
    return f" ({origin})" if origin else ""
